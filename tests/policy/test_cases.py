"""A policy's tests: which pass, what is told of those that fail, and which layers judge them."""

from contextlib import chdir
from pathlib import Path

import pytest

from embargo.policy import cases as cases_module
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
groups: {staff: {clients: 10.0.0.0/8, users: alice}, empty: {users: []}}
rules:
  - {id: staff, apps: a, groups: staff, action: allow}
  - {id: law, apps: {named_in: eo}, authority: in-force, action: block}
  - {id: web, apps: a, roles: web, action: block}
  - {id: quiet, apps: a, hosts: [{host: h.example}], action: log, record: anonymous}
  - {id: trial, apps: [b, c], action: block, shadow: true}
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
    "a member of a group, by its clients": "{request: a.example, group: staff, expect: allow, rule: staff}",
    "how a refusal looks": '{request: "https://u.example/x", respond: page}',
    "how it looks where no answer fits": "{request: a.example, at: 2021-03-01, surface: tls, respond: reset}",
    "how it looks in DNS": "{request: a.example, at: 2021-03-01, surface: dns, respond: nxdomain}",
    "no refusal to look like anything": "{request: a.example, respond: null}",
    "how it is recorded": "{request: a.example, record: full}",
    "anonymously": "{request: h.example, record: anonymous, rule: quiet}",
    "not recorded": "{request: b.example, record: null}",
    "what a shadow rule would do": "{request: t.example, expect: log, would: block}",
    "no shadow rule": "{request: a.example, would: null}",
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
    "how a refusal looks": (
        "{request: a.example, at: 2021-03-01, surface: dns, respond: page}", "respond: expected page, got nxdomain",
    ),
    "how it is recorded": ("{request: a.example, record: anonymous}", "record: expected anonymous, got full"),
    "what a shadow rule would do": ("{request: t.example, would: null}", "would: expected none, got block"),
    "a group without members": (
        "{request: a.example, group: empty, expect: log}", "group: expected a member of empty, got none",
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
        "policy.yaml:16:5: failed-test tests[0]: a.example: expect: expected allow, got log; by rule default"
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
        "more.yaml:2:43: unknown-key tests[0].clint: unknown key 'clint', allowed are name, request, surface, client,"
        " user, group, at, user_agent, expect, app, rule, endpoint, status, would, respond, record, cases; did you mean"
        " 'client'?",
    ),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_in_a_test_file(tmp_path: Path, text: str, problem: str) -> None:
    found = loaded(tmp_path, POLICY)
    write(tmp_path, {"more.yaml": text})
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        read_cases([Path("more.yaml"), Path("gone.yaml")], found)
    assert list(map(str, refused.value.problems)) == ["gone.yaml:1:1: missing-file: there is no such file", problem]


TABLE = """\
version: 1
tests:
  - request: [a.example, h.example]
    rule: default
  - name: evenings
    request: t.example
    client: 10.0.0.1
    cases:
      - {name: by one, user: alice, expect: log}
      - {request: [a.example, b.example],
         client: 192.0.2.1, app: a}
      - {at: 2021-03-01, expect: pass}
"""


def test_a_table_is_as_many_tests(tmp_path: Path) -> None:
    found = loaded(tmp_path, POLICY)
    write(tmp_path, {"more.yaml": TABLE})
    with chdir(tmp_path):
        cases = read_cases([Path("more.yaml")], found)
    assert [(case.place, case.path, case.form.name, case.request, case.givens) for case in cases] == [
        ("more.yaml:3:15", "tests[0].request[0]", None, "a.example", {}),
        ("more.yaml:3:26", "tests[0].request[1]", None, "h.example", {}),
        (
            "more.yaml:9:9", "tests[1].cases[0]", "evenings: by one", "t.example",
            {"client": "10.0.0.1", "user": "alice"},
        ),
        ("more.yaml:10:20", "tests[1].cases[1].request[0]", "evenings", "a.example", {"client": "192.0.2.1"}),
        ("more.yaml:10:31", "tests[1].cases[1].request[1]", "evenings", "b.example", {"client": "192.0.2.1"}),
        (
            "more.yaml:12:9", "tests[1].cases[2]", "evenings", "t.example",
            {"client": "10.0.0.1", "at": "2021-03-01T00:00:00+00:00"},
        ),
    ]  # fmt: skip
    assert [result.explanation for result in run(found, cases, NOW)] == [
        "",
        "rule: expected default, got quiet",
        "",
        "",
        "app: expected a, got none",
        "expect: expected pass, got log; by rule default",
    ]


TABLE_MISTAKES = {  # case: (tests, problems)
    "a row without a request": (
        "[{expect: block, cases: [{app: a}]}]",
        ["more.yaml:2:33: missing-key tests[0].cases[0].request: 'request' is missing"],
    ),
    "a row that expects nothing": (
        "[{request: a.example, cases: [{app: a}, {user: bob}]}]",
        ["more.yaml:2:48: missing-key tests[0].cases[1]: the test expects nothing;"
         " add expect: block, log, allow or pass"],
    ),
    "no rows": (
        "[{request: a.example, cases: []}]",
        ["more.yaml:2:37: empty-list tests[0].cases: found an empty list, which nothing satisfies; leave the key out"],
    ),
    "rows of rows": (
        "[{request: a.example, cases: [{expect: log, cases: [{expect: log}]}]}]",
        [
            "more.yaml:2:52: unknown-key tests[0].cases[0].cases: unknown key 'cases', allowed are name, request,"
            " surface, client, user, group, at, user_agent, expect, app, rule, endpoint, status, would, respond, record"
        ],
    ),
    "an unknown group in a row": (
        "[{request: a.example, expect: log, cases: [{group: staf}]}]",
        ["more.yaml:2:59: unknown-group tests[0].cases[0].group: there is no group 'staf'; did you mean 'staff'?"],
    ),
    "a group and a client": (
        "[{request: a.example, client: 10.0.0.1, expect: log, cases: [{group: staff}]}]",
        [
            "more.yaml:2:77: conflicting-keys tests[0].cases[0].group: group and client exclude each other;"
            " leave `client` out: a member of the group is chosen"
        ],
    ),
    "more tests than a reload can run": (
        f"[{{request: [{', '.join(['a.example'] * 101)}], expect: log, cases: [{', '.join(['{user: u}'] * 100)}]}}]",
        [
            "more.yaml:2:1152: too-many-tests tests[0].cases: the table stands for 10100 tests, 10000 are allowed;"
            " make it several tables"
        ],
    ),
    "more tests in one file than a reload can run": (
        ", ".join(
            [f"{{request: [{', '.join(['a.example'] * 100)}], expect: log, cases: [{', '.join(['{user: u}'] * 100)}]}}"]
            * 11
        ).join("[]"),
        [
            "more.yaml:2:8: too-many-tests tests: the tests of the file are 110000, 100000 are allowed;"
            " make it several files"
        ],
    ),
    "null where it means nothing": (
        "[{request: a.example, cases: [{expect: null, status: null}]}]",
        [
            "more.yaml:2:47: wrong-type tests[0].cases[0].expect: found nothing, expected a value;"
            " fill it in, or leave the key out"
        ],
    ),
    "a misspelt expectation, told once": (
        "[{request: a.example, expct: block}]",
        [
            "more.yaml:2:30: unknown-key tests[0].expct: unknown key 'expct', allowed are name, request, surface,"
            " client, user, group, at, user_agent, expect, app, rule, endpoint, status, would, respond, record, cases;"
            " did you mean 'expect'?"
        ],
    ),
    "a status that JSON takes for 403": (
        "[{request: a.example, status: 403.0}]",
        ["more.yaml:2:38: wrong-status tests[0].status: found 403.0, allowed are 403, 451 and null (no refusal)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tests", "problems"), TABLE_MISTAKES.values(), ids=TABLE_MISTAKES)
def test_mistakes_in_a_table(tmp_path: Path, tests: str, problems: list[str]) -> None:
    found = loaded(tmp_path, POLICY)
    write(tmp_path, {"more.yaml": f"version: 1\ntests: {tests}\n"})
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        read_cases([Path("more.yaml")], found)
    assert list(map(str, refused.value.problems)) == problems


def test_what_is_refused_is_not_made_into_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of a few kilobytes may stand for more tests than memory holds."""
    found = loaded(tmp_path, POLICY)
    requests, rows = ", ".join(["a.example"] * 101), ", ".join(["{user: u}"] * 100)
    tests = f"[{{request: [{requests}], expect: log, cases: [{rows}]}}]"
    write(tmp_path, {"more.yaml": f"version: 1\ntests: {tests}\n"})
    monkeypatch.setattr(cases_module, "Case", None)
    with chdir(tmp_path), pytest.raises(PolicyError):
        read_cases([Path("more.yaml")], found)
