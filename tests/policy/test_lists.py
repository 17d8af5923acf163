"""Plain lists of domains: what a line may be, and what is said of one that may not."""

from pathlib import Path

import pytest

from embargo.policy.lists import MOST_PROBLEMS, parse_list
from embargo.policy.reading import Source
from policy_files import golden, problems


def names(text: str | bytes) -> tuple[str, ...]:
    data = text if isinstance(text, bytes) else text.encode()
    found = parse_list(Source("list.txt", Path("list.txt"), data))
    assert found.problems == ()
    return found.names


READ = {  # case: (text, names)
    "nothing": ("", ()),
    "comments and blank lines": ("# a list\n\na.example\n  \n# b.example\n", ("a.example",)),
    "a comment behind a name": ("a.example # the app\n", ("a.example",)),
    "carriage returns": (b"a.example\r\nb.example\r\n", ("a.example", "b.example")),
    "no line break at the end": ("a.example\nb.example", ("a.example", "b.example")),
    "a byte order mark": (b"\xef\xbb\xbfa.example\n", ("a.example",)),
    "white space around": ("\ta.example  \n", ("a.example",)),
    "capitals, a final dot": ("A.Example.\n", ("a.example",)),
    "international names": ("bücher.example\n", ("xn--bcher-kva.example",)),
    "an exception of a wildcard suffix": ("www.ck\n", ("www.ck",)),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_read(text: str | bytes, expected: tuple[str, ...]) -> None:
    assert names(text) == expected


MISTAKES: dict[str, str | bytes] = {
    "a URL": "a.example\nhttps://b.example/x\n",
    "a filter rule": "||a.example^\n",
    "a filter rule with options": "||a.example^$third-party\n",
    "a hosts file": "127.0.0.1 localhost.example\n0.0.0.0\ta.example\n",
    "a public suffix": "a.example\nco.uk\n",
    "a TLD": "com\n",
    "an address": "203.0.113.9\n",
    "a wildcard": "*.a.example\n",
    "two names in a line": "a.example b.example\n",
    "a comment that clings to a name": "a.example#x\n",
    "columns count from the line's start": "   a..example\n",
    "not UTF-8": b"a.example\nb\xfc.example\n",
    "a binary file": b"a.example\n\0\n",
}


def test_mistakes(tmp_path: Path) -> None:
    policy = "version: 1\napps: {a: {endpoints_from: [lists/a.txt]}}\n"
    found = {case: problems(tmp_path, {"policy.yaml": policy, "lists/a.txt": text}) for case, text in MISTAKES.items()}
    golden("lists", found)
    assert all(found.values())


def test_no_more_than_twenty_problems_a_list() -> None:
    text = "".join(f"http://n{number}.example/\n" for number in range(100))
    found = parse_list(Source("list.txt", Path("list.txt"), text.encode()))
    assert len(found.problems) == MOST_PROBLEMS + 1
    assert str(found.problems[-1]) == "list.txt:20:1: more-problems: and 80 more lines that are no domains"
