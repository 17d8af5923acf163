"""A policy's tests: which pass, what is told of those that fail, and which layers judge them."""

from contextlib import chdir
from pathlib import Path

import pytest

from embargo.policy.cases import cases_of, read_cases, run
from embargo.policy.problem import PolicyError
from policy_files import loaded, write
from sample import NOW

POLICY = """\
version: 1
settings: {mode: monitor, bound_by: [eo]}
authorities: {eo: {timeline: {2021-02-19: in-force, 2021-06-09: revoked}}}
apps:
  a: {named_in: eo, endpoints: [a.example, {host: h.example}, {user_agent: Client}, {url: u.example/x, role: web}]}
  b: {endpoints: [t.example]}
  c: {endpoints: [t.example]}
groups: {staff: {clients: 10.0.0.0/8, users: alice}}
rules:
  - {id: staff, apps: a, groups: staff, action: allow}
  - {id: law, apps: {named_in: eo}, authority: in-force, action: block}
  - {id: web, apps: a, roles: web, action: block}
"""
PASSED = {  # each holds
    "the verdict": "{request: www.a.example, expect: log}",
    "no owner": '{request: "https://b.example/", expect: pass}',
    "the rule": "{request: a.example, at: 2021-03-01, expect: block, rule: law}",
    "the default": "{request: a.example, rule: default}",
    "the app": "{request: a.example, app: a}",
    "one of apps that tie": "{request: t.example, app: c}",
    "the endpoint's text": "{request: www.a.example, endpoint: a.example}",
    "the endpoint with its kind": "{request: h.example, endpoint: 'host:h.example'}",
    "status on a legal demand": "{request: a.example, at: 2021-03-01, status: 451}",
    "status by the company's own policy": '{request: "https://u.example/x", status: 403}',
    "a refusal by other means than HTTP": "{request: a.example, at: 2021-03-01, surface: dns, status: null}",
    "no refusal": "{request: a.example, status: null}",
    "one surface": '{request: "https://u.example/x", surface: dns, expect: pass}',
    "a client": "{request: a.example, client: 10.1.2.3, expect: allow}",
    "a user": "{request: a.example, user: alice, expect: allow}",
    "a user agent": '{request: "http://x.example/", user_agent: Client/1, expect: log, app: a}',
    "a malformed host is refused": '{request: "https://a..b/", expect: block}',
}
FAILED = {  # case: (test, what is told)
    "the verdict": ("{request: a.example, expect: block}", "expect: expected block, got log; by rule default"),
    "the rule": ("{request: a.example, rule: law}", "rule: expected law, got default"),
    "an owner that is none": ("{request: b.example, app: a}", "app: expected a, got none"),
    "another app": ("{request: t.example, app: a}", "app: expected a, got b, c"),
    "the endpoint": ("{request: a.example, endpoint: h.example}", "endpoint: expected h.example, got domain:a.example"),
    "the status": ("{request: a.example, status: 451}", "status: expected 451, got none"),
    "a refusal that was not to be": (
        "{request: a.example, at: 2021-03-01, status: null}", "status: expected none, got 451",
    ),
    "all at once": (
        "{request: a.example, expect: block, rule: law, status: 451}",
        "expect: expected block, got log; rule: expected law, got default; status: expected 451, got none",
    ),
}  # fmt: skip


def explanations(directory: Path, *tests: str) -> list[str]:
    text = POLICY + "tests:\n" + "".join(f"  - {test}\n" for test in tests)
    found = loaded(directory, text)
    return [result.explanation for result in run(found, list(cases_of(found)), NOW)]


def test_passed(tmp_path: Path) -> None:
    told = explanations(tmp_path, *PASSED.values())
    assert {case: line for case, line in zip(PASSED, told, strict=True) if line} == {}


def test_failed(tmp_path: Path) -> None:
    told = explanations(tmp_path, *(test for test, _ in FAILED.values()))
    assert dict(zip(FAILED, told, strict=True)) == {case: line for case, (_, line) in FAILED.items()}


def test_a_failure_names_its_place(tmp_path: Path) -> None:
    found = loaded(tmp_path, POLICY + "tests:\n  - {request: a.example, expect: allow}\n")
    result = run(found, list(cases_of(found)), NOW)[0]
    assert str(result) == (
        "policy.yaml:14:5: failed-test tests[0]: a.example: expect: expected allow, got log; by rule default"
    )


def test_a_layers_tests_are_judged_without_the_layers_above(tmp_path: Path) -> None:
    below = "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: r, apps: a, action: block}]\n"
    above = "version: 1\napps: {a: {extend: true, endpoints: [b.example]}}\nrules: [{id: r, apps: a, action: log}]\n"
    tests = "tests: [{request: a.example, expect: %s}, {request: b.example, expect: %s}]\n"
    files = {"0.layer.yaml": below + tests % ("block", "pass"), "1.layer.yaml": above + tests % ("log", "log")}
    found = loaded(tmp_path, files)
    results = run(found, list(cases_of(found)), NOW)
    assert [result.case.file for result in results] == ["0.layer.yaml"] * 2 + ["1.layer.yaml"] * 2
    assert [result.explanation for result in results] == [""] * 4


def test_a_test_file_is_judged_on_the_whole_policy(tmp_path: Path) -> None:
    found = loaded(tmp_path, POLICY)
    write(tmp_path, {"more.yaml": "version: 1\ntests:\n  - {request: a.example, expect: log, app: a}\n"})
    with chdir(tmp_path):
        cases = read_cases([Path("more.yaml")], found)
    assert [result.explanation for result in run(found, cases, NOW)] == [""]
    assert (cases[0].file, cases[0].line, cases[0].column) == ("more.yaml", 3, 5)


MISTAKES = {  # case: (text, problem)
    "a policy": (
        "version: 1\nrules: []\n",
        "more.yaml:2:1: not-a-test-file rules: 'rules' does not belong into a test file, which holds version and tests;"
        " give a policy file by --policy",
    ),
    "an unknown app": (
        "version: 1\ntests: [{request: a.example, app: aa}]\n",
        "more.yaml:2:35: unknown-app tests[0].app: there is no app 'aa'; did you mean 'a'?",
    ),
    "an unknown key": (
        "version: 1\ntests: [{request: a.example, expect: log, clint: 10.0.0.1}]\n",
        "more.yaml:2:43: unknown-key tests[0].clint: unknown key 'clint', allowed are request, surface, client, user,"
        " at, user_agent, expect, app, rule, endpoint, status; did you mean 'client'?",
    ),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_a_test_file(tmp_path: Path, text: str, problem: str) -> None:
    found = loaded(tmp_path, POLICY)
    write(tmp_path, {"more.yaml": text})
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        read_cases([Path("more.yaml"), Path("gone.yaml")], found)
    assert list(map(str, refused.value.problems)) == ["gone.yaml:1:1: missing-file: there is no such file", problem]
