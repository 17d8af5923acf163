"""`embargo test`: a report like a test runner's."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from policy_files import write

POLICY = """\
version: 1
authorities: {eo: {timeline: {2021-02-19: in-force, 2021-06-09: revoked}}}
apps: {a: {named_in: eo, endpoints: [a.example]}}
rules: [{id: law, apps: all, authority: in-force, action: block}]
tests:
  - {request: a.example, expect: log}
  - {request: a.example, at: 2021-03-01, expect: block}
"""
MORE = "version: 1\ntests:\n  - {request: a.example, client: 10.0.0.1, expect: block, rule: law}\n"


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"policy.yaml": POLICY, "more.yaml": MORE, "empty.yaml": "version: 1\n"})


def run(*arguments: str, policy: str = "policy.yaml") -> Result:
    return CliRunner().invoke(main, ["test", "--policy", policy, *arguments])


CASES = {  # case: (arguments, exit code, output)
    "all pass": (["--at", "2020-01-01"], 0, "2 tests passed\n"),
    "one fails at another date": (
        ["--at", "2021-03-01"],
        1,
        "FAILED policy.yaml:6:5: tests[0]: a.example\n    expect: expected log, got block\n    decided by rule law\n"
        "1 failed, 1 passed\n",
    ),
    "a separate file": (
        ["more.yaml", "--at", "2020-01-01"],
        1,
        "FAILED more.yaml:3:5: tests[0]: a.example client=10.0.0.1\n    expect: expected block, got log\n"
        "    rule: expected law, got default\n1 failed, 2 passed\n",
    ),
    "each test": (
        ["-v", "--at", "2020-01-01"],
        0,
        "passed policy.yaml:6:5: tests[0]: a.example\npassed policy.yaml:7:5: tests[1]: a.example\n2 tests passed\n",
    ),
    "a separate file that is missing": (
        ["gone.yaml"], 2, "gone.yaml:1:1: missing-file: there is no such file\n1 error in 1 file\n",
    ),
    "a policy in place of a test file": (
        ["policy.yaml"],
        1,
        "policy.yaml:2:1: not-a-test-file authorities: 'authorities' does not belong into a test file, which holds"
        " version and tests; give a policy file by --policy\n"
        "policy.yaml:3:1: not-a-test-file apps: 'apps' does not belong into a test file, which holds version and"
        " tests; give a policy file by --policy\n"
        "policy.yaml:4:1: not-a-test-file rules: 'rules' does not belong into a test file, which holds version and"
        " tests; give a policy file by --policy\n3 errors in 1 file\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "output"), CASES.values(), ids=CASES)
def test_printed(arguments: list[str], code: int, output: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.output) == (code, output)


def test_no_tests() -> None:
    result = run(policy="empty.yaml")
    assert (result.exit_code, result.output) == (0, "there are no tests: add some under `tests:`\n")


def test_json() -> None:
    result = run("--json", "--at", "2021-03-01")
    assert result.exit_code == 1
    answer = json.loads(result.output)
    assert not answer["ok"]
    assert [(test["line"], test["passed"], test["mismatches"]) for test in answer["tests"]] == [
        (6, False, [{"key": "expect", "expected": "log", "got": "block"}]),
        (7, True, []),
    ]


def test_json_of_a_policy_that_does_not_load() -> None:
    result = run("--json", policy="gone.yaml")
    assert result.exit_code == 2
    assert json.loads(result.output)["errors"][0]["code"] == "missing-file"


def test_a_time_without_offset_is_a_usage_error() -> None:
    assert run("--at", "2021-03-01T00:00:00").exit_code == 2
