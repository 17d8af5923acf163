"""Hosts files: names that lead nowhere, each alone."""

import pytest

from embargo.blocklists.hosts import parse
from embargo.blocklists.item import Broken, Item, Listed, Unsaid


def said(item: Item) -> str:
    match item:
        case Listed():
            return f"{item.place} {item.kind.key}:{item.text}"
        case Unsaid():
            return f"{item.place} cannot say {item.what}: {item.text}"
        case Broken():
            return f"{item.place} broken: {item.why}"


LINES = {  # case: (text, what it says)
    "null": ("0.0.0.0 x.test", ["f:1:9 host:x.test"]),
    "loopback": ("127.0.0.1\tx.test # c", ["f:1:11 host:x.test"]),
    "IPv6": (":: x.test\n::1 y.test", ["f:1:4 host:x.test", "f:2:5 host:y.test"]),
    "several": ("0.0.0.0 x.test y.test", ["f:1:9 host:x.test", "f:1:16 host:y.test"]),
    "a system's own": (
        "127.0.0.1 localhost localhost.localdomain\n::1 ip6-allnodes\n0.0.0.0 0.0.0.0\n127.0.0.1 box",
        [],
    ),
    "somebody's network": ("192.0.2.7 x.test", ["f:1:11 cannot say name of an address: 192.0.2.7 x.test"]),
    "no address": ("x.test 0.0.0.0", ["f:1:1 broken: 'x.test' is no address"]),
    "no name": ("0.0.0.0", ["f:1:1 broken: an address without a name"]),
    "a zone": ("fe80::1%lo0 localhost", []),
    "comments": ("# 0.0.0.0 x.test\n\n", []),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_lines(text: str, expected: list[str]) -> None:
    assert [said(item) for item in parse(text, "f")] == expected
