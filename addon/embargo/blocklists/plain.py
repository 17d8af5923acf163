"""Plain lists: one domain or network a line, `#`, `;` or `!` before comments. A name is it and all below it.

`*.name` and `.name` are read as the name too, and told: there is no standard for what they mean.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.core.pattern import Kind

_DOTTED = "names written as `*.name` or `.name` are taken with the name itself"


def parse(text: str, name: str) -> Iterator[Item]:
    """The names in *text*, a file called *name*."""
    for number, line in enumerate(text.splitlines(), 1):
        word = re.sub(r"\s+[#;!].*", "", line.strip())
        if not word or word.startswith(("#", ";", "!", "//")):
            continue
        place = Place(file=name, line=number, column=line.index(word) + 1)
        if len(word.split()) > 1:
            yield Broken(why=f"{word[:80]!r} is more than one word", place=place)
            continue
        bare = re.sub(r"^\*?\.", "", word)
        if "*" in bare:
            yield Unsaid(what="wildcard", text=word, place=place)
            continue
        kind = Kind.CIDR if _is_network(word) else Kind.DOMAIN
        yield Listed(kind=kind, text=bare, place=place, note=_DOTTED if bare != word else "")


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
