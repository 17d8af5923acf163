"""The index of the names of all domain lists: a trie of reversed names, in memory or mapped from a file.

A name is stored backwards with a dot behind (`moc.yapila.`), so that the prefixes of a host's own reversal
are the listed domains above it, by whole labels. Reversing by character in place of by label costs nothing
for a whole list at once; by label it took 0.4 s a million names (measured, 2 cores, CPython 3.13).
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import marisa_trie

from embargo.core.matcher import ListedDomains

type Numbers = tuple[int, ...]  # of the lists that hold a name


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A trie, and for each of its keys the lists that hold it."""

    trie: marisa_trie.Trie
    combinations: tuple[Numbers, ...]  # every set of lists that share a name; the one of most names first
    chosen: array[int]  # by key of the trie: which combination; empty where there is but one


def build(lists: Sequence[Sequence[str]]) -> BuiltIndex:
    """The index of *lists*, each of canonical names; a second for a million."""
    if len(lists) == 1:
        return BuiltIndex(marisa_trie.Trie(_reversed(lists[0]), num_tries=1), ((0,),), array("I"))
    numbers: dict[str, Numbers] = {}
    for number, names in enumerate(lists):
        for name in _reversed(names):
            known = numbers.get(name, ())
            if known[-1:] != (number,):  # a list may hold a name twice
                numbers[name] = (*known, number)
    count: dict[Numbers, int] = {}
    for combination in numbers.values():
        count[combination] = count.get(combination, 0) + 1
    combinations = sorted(count, key=lambda combination: (-count[combination], combination))
    place = {combination: index for index, combination in enumerate(combinations)}
    trie = marisa_trie.Trie(numbers, num_tries=1)
    chosen = array("I")
    if len(combinations) > 1:
        chosen.frombytes(bytes(chosen.itemsize * len(trie)))
        for name, combination in numbers.items():
            chosen[trie[name]] = place[combination]
    return BuiltIndex(trie, tuple(combinations), chosen)


def _reversed(names: Sequence[str]) -> list[str]:
    """Each of *names* backwards with a dot behind; in no particular order."""
    return ("." + "\n.".join(names))[::-1].split("\n") if names else []


class TrieDomains:
    """`ListedDomains` over a trie, in memory or mapped."""

    def __init__(self, trie: marisa_trie.Trie, combinations: tuple[Numbers, ...], chosen: Sequence[int]) -> None:
        self._trie = trie
        self._combinations = combinations
        self._only = combinations[0] if len(combinations) == 1 else None
        self._chosen = chosen

    def suffixes(self, host: str) -> list[tuple[str, int]]:
        """The listed domains that are *host* or a parent of it, each with its list's number."""
        found = self._trie.prefixes(f"{host[::-1]}.")
        if not found:
            return []
        if self._only is not None:
            numbers = self._only
            if len(found) == len(numbers) == 1:  # the usual case, in half the time
                return [(found[0][-2::-1], numbers[0])]
            return [(key[-2::-1], number) for key in reversed(found) for number in numbers]
        return [
            (key[-2::-1], number)
            for key in reversed(found)
            for number in self._combinations[self._chosen[self._trie[key]]]
        ]


class LazyDomains:
    """`ListedDomains` that builds its index when it is first asked: `check` without tests never does."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self._lists = lists
        self._index: TrieDomains | None = None

    @property
    def names(self) -> Sequence[Sequence[str]]:
        """The names, list by list."""
        return self._lists

    def suffixes(self, host: str) -> list[tuple[str, int]]:
        """The listed domains that are *host* or a parent of it, each with its list's number."""
        if self._index is None:
            built = build(self._lists)
            self._index = TrieDomains(built.trie, built.combinations, built.chosen)
        return self._index.suffixes(host)


class SomeDomains:
    """`ListedDomains` of some of another's lists, for the policy of the lower layers."""

    def __init__(self, domains: ListedDomains, numbers: Iterable[int]) -> None:
        self._domains = domains
        self._own = {number: own for own, number in enumerate(numbers)}  # our number by theirs

    def suffixes(self, host: str) -> list[tuple[str, int]]:
        """The listed domains that are *host* or a parent of it, each with its list's number."""
        return [(name, self._own[number]) for name, number in self._domains.suffixes(host) if number in self._own]
