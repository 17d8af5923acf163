"""`embargo check`: what it prints, for people and machines, and how it exits."""

# ruff: noqa: E501 - a case a line

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from certificates import limits, sign
from embargo.cli.main import main
from policy_files import write

GOOD = """\
version: 1
apps: {a: {endpoints: [{domain: a.example, evidence: e}]}}
rules: [{id: r, apps: a, action: block}]
tests: [{request: a.example, expect: block}]
"""
WARNED = GOOD.replace("{domain: a.example, evidence: e}", "a.example")
FAILED = GOOD.replace("expect: block", "expect: pass")
DATED = GOOD.replace("rules: [", "rules: [{id: grace, apps: a, action: log, until: 2030-01-01}, ").partition("tests:")[
    0
]
BROKEN = GOOD.replace("action: block", "action: blok")


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(text: str | None, *arguments: str) -> Result:
    if text is not None:
        write(Path.cwd(), text)
    return CliRunner().invoke(main, ["check", "--policy", "policy.yaml", *arguments])


CASES = {  # case: (policy, arguments, exit code, how each line begins)
    "no tests": (GOOD[: GOOD.index("tests:")], [], 0, ["1 app, 1 endpoint, 1 rule, no tests, digest "]),
    "good": (GOOD, [], 0, ["1 app, 1 endpoint, 1 rule, 1 of 1 test passed, digest "]),
    "a warning": (
        WARNED, [], 0, ["policy.yaml:2:24: no-evidence apps.a.endpoints[0]: ", "1 app, 1 endpoint, 1 rule, 1 of 1 test passed, 1 warning, "],
    ),
    "a warning under --strict": (WARNED, ["--strict"], 1, ["policy.yaml:2:24: no-evidence ", "1 app"]),
    "good under --strict": (GOOD, ["--strict"], 0, ["1 app"]),
    "a failed test": (
        FAILED, [], 1, ["policy.yaml:4:9: failed-test tests[0]: a.example: expect: expected pass, got block; by rule r", "1 app, 1 endpoint, 1 rule, 0 of 1 test passed"],
    ),
    "what will be otherwise, which is no warning": (
        DATED, ["--at", "2029-11-01", "--strict"], 0, ["on 2030-01-01 rule grace ends: a goes from log to block", "1 app"],
    ),
    "as of a later day": (DATED, ["--at", "2030-02-01"], 0, ["policy.yaml:3:50: rule-ended rules[0].until: ", "1 app"]),
    "an error": (BROKEN, [], 1, ["policy.yaml:3:34: unknown-action rules[0].action: found 'blok'", "1 error in 1 file"]),
    "a missing file": (None, [], 2, ["policy.yaml:1:1: missing-file: there is no such file", "1 error in 1 file"]),
    "a missing include": (
        "version: 1\ninclude: [gone.yaml]\n", [], 2, ["policy.yaml:2:11: missing-file include[0]: 'gone.yaml': there is no such file", "1 error"],
    ),
    "a missing include among other mistakes": (
        "version: 1\ninclude: [gone.yaml]\nbogus: 1\n", [], 1, ["policy.yaml:2:11: missing-file include[0]", "policy.yaml:3:1: unknown-key bogus", "2 errors in 1 file"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "code", "lines"), CASES.values(), ids=CASES)
def test_printed(text: str | None, arguments: list[str], code: int, lines: list[str]) -> None:
    result = check(text, *arguments)
    assert result.exit_code == code
    printed = result.output.splitlines()
    assert len(printed) == len(lines)
    assert [line[: len(begin)] for line, begin in zip(printed, lines, strict=True)] == lines


def test_directory() -> None:
    Path("policy.yaml").mkdir()
    assert check(None).exit_code == 2


def test_fifo_is_not_waited_for() -> None:
    os.mkfifo("policy.yaml")
    assert check(None).exit_code == 2


def test_json_of_a_good_policy() -> None:
    answer = json.loads(check(WARNED, "--json").output)
    assert {key: answer[key] for key in ("ok", "files", "apps", "endpoints", "rules", "errors")} == {
        "ok": True, "files": ["policy.yaml"], "apps": 1, "endpoints": 1, "rules": 1, "errors": [],
    }  # fmt: skip
    assert len(answer["digest"]) == 64
    assert answer["tests"] == {"passed": 1, "failed": []}
    warning = answer["warnings"][0]
    assert (warning["file"], warning["line"], warning["column"]) == ("policy.yaml", 2, 24)
    assert (warning["code"], warning["severity"], warning["path"]) == ("no-evidence", "warning", "apps.a.endpoints[0]")


def test_json_of_what_is_announced() -> None:
    answer = json.loads(check(DATED, "--json", "--at", "2029-11-01").stdout)
    assert [(each["time"], each["causes"]) for each in answer["announced"]] == [
        ("2030-01-01T00:00:00+00:00", ["rule grace ends"])
    ]


def test_json_of_a_failed_test() -> None:
    result = check(FAILED, "--json")
    assert result.exit_code == 1
    failed = json.loads(result.output)["tests"]["failed"]
    assert failed[0]["mismatches"] == [{"key": "expect", "expected": "pass", "got": "block"}]


def test_json_of_an_error() -> None:
    result = check(BROKEN, "--json")
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert not answer["ok"]
    assert [(error["code"], error["hint"]) for error in answer["errors"]] == [
        ("unknown-action", "did you mean 'block'?")
    ]


def test_on_a_terminal_the_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.cli.findings.on_terminal", lambda: True)
    lines = check(BROKEN).output.splitlines()
    assert lines[1] == "    rules: [{id: r, apps: a, action: blok}]"
    assert lines[2].index("^") == lines[1].index("blok")


def test_layers() -> None:
    write(Path.cwd(), {"a.layer.yaml": GOOD, "b.layer.yaml": "version: 1\nrules: [{id: s, apps: aa, action: log}]\n"})
    result = CliRunner().invoke(main, ["check", "--policy", "a.layer.yaml", "--policy", "b.layer.yaml"])
    assert result.output.splitlines()[0] == (
        "b.layer.yaml:2:23: unknown-app rules[0].apps: there is no app 'aa'; did you mean 'a'?"
    )


def test_a_ca_that_lacks_what_a_verdict_depends_on() -> None:
    text = """\
version: 1
apps:
  a: {endpoints: [{url: a.example/x, evidence: e}, {domain: b.example, evidence: e}]}
  many: {endpoints_from: [many.txt]}
rules:
  - {id: r, apps: a, action: block}
  - {id: s, apps: many, action: block, surfaces: [http]}
"""
    write(Path.cwd(), {"policy.yaml": text, "many.txt": "c.example\nd.example\n"})
    Path("ca.pem").write_bytes(sign("ca", constraints=limits(["other.example"])).pem)
    lines = check(None, "--ca", "ca.pem").output.splitlines()
    assert lines[:-1] == [
        "policy.yaml:3:3: not-permitted-by-ca apps.a: the CA does not permit a.example: what the policy bans inside it "
        "passes; have a CA signed that does: embargo ca request",
        "policy.yaml:4:3: not-permitted-by-ca apps.many: 2 names of many.txt need to be opened for what is inside; a CA "
        "cannot hold them, and what is banned inside passes; let a rule without `surfaces` block the names whole",
    ]
