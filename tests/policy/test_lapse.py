"""What time has overtaken: rules that ended or end soon, authorities that nobody has looked at."""

# ruff: noqa: E501 - a case a line
from pathlib import Path

import pytest

from policy_files import Files, golden, warned

APPS = "version: 1\napps: {a: {endpoints: [{domain: a.example, evidence: e}]}}\n"
CODES = ("rule-ended", "rule-ends-soon", "not-reviewed")


def until(text: str) -> Files:
    return f"{APPS}rules: [{{id: counsel, apps: a, users: alice, action: log, {text}}}, {{id: r, apps: a, action: block}}]\n"


def authority(text: str) -> Files:
    return f"{APPS}authorities: {{eo: {{{text}}}}}\nrules: [{{id: r, apps: a, action: block}}]\n"


TOLD: dict[str, Files] = {  # as of 2026-11-24, 12:00 UTC
    "ended long ago": until("until: 2020-01-01"),
    "ended just now": until('until: "2026-11-24T12:00:00Z"'),
    "ends within a day": until('until: "2026-11-25T11:59:59Z"'),
    "ends in a day": until('until: "2026-11-25T12:00:00Z"'),
    "ends in thirty days": until('until: "2026-12-24T12:00:00Z"'),
    "reviewed long ago": authority("reviewed: 2026-05-27"),
    "never reviewed": authority("timeline: {2021-01-05: issued}"),
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "ends in thirty days and a second": until('until: "2026-12-24T12:00:01Z"'),
    "an exception is timed to begin with": {
        "policy.yaml": f"{APPS}rules: [{{id: r, apps: a, action: block}}]\n",
        "exceptions.yaml": "version: 1\nrules: [{id: x, apps: a, users: alice, action: log, until: 2026-11-25, reason: a demonstration}]\n",
    },
    "is off": until("until: 2020-01-01, enabled: false"),
    "reviewed 180 days ago": authority("reviewed: 2026-05-28"),
    "no timeline, so nothing to review": authority("title: The Order"),
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    return [line for line in warned(directory, files) if line.split()[1] in CODES]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("lapse", found)
    assert [case for case, lines in found.items() if not lines] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
