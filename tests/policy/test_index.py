"""The index of listed names: whole labels, every list that holds a name."""

from collections.abc import Sequence

import pytest

from embargo.core.matcher import DomainTable
from embargo.policy.index import LazyDomains, SomeDomains

LISTS: dict[str, Sequence[Sequence[str]]] = {
    "one list": [["a.example", "x.a.example", "b.example"]],
    "two lists that share names": [["a.example", "b.example"], ["a.example", "c.a.example"]],
    "a name twice in a list": [["a.example", "a.example"], ["a.example"]],
    "an empty list": [[]],
    "an empty list among others": [["a.example"], [], ["a.example", "example"]],
    "no list": [],
}
HOSTS = (
    "a.example",
    "x.a.example",
    "y.x.a.example",
    "xa.example",
    "a.example.org",
    "example",
    "c.a.example",
    "e",
    "b.example",
)


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_agrees_with_the_table_in_memory(lists: Sequence[Sequence[str]]) -> None:
    index, table = LazyDomains(lists), DomainTable([sorted(set(names)) for names in lists])
    for host in HOSTS:
        assert index.suffixes(host) == table.suffixes(host), host


def test_some_lists_alone() -> None:
    whole = LazyDomains([["a.example"], ["b.example"], ["a.example"]])
    some = SomeDomains(whole, [2, 1])
    assert some.suffixes("x.a.example") == [("a.example", 0)]
    assert some.suffixes("b.example") == [("b.example", 1)]
