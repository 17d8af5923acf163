"""`embargo test`: a report like a test runner's."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.policy.mutation import Mutation, Mutations, Trial
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
TABLE = """\
version: 1
tests:
  - {name: by a user, request: a.example, user: alice, expect: log}
  - {request: b.example, expect: pass}
"""
GUARDS = """\
version: 1
tests:
  - {request: [a.example, x.a.example], expect: log, rule: default}
  - {request: [a.example, x.a.example], at: 2021-03-01, expect: block, record: full}
"""


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"policy.yaml": POLICY, "more.yaml": MORE, "empty.yaml": "version: 1\n", "guards.yaml": GUARDS}
    write(tmp_path, files | {"more/deep/table.yml": TABLE})


def run(*arguments: str, policy: str = "policy.yaml") -> Result:
    return CliRunner().invoke(main, ["test", "--policy", policy, *arguments])


CASES = {  # case: (arguments, exit code, output)
    "all pass": (["--at", "2020-01-01"], 0, "2 tests passed in 0.00 s\n"),
    "one fails at another date": (
        ["--at", "2021-03-01"],
        1,
        "FAILED policy.yaml:6:5: tests[0]: a.example\n            expected  got\n    expect  log       block\n"
        "    decided by rule law (policy.yaml:4), endpoint domain:a.example of a, at connect\n"
        "1 failed, 1 passed in 0.00 s\n",
    ),
    "a separate file": (
        ["more.yaml", "--at", "2020-01-01"],
        1,
        "FAILED more.yaml:3:5: tests[0]: a.example client=10.0.0.1\n            expected  got\n"
        "    expect  block     log\n    rule    law       default\n    endpoint domain:a.example of a, at connect\n"
        "1 failed, 2 passed in 0.00 s\n",
    ),
    "a directory": (["more", "--at", "2020-01-01"], 0, "4 tests passed in 0.00 s\n"),
    "each test": (
        ["-v", "--at", "2020-01-01"],
        0,
        "passed policy.yaml:6:5: tests[0]: a.example\npassed policy.yaml:7:5: tests[1]: a.example"
        " at=2021-03-01T00:00:00+00:00\n2 tests passed in 0.00 s\n",
    ),
    "those that a word is in": (
        ["-v", "-k", "POLICY.yaml:7", "more", "--at", "2020-01-01"],
        0,
        "passed policy.yaml:7:5: tests[1]: a.example at=2021-03-01T00:00:00+00:00\n"
        "1 test passed, 3 not selected in 0.00 s\n",
    ),
    "those of one name or another": (
        ["-k", "by a user", "--select", "law", "more", "--at", "2020-01-01"],
        0,
        "1 test passed, 3 not selected in 0.00 s\n",
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
    "coverage": (
        ["--at", "2020-01-01", "--coverage", "-v", "-k", "tests[0]"],
        0,
        "passed policy.yaml:6:5: tests[0]: a.example\n1 test passed, 1 not selected in 0.00 s\n"
        "rules: 0 of 1 touched, 0.0 %\n    untouched policy.yaml:4: rule law\n"
        "endpoints, excludes, store ids, lists: 1 of 1 touched, 100.0 %\n"
        "app  touched  of  share\na    1        1   100.0 %\n",
    ),
    "too little coverage": (
        ["--at", "2020-01-01", "--fail-under", "80", "--fail-under", "rules=100", "-k", "tests[0]"],
        1,
        "1 test passed, 1 not selected in 0.00 s\n"
        "rules: 0 of 1 touched, 0.0 %\n    untouched policy.yaml:4: rule law\n"
        "endpoints, excludes, store ids, lists: 1 of 1 touched, 100.0 %\n"
        "app  touched  of  share\na    1        1   100.0 %\nrules: 0.0 % touched, 100 % wanted\n",
    ),
    "enough coverage": (
        ["--at", "2020-01-01", "--fail-under", "100"],
        0,
        "2 tests passed in 0.00 s\nrules: 1 of 1 touched, 100.0 %\n"
        "endpoints, excludes, store ids, lists: 1 of 1 touched, 100.0 %\n"
        "app  touched  of  share\na    1        1   100.0 %\n",
    ),
    "mutations": (
        ["--at", "2020-01-01", "--mutate", "-v", "-k", "tests[1]"],
        1,
        "passed policy.yaml:7:5: tests[1]: a.example at=2021-03-01T00:00:00+00:00\n"
        "1 test passed, 1 not selected in 0.00 s\n"
        "noticed policy.yaml:4: rule law: removed, by policy.yaml:7:5: tests[1]\n"
        "noticed policy.yaml:4: rule law: action: log, by policy.yaml:7:5: tests[1]\n"
        "SURVIVED policy.yaml:4: rule law: authority dropped\n"
        "    no test notices: expect block, rule law, status 403, respond page. This one would, in policy.yaml:\n"
        "    - {request: a.example, expect: log, rule: default, status: null, respond: null}\n"
        "SURVIVED policy.yaml:4: rule law: record: anonymous\n"
        "    no test notices: record anonymous. This one would, in policy.yaml:\n"
        "    - {request: a.example, at: 2021-02-19, expect: block, record: full}\n"
        "noticed policy.yaml:4: rule law: shadow: true, by policy.yaml:7:5: tests[1]\n"
        "SURVIVED policy.yaml:1: settings.default: block\n"
        "    no test notices: expect block, status 403, respond page. This one would, in policy.yaml:\n"
        "    - {request: a.example, expect: log, status: null, respond: null}\n"
        "6 mutations: 3 noticed, 3 survived in 0.00 s\n",
    ),
    "mutations of endpoints": (
        ["--at", "2020-01-01", "--mutate", "--endpoints", "--app", "a", "guards.yaml"],
        0,
        "6 tests passed in 0.00 s\n7 mutations: 7 noticed, 0 survived in 0.00 s\n",
    ),
    "no mutations where tests fail": (
        ["--at", "2021-03-01", "--mutate", "-k", "tests[0]"],
        1,
        "FAILED policy.yaml:6:5: tests[0]: a.example\n            expected  got\n    expect  log       block\n"
        "    decided by rule law (policy.yaml:4), endpoint domain:a.example of a, at connect\n"
        "1 failed, 0 passed, 1 not selected in 0.00 s\nno mutations were tried: they need tests that pass\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "output"), CASES.values(), ids=CASES)
def test_printed(arguments: list[str], code: int, output: str) -> None:
    result = run(*arguments)
    assert (re.sub(r"in [0-9.]+ s$", "in 0.00 s", result.output, flags=re.MULTILINE), result.exit_code) == (
        output,
        code,
    )


USAGE = {  # case: (arguments, what is told)
    "no test has the word": (["-k", "zzz"], "no test of 2 has 'zzz' in it"),
    "endpoints without mutations": (["--endpoints"], "--endpoints goes with --mutate"),
    "an app that does not exist": (["--coverage", "--app", "b"], "--app: there is no app 'b'"),
    "a threshold that is none": (["--fail-under", "rule=5"], "'rule=5' is none of N, rules=N and endpoints=N"),
    "more than all": (["--fail-under", "101"], "'101' is none of N"),
    "no number": (["--fail-under", "nan"], "'nan' is none of N"),
    "a report that cannot be written": (["--junit", "gone/report.xml"], "--junit: gone/report.xml: No such file or"),
}


@pytest.mark.parametrize(("arguments", "told"), USAGE.values(), ids=USAGE)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output


def test_a_junit_report_tells_why_nothing_ran() -> None:
    assert run("--junit", "report.xml", policy="gone.yaml").exit_code == 2
    assert 'type="missing-file"' in Path("report.xml").read_text(encoding="utf-8")


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
    assert answer["tests"][1]["given"] == {"at": "2021-03-01T00:00:00+00:00"}
    assert answer["tests"][1]["expected"] == {"expect": "block"}
    assert "coverage" not in answer and "mutations" not in answer


def test_json_of_coverage() -> None:
    answer = json.loads(run("--json", "--at", "2020-01-01", "--coverage", "-k", "tests[0]").output)
    assert answer["coverage"] == {
        "rules": {
            "touched": 0,
            "of": 1,
            "percent": 0.0,
            "tests": {"law": 0},
            "untouched": [{"id": "law", "file": "policy.yaml", "line": 4}],
        },
        "endpoints": {
            "touched": 1,
            "of": 1,
            "percent": 100.0,
            "apps": [{"app": "a", "touched": 1, "of": 1, "percent": 100.0, "untouched": []}],
        },
    }


def test_json_of_mutations() -> None:
    result = run("--json", "--at", "2020-01-01", "--mutate")
    answer = json.loads(result.output)
    assert result.exit_code == 1 and not answer["ok"]
    told = {mutation["change"]: mutation for mutation in answer["mutations"]}
    assert told["removed"] == {
        "what": "rule law", "change": "removed", "file": "policy.yaml", "line": 4, "outcome": "noticed",
        "by": {"file": "policy.yaml", "line": 7, "path": "tests[1]"},
        "add": None, "becomes": None, "tried": 0, "whole": True,
    }  # fmt: skip
    assert told["record: anonymous"]["outcome"] == "survived"
    assert told["record: anonymous"]["add"] == {
        "request": "a.example", "at": "2021-02-19", "expect": "block", "record": "full",
    }  # fmt: skip
    assert told["record: anonymous"]["becomes"] == {"expect": "block", "record": "anonymous"}


def test_an_interrupt_keeps_what_mutations_have_found(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, tried = Mutations.attempt, []

    def interrupted(self: Mutations, mutation: Mutation) -> Trial:
        if len(tried) == 2:
            raise KeyboardInterrupt
        tried.append(mutation)
        return attempt(self, mutation)

    monkeypatch.setattr(Mutations, "attempt", interrupted)
    result = run("--at", "2020-01-01", "--mutate", "-k", "tests[1]")
    assert "interrupted: 2 of 6 mutations tried\n" in result.output
    assert re.search(r"^2 mutations: 2 noticed, 0 survived", result.output, re.MULTILINE)
    assert result.exit_code == 1


def test_control_characters_in_names_of_files_and_tests_do_not_reach_the_terminal() -> None:
    Path("more/\x1b[31m.yaml").write_text('version: 1\ntests: [{name: "\\e[1m", request: a.example, expect: pass}]\n')
    try:
        for option in ("-v", "--coverage"):
            assert "\x1b" not in run(option, "more").output
    finally:
        Path("more/\x1b[31m.yaml").unlink()


def test_json_of_a_policy_that_does_not_load() -> None:
    result = run("--json", policy="gone.yaml")
    assert result.exit_code == 2
    assert json.loads(result.output)["errors"][0]["code"] == "missing-file"


def test_a_time_without_offset_is_a_usage_error() -> None:
    assert run("--at", "2021-03-01T00:00:00").exit_code == 2
