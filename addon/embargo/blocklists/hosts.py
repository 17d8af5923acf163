"""Hosts files: an address and the names that it stands for. A name is that name alone, as hosts(5) has it.

Only names that lead nowhere (0.0.0.0, 127.0.0.1, ::, ::1) are bans; others are somebody's own network. A system's own
names (localhost, ip6-allnodes, …) are skipped.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.core.pattern import Kind

_SYSTEM = re.compile(r"localhost(?:\..*)?|local|broadcasthost|ip6-[a-z]+|0\.0\.0\.0|[^.]+")


def parse(text: str, name: str) -> Iterator[Item]:
    """The names in *text*, a file called *name*."""
    for number, line in enumerate(text.splitlines(), 1):
        words = [(found[0], found.start() + 1) for found in re.finditer(r"\S+", line.partition("#")[0])]
        if not words:
            continue
        address, names = words[0], words[1:]
        place = Place(file=name, line=number, column=address[1])
        try:
            leads_to = ip_address(address[0].partition("%")[0])
        except ValueError:
            yield Broken(why=f"{address[0][:80]!r} is no address", place=place)
            continue
        if not names:
            yield Broken(why="an address without a name", place=place)
        for word, column in names:
            at = Place(file=name, line=number, column=column)
            if _SYSTEM.fullmatch(word) is not None:
                continue
            if not (leads_to.is_unspecified or leads_to.is_loopback):
                yield Unsaid(what="name of an address", text=f"{address[0]} {word}", place=at)
            else:
                yield Listed(kind=Kind.HOST, text=word, place=at)
