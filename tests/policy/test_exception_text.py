"""An entry added or ended changes its own lines and nothing else, however the file is written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.policy.document import parse
from embargo.policy.exception_text import appended, changed
from embargo.policy.problem import Mistake
from embargo.policy.reading import Source
from policy_files import Path

UNTIL = datetime(2026, 11, 29, 4, tzinfo=UTC)
ENTRY = {"id": "new", "apps": ("qq",), "action": "log", "until": UNTIL, "reason": "why"}
LINES = "- id: new\n  apps: [qq]\n  action: log\n  until: 2026-11-29T04:00:00Z\n  reason: why\n"
INDENTED = "".join("  " + line for line in LINES.splitlines(keepends=True))

APPENDED = {  # case: (before, after)
    "behind the last rule": (
        "version: 1\nrules:\n- id: old  # kept\n  apps:   all\n  action: log\n",
        f"version: 1\nrules:\n- id: old  # kept\n  apps:   all\n  action: log\n{LINES}",
    ),
    "as deep as the others": (
        "version: 1\nrules:\n  - id: old\n    action: log\n",
        f"version: 1\nrules:\n  - id: old\n    action: log\n{INDENTED}",
    ),
    "before comments that follow": (
        "version: 1\nrules:\n- id: old\n  action: log   # last\n\n# the end\n",
        f"version: 1\nrules:\n- id: old\n  action: log   # last\n{LINES}\n# the end\n",
    ),
    "behind a text of several lines": (
        "version: 1\nrules:\n- id: old\n  reason: |\n    one\n    # no comment\ngroups: {}\n",
        f"version: 1\nrules:\n- id: old\n  reason: |\n    one\n    # no comment\n{LINES}groups: {{}}\n",
    ),
    "behind a list": (
        "version: 1\nrules:\n- id: old\n  apps:\n    - a\n    - b\n",
        f"version: 1\nrules:\n- id: old\n  apps:\n    - a\n    - b\n{LINES}",
    ),
    "behind a rule in braces": (
        "version: 1\nrules:\n- {id: old,\n   apps: all}\n",
        f"version: 1\nrules:\n- {{id: old,\n   apps: all}}\n{LINES}",
    ),
    "with a line between, as the others": (
        "version: 1\nrules:\n- id: a\n\n- id: b\n",
        f"version: 1\nrules:\n- id: a\n\n- id: b\n\n{LINES}",
    ),
    "no line break at the end": ("version: 1\nrules:\n- id: old", f"version: 1\nrules:\n- id: old\n{LINES}"),
    "other keys behind": (
        "rules:\n- id: old\nversion: 1\ntests: []\n",
        f"rules:\n- id: old\n{LINES}version: 1\ntests: []\n",
    ),
    "no rules yet": ("version: 1\n# a comment\n", f"version: 1\n# a comment\n\nrules:\n{LINES}"),
    "an empty list": ("version: 1\nrules: []  # none\ntests: []\n", f"version: 1\nrules:  # none\n{LINES}tests: []\n"),
    "lines that end as on Windows": (
        "version: 1\r\nrules:\r\n- id: old\r\n",
        "version: 1\r\nrules:\r\n- id: old\r\n" + LINES.replace("\n", "\r\n"),
    ),
    "a byte order mark": ("\ufeffversion: 1\nrules:\n- id: old\n", f"\ufeffversion: 1\nrules:\n- id: old\n{LINES}"),
    "letters of two bytes before": ("version: 1\nrules:\n- id: 中文🎉\n", f"version: 1\nrules:\n- id: 中文🎉\n{LINES}"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), APPENDED.values(), ids=APPENDED)
def test_appended(before: str, after: str) -> None:
    assert appended(before.encode(), ENTRY).decode() == after


BY_ROUND_TRIP = {  # text that leaves no place for lines: what stays of it
    "a list in brackets": ("version: 1  # one\nrules: [{id: old, apps: all}]  # two\n", ["# one", "# two"]),
    "a document in braces": ("# one\n{version: 1, rules: [{id: old}]}\n", ["# one"]),
    "a last value by alias": ("version: 1\ntests: &t [x]\nrules:\n- id: old  # one\n  roles: *t\n", ["# one"]),
}


@pytest.mark.parametrize(("before", "kept"), BY_ROUND_TRIP.values(), ids=BY_ROUND_TRIP)
def test_what_leaves_no_place_keeps_its_comments(before: str, kept: list[str]) -> None:
    after = appended(before.encode(), ENTRY)
    assert [text for text in kept if text not in after.decode()] == []
    assert [rule["id"] for rule in tree(after)["rules"]] == ["old", "new"]


def test_a_new_file() -> None:
    text = appended(None, ENTRY).decode()
    assert text.endswith(f"\nversion: 1\n\nrules:\n{LINES}")
    assert text.startswith("# ")


CHANGED = {  # case: (before, after), of `until` and then of `enabled` of the rule x
    "in its place": (
        "version: 1\nrules:\n- id: x   # a\n  until:  2027-01-01   # b\n  apps: all\n- id: y\n  until: 2027-01-01\n",
        "version: 1\nrules:\n- id: x   # a\n  enabled: false\n  until:  2026-11-29T04:00:00Z   # b\n"
        "  apps: all\n- id: y\n  until: 2027-01-01\n",
    ),
    "in quotes": (
        "version: 1\nrules:\n- until: '2027-01-01'\n  id: x\n",
        "version: 1\nrules:\n- until: 2026-11-29T04:00:00Z\n  id: x\n  enabled: false\n",
    ),
    "in braces": (
        "version: 1\nrules: [{id: x, enabled: true, until: 2027-01-01}]\n",
        "version: 1\nrules: [{id: x, enabled: false, until: 2026-11-29T04:00:00Z}]\n",
    ),
    "in braces, with a key more": (
        "version: 1\nrules: [{id: x, until: 2027-01-01}]\n",
        "version: 1\nrules: [{id: x, enabled: false, until: 2026-11-29T04:00:00Z}]\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), CHANGED.values(), ids=CHANGED)
def test_changed(before: str, after: str) -> None:
    assert changed(before.encode(), "x", {"until": UNTIL, "enabled": False}).decode() == after


def test_an_alias_is_not_changed_for_others() -> None:
    text = b"version: 1\nrules:\n- id: x\n  until: &end 2027-01-01\n- id: y  # kept\n  until: *end\n"
    after = changed(text, "y", {"until": UNTIL})
    assert [rule["until"] for rule in tree(after)["rules"]] == ["2027-01-01", "2026-11-29T04:00:00Z"]
    assert b"# kept" in after


HOSTILE = {
    "a colon and a blank": "a: b",
    "a comment": "a # b",
    "quotation marks": "\"it's\" 'so'",
    "a line break and a key": "x\n- id: evil\n  apps: all\n  action: allow",
    "the end of a document": "x\n...\n---\nversion: 1",
    "a number": "1e3",
    "a time": "2027-01-01",
    "a truth": "true",
    "nothing": "null",
    "an anchor": "&a *b !!c",
    "brackets": "}]{[",
    "blanks at both ends": "  x  ",
    "other scripts": "原因：é 🎉 \u202e",
    "a tab": "\tx\t",
    "very long": "word " * 400,
    "a backslash": "\\n \\x00",
    "a percent sign at the beginning": "%TAG x",
    "a question": "? x",
    "a dash": "- x",
    "carriage return": "a\rb",
    "next line": "a\x85b\u2028c",
}


@pytest.mark.parametrize("reason", HOSTILE.values(), ids=HOSTILE)
def test_any_reason_reads_back(reason: str) -> None:
    for before in (None, b"version: 1\nrules:\n- id: old\n", b"version: 1\nrules: [{id: old}]\n"):
        rules = tree(appended(before, {**ENTRY, "reason": reason}))["rules"]
        assert rules[-1] == {
            "id": "new", "apps": ["qq"], "action": "log", "until": "2026-11-29T04:00:00Z", "reason": reason,
        }  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1) | st.text("\n\t:#'\"- x", min_size=1))
def test_any_text_reads_back(reason: str) -> None:
    """Whatever stands in a reason, the file says the same as before and that reason besides."""
    before = "version: 1\nrules:\n- id: old  # c\n  apps: all\n"
    after = appended(before.encode(), {**ENTRY, "reason": reason, "users": (reason, "b")})
    assert after.decode().startswith(before)
    assert tree(after)["rules"][1]["reason"] == reason
    assert tree(after)["rules"][1]["users"] == [reason, "b"]


def test_what_cannot_be_edited_is_refused() -> None:
    with pytest.raises(Mistake, match="cannot be edited") as refused:
        appended(b"version: 1\nrules: none\n", ENTRY)
    assert refused.value.code == "unwritable-file"


def tree(data: bytes) -> dict:
    document = parse(Source("exceptions.yaml", Path(), data))
    assert document.problems == ()
    return document.root
