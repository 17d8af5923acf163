"""v2fly's domain-list-community: `domain:`, `full:`, `keyword:`, `regexp:`, `include:`, attributes, comments.

A line is `TYPE:VALUE @attribute … &affiliation … # comment`; without a type it is `domain:`. `include:NAME` brings the
file NAME from the same directory, with `@attribute` only what has it, with `@-attribute` only what has it not. An
affiliation puts a line into another list as well and says nothing of this one. What is included twice alike is read
once. Read from the project's README.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.core.catalogue import Role
from embargo.core.pattern import Kind

type Beside = Callable[[str], tuple[str, str] | str]  # a name to a file's name and text, or to why there is none

_KINDS = {"domain": Kind.DOMAIN, "full": Kind.HOST}
_WORDS = {"keyword": "keyword", "regexp": "regular expression", "regex": "regular expression"}
_ROLES = {"ads": Role.ADS}  # attributes that say what a name is for
_LINE = re.compile(r"(?:(?P<type>[a-z]+):)?(?P<value>.*)")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!_.-]{0,127}")
_DEEPEST = 32  # files that include one another
_MOST_INCLUDED = 10_000  # times; the project has some 1,300 files (2025)

type _Filters = frozenset[str]  # attributes, as `include:` names them


def parse(text: str, name: str, beside: Beside) -> Iterator[Item]:
    """What *text*, a file called *name*, says, and what it includes; *beside* finds those files."""
    return _parse(text, name, _Reading(beside, (name,), frozenset(), set()))


@dataclass(frozen=True, slots=True)
class _Reading:
    """Where in a tree of included files one is."""

    beside: Beside
    above: tuple[str, ...]  # files
    filters: _Filters  # of all inclusions above
    done: set[tuple[str, _Filters]]  # in the whole tree

    def within(self, name: str, attributes: tuple[str, ...]) -> "_Reading":
        """In the file *name*, included with *attributes*."""
        return replace(self, above=(*self.above, name), filters=self.filters | frozenset(attributes))


def _parse(text: str, name: str, reading: _Reading) -> Iterator[Item]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        place = Place(file=name, line=number, column=line.index(words[0]) + 1)
        attributes = tuple(word[1:] for word in words[1:] if word.startswith("@"))
        if strange := [word for word in words[1:] if not word.startswith(("@", "&"))]:
            yield Broken(why=f"{strange[0][:80]!r} is neither an attribute nor a comment", place=place)
            continue
        if (found := _LINE.fullmatch(words[0])) is None or not found["value"]:
            yield Broken(why=f"{words[0][:80]!r} names nothing", place=place)
        elif found["type"] == "include":
            yield from _included(found["value"], attributes, place, reading)
        else:
            yield _item(found["type"] or "domain", found["value"], attributes, place)


def _item(word: str, value: str, attributes: tuple[str, ...], place: Place) -> Item:
    if (kind := _KINDS.get(word)) is not None:
        role = next((_ROLES[each] for each in attributes if each in _ROLES), None)
        return Listed(kind=kind, text=value, place=place, role=role, attributes=attributes)
    if word in _WORDS:
        return Unsaid(what=_WORDS[word], text=value, place=place)
    return Broken(why=f"there is no type {word[:80]!r}", place=place)


def _included(value: str, attributes: tuple[str, ...], place: Place, reading: _Reading) -> Iterator[Item]:
    if _FILE.fullmatch(value) is None:
        yield Broken(why=f"{value[:80]!r} is no name of a file beside this one", place=place)
        return
    key = value, reading.filters | frozenset(attributes)
    if key in reading.done:
        return
    if len(reading.done) >= _MOST_INCLUDED:
        yield Broken(why=f"include:{value}: more than {_MOST_INCLUDED} inclusions", place=place)
        return
    reading.done.add(key)
    read = reading.beside(value)
    if isinstance(read, str):
        yield Broken(why=f"include:{value}: {read}", place=place)
        return
    name, text = read
    if name in reading.above or len(reading.above) >= _DEEPEST:
        why = "includes itself" if name in reading.above else f"more than {_DEEPEST} files include one another"
        yield Broken(why=f"include:{value}: {why}", place=place)
        return
    wanted = {each for each in attributes if not each.startswith("-")}
    unwanted = {each[1:] for each in attributes if each.startswith("-")}
    for item in _parse(text, name, reading.within(name, attributes)):
        own = set(item.attributes) if isinstance(item, Listed) else set()
        if isinstance(item, Broken) or (wanted <= own and not unwanted & own):
            yield item
