"""URL paths and queries in the one form in which patterns and requests are compared.

Both sides are percent-decoded once, dot segments and doubled slashes are resolved, and case is ignored
(DESIGN 4, Patterns): a store serves the same listing under all of these spellings.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

type Pairs = frozenset[tuple[str, str]]

_REMEMBERED = 1024  # characters: longer targets are parsed each time, so that no client fills the memory with them


@dataclass(frozen=True, slots=True)
class Target:
    """Path and query of a request, normalized."""

    path: str  # begins with "/"
    pairs: Pairs = frozenset()


def parse_target(target: str) -> Target:
    """The normalized form of an origin-form request target, ``/path?query#fragment``, however long it is."""
    return _parse_remembered(target) if len(target) <= _REMEMBERED else _parse(target)


def _parse(target: str) -> Target:
    path, _, query = target.partition("#")[0].partition("?")
    return Target(normalize_path(path), parse_pairs(query))


_parse_remembered = lru_cache(maxsize=4096)(_parse)


def parse_pairs(query: str) -> Pairs:
    """The ``key=value`` pairs of *query*, percent-decoded once, lower case."""
    if not query:
        return frozenset()
    return frozenset((key.lower(), value.lower()) for key, value in parse_qsl(query, keep_blank_values=True))


def normalize_path(path: str) -> str:
    """*path* percent-decoded once, without dot segments (RFC 3986, 5.2.4) and empty segments, lower case."""
    kept: list[str] = []
    segments = unquote(path).lower().split("/")
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    trailing = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return "/" + "/".join(kept) + trailing


def glob_matches(parts: tuple[str, ...], path: str) -> bool:
    """Whether the pattern whose pieces between ``*`` are *parts* covers *path*.

    A match begins at the path's start and ends at its end or before a ``/``, so ``/app/id1`` never meets
    ``/app/id12``. Leftmost search, linear in the path: a regular expression with several ``.*`` would let
    a client choose how long we think.
    """
    first, *rest = parts
    if not path.startswith(first):
        return False
    position = len(first)
    if not rest:
        return _ends_segment(path, position) or first.endswith("/")
    *middle, last = rest
    for part in middle:
        found = path.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    if not last or last.endswith("/"):
        return path.find(last, position) >= 0
    found = path.find(last, position)
    while found >= 0:
        if _ends_segment(path, found + len(last)):
            return True
        found = path.find(last, found + 1)
    return False


def _ends_segment(path: str, position: int) -> bool:
    return position == len(path) or path[position] == "/"
