"""v2fly's lists: each kind of line, attributes, and what is included."""

from collections.abc import Mapping

import pytest

from embargo.blocklists.item import Broken, Item, Listed, Unsaid
from embargo.blocklists.v2fly import parse
from embargo.core.catalogue import Role


def said(item: Item) -> str:
    match item:
        case Listed():
            return f"{item.place} {item.kind.key}:{item.text}" + "".join(f" @{each}" for each in item.attributes)
        case Unsaid():
            return f"{item.place} cannot say {item.what}: {item.text}"
        case Broken():
            return f"{item.place} broken: {item.why}"


def read(text: str, files: Mapping[str, str] | None = None) -> list[str]:
    known = files or {}
    return [
        said(item)
        for item in parse(text, "a", lambda name: (name, known[name]) if name in known else "there is no such file")
    ]


LINES = {  # case: (text, what it says)
    "a bare name": ("x.test", ["a:1:1 domain:x.test"]),
    "domain": ("domain:x.test", ["a:1:1 domain:x.test"]),
    "full": ("full:x.test", ["a:1:1 host:x.test"]),
    "keyword": ("keyword:alipay", ["a:1:1 cannot say keyword: alipay"]),
    "regexp": (r"regexp:^a.+\.test$", [r"a:1:1 cannot say regular expression: ^a.+\.test$"]),
    "regex, as it was once called": ("regex:a", ["a:1:1 cannot say regular expression: a"]),
    "attributes and affiliations": ("x.test @ads @cn &other", ["a:1:1 domain:x.test @ads @cn"]),
    "comments": ("# one\n\n  x.test # two\n", ["a:3:3 domain:x.test"]),
    "an unknown type": ("ip:192.0.2.1", ["a:1:1 broken: there is no type 'ip'"]),
    "a type without a value": ("full:", ["a:1:1 broken: 'full:' names nothing"]),
    "a second word": ("x.test y.test", ["a:1:1 broken: 'y.test' is neither an attribute nor a comment"]),
    "a file outside": ("include:../secret", ["a:1:1 broken: '../secret' is no name of a file beside this one"]),
    "an absolute file": ("include:/etc/hosts", ["a:1:1 broken: '/etc/hosts' is no name of a file beside this one"]),
    "a file that is not there": ("include:b", ["a:1:1 broken: include:b: there is no such file"]),
    "line breaks of Windows": ("x.test\r\ny.test\r\n", ["a:1:1 domain:x.test", "a:2:1 domain:y.test"]),
}


@pytest.mark.parametrize(("text", "expected"), LINES.values(), ids=LINES)
def test_lines(text: str, expected: list[str]) -> None:
    assert read(text) == expected


FILES = {
    "b": "b.test @cn\nc.test @ads\nd.test\nkeyword:k\nbroken line\n",
    "loop": "include:a\nx.test\n",
    "self": "include:self\n",
}
INCLUDED = {  # case: (text, what it says)
    "all of it": (
        "include:b",
        [
            "b:1:1 domain:b.test @cn",
            "b:2:1 domain:c.test @ads",
            "b:3:1 domain:d.test",
            "b:4:1 cannot say keyword: k",
            "b:5:1 broken: 'line' is neither an attribute nor a comment",
        ],
    ),
    "what has an attribute": (
        "include:b @cn", ["b:1:1 domain:b.test @cn", "b:5:1 broken: 'line' is neither an attribute nor a comment"],
    ),
    "what has it not": (
        "include:b @-ads @-cn",
        [
            "b:3:1 domain:d.test",
            "b:4:1 cannot say keyword: k",
            "b:5:1 broken: 'line' is neither an attribute nor a comment",
        ],
    ),
    "in a circle": ("include:loop", ["loop:1:1 broken: include:a: includes itself", "loop:2:1 domain:x.test"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), INCLUDED.values(), ids=INCLUDED)
def test_included(text: str, expected: list[str]) -> None:
    assert read(text, {**FILES, "a": text}) == expected


def test_deep_inclusion_ends() -> None:
    files = {f"f{number}": f"include:f{number + 1}\n" for number in range(100)}
    assert "more than 32 files include one another" in read("include:f0", files)[-1]


def test_inclusion_that_doubles_ends() -> None:
    files = {f"f{number}": f"include:f{number + 1}\ninclude:f{number + 1}\n" for number in range(30)} | {
        "f30": "x.test"
    }
    assert read("include:f0", files) == ["f30:1:1 domain:x.test"]


def test_one_file_by_two_filters() -> None:
    assert read("include:b @cn\ninclude:b @ads\ninclude:b @cn", FILES)[::2] == [
        "b:1:1 domain:b.test @cn", "b:2:1 domain:c.test @ads"
    ]  # fmt: skip


def test_inclusion_by_ever_more_filters_ends() -> None:
    files = {
        f"f{number}": "".join(f"include:f{number + 1} @-a{number}{each}\n" for each in "xyz") for number in range(30)
    }
    assert "more than 10000 inclusions" in read("include:f0", files | {"f30": "x.test"})[-1]


def test_an_attribute_that_says_what_it_is_for() -> None:
    (item,) = parse("x.test @ads", "a", lambda name: "")
    assert isinstance(item, Listed)
    assert item.role is Role.ADS
