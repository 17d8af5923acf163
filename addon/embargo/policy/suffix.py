"""Public suffixes: names under which anybody registers, so a pattern for one would hit strangers.

The Public Suffix List's rules as two sets and one of exceptions: membership costs 0.04 s a million names,
the library's own call a name fifty times that.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from publicsuffixlist import PSLFILE

from embargo.core.hostname import MalformedHost, canonical


@dataclass(frozen=True, slots=True)
class Suffixes:
    """The rules of the Public Suffix List; all names canonical."""

    exact: frozenset[str]
    wildcard: frozenset[str]  # each name directly below one of these is a suffix
    exceptions: frozenset[str]

    def __contains__(self, domain: str) -> bool:
        """Whether *domain* is a public suffix or, listed or not, a top-level domain."""
        if domain in self.exact:
            return True
        _, _, parent = domain.partition(".")
        return not parent or (parent in self.wildcard and domain not in self.exceptions)

    def touches(self, domains: Collection[str]) -> bool:
        """Whether one of *domains* may be a suffix; quick, and wrong only by saying yes for an exception."""
        if not self.exact.isdisjoint(domains):
            return True
        parents = {domain.partition(".")[2] for domain in domains}
        return "" in parents or not self.wildcard.isdisjoint(parents)


@cache
def suffixes() -> Suffixes:
    """The list that comes with publicsuffixlist, both its divisions; parsed once, in some 10 ms."""
    exact: set[str] = set()
    wildcard: set[str] = set()
    exceptions: set[str] = set()
    for line in Path(PSLFILE).read_text(encoding="utf-8").splitlines():
        rule = line.partition(" ")[0]
        if not rule or rule.startswith("//"):
            continue
        kind = exact
        if rule.startswith("*."):
            kind, rule = wildcard, rule[2:]
        elif rule.startswith("!"):
            kind, rule = exceptions, rule[1:]
        try:
            kind.add(rule if rule.isascii() else canonical(rule).text)
        except MalformedHost:
            continue  # no name of this program's can equal it
    return Suffixes(frozenset(exact), frozenset(wildcard), frozenset(exceptions))
