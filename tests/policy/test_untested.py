"""Tests that say a verdict which several rules could give."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

APPS = "version: 1\napps: {a: {endpoints: [{domain: a.example, evidence: e}]}, b: {endpoints: [{domain: b.example, evidence: e}]}}\n"
CODES = ("test-without-rule",)
RULES = "rules: [{id: lab, apps: a, users: alice, action: log}, {id: r, apps: a, action: block}]\n"


def with_tests(text: str, rules: str = RULES) -> Files:
    return f"{APPS}{rules}tests:\n{text}\n"


TOLD: dict[str, Files] = {
    "log, by a rule or by default": with_tests("  - {request: a.example, user: alice, expect: log}"),
    "several are one warning": with_tests("  - {request: a.example, user: alice, expect: log}\n  - {request: b.a.example, user: alice, expect: log, app: a}"),
    "rows of a table": with_tests("  - {request: [a.example, b.a.example], user: alice, expect: log}"),
    "two rules that block": with_tests("  - {request: a.example, expect: block}", RULES.replace("action: log", "action: block")),
    "a layer's tests by the rules up to it": {
        "0.layer.yaml": with_tests("  - {request: a.example, expect: block}"),
        "1.layer.yaml": "version: 1\nrules: [{id: x, apps: a, users: bob, action: block}]\ntests: [{request: a.example, user: bob, expect: block}]\n",
    },
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "it names the rule": with_tests("  - {request: a.example, user: alice, expect: log, rule: lab}"),
    "only one could": with_tests("  - {request: a.example, expect: block}"),
    "the other one is for another app": with_tests(
        "  - {request: a.example, expect: block}",
        "rules: [{id: b, apps: b, action: block}, {id: r, apps: a, action: block}]\n",
    ),
    "nothing decides": with_tests("  - {request: elsewhere.example, expect: pass}"),
    "no verdict is expected": with_tests("  - {request: a.example, app: a}"),
    "no tests": f"{APPS}{RULES}",
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("untested", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
