"""Plain lists: a name or a network a line."""

import pytest

from embargo.blocklists.item import Broken, Item, Listed, Unsaid
from embargo.blocklists.plain import parse


def said(item: Item) -> str:
    match item:
        case Listed():
            return f"{item.place} {item.kind.key}:{item.text}{' (noted)' if item.note else ''}"
        case Unsaid():
            return f"{item.place} cannot say {item.what}"
        case Broken():
            return f"{item.place} broken: {item.why}"


LINES = {  # case: (text, what it says)
    "a name": ("x.test", ["f:1:1 domain:x.test"]),
    "comments": ("# a\n; b\n! c\n// d\nx.test # e\ny.test ; f", ["f:5:1 domain:x.test", "f:6:1 domain:y.test"]),
    "with a star": ("*.x.test", ["f:1:1 domain:x.test (noted)"]),
    "with a dot": ("  .x.test", ["f:1:3 domain:x.test (noted)"]),
    "a star inside": ("x.*.test", ["f:1:1 cannot say wildcard"]),
    "an address": ("192.0.2.7", ["f:1:1 cidr:192.0.2.7"]),
    "a network": ("2001:db8::/32", ["f:1:1 cidr:2001:db8::/32"]),
    "two words": ("x.test y.test", ["f:1:1 broken: 'x.test y.test' is more than one word"]),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_lines(text: str, expected: list[str]) -> None:
    assert [said(item) for item in parse(text, "f")] == expected
