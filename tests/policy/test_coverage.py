"""What tests touch of a policy: rules by the test they decide, entries by the name they own or take out."""

from pathlib import Path

from embargo.policy.cases import cases_of, run
from embargo.policy.coverage import Coverage, Share, coverage
from policy_files import Files, loaded
from sample import NOW

POLICY = """\
version: 1
apps:
  a:
    endpoints: [a.example, {host: h.example}, {url: u.example/x, role: web}, {user_agent: Client}]
    exclude: [x.a.example, y.a.example]
    endpoints_from: [a.txt]
    stores: {apple: 123}
  b: {endpoints: [a.example, b.example]}
rules:
  - {id: trial, apps: a, roles: web, action: block, shadow: true}
  - {id: banned, apps: a, action: block}
  - {id: late, apps: a, action: log}
  - {id: off, apps: a, action: log, enabled: false}
  - {id: b, apps: b, action: log}
tests:
"""


def covered(directory: Path, *tests: str, files: Files | None = None, apps: tuple[str, ...] = ()) -> Coverage:
    text = POLICY + "".join(f"  - {test}\n" for test in tests)
    found = loaded(directory, files or {"policy.yaml": text, "a.txt": "l.example\nm.example\n"})
    return coverage(found, run(found, list(cases_of(found)), NOW), apps)


def touched(found: Coverage) -> tuple[list[str], list[str]]:
    rules = [rule.id for rule, count in found.rules if count]
    return rules, [f"{entry.app} {entry.text}" for entry, count in found.entries if count]


TOUCHED = {  # request: (rules, entries)
    "{request: www.a.example, expect: block}": (["banned"], ["a domain:a.example"]),
    "{request: h.example, expect: block}": (["banned"], ["a host:h.example"]),
    "{request: x.a.example, expect: log}": (["b"], ["a domain:x.a.example", "b domain:a.example"]),
    '{request: "https://u.example/x", expect: block}': (["trial", "banned"], ["a url:u.example/x"]),
    '{request: "http://o.example/", user_agent: Client/1, expect: block}': (["banned"], ["a user_agent:Client"]),
    "{request: m.example, expect: block}": (["banned"], ["a a.txt"]),
    '{request: "https://apps.apple.com/us/app/a/id123", expect: block}': (["banned"], ["a apple:123"]),
    "{request: b.example, expect: log}": (["b"], ["b domain:b.example"]),
    "{request: o.example, expect: pass}": ([], []),
}


def test_touched(tmp_path: Path) -> None:
    assert {test: touched(covered(tmp_path, test)) for test in TOUCHED} == TOUCHED


def test_shares(tmp_path: Path) -> None:
    found = covered(tmp_path, "{request: www.a.example, expect: block}", "{request: b.example, expect: log}")
    assert [rule.id for rule in found.untouched_rules] == ["trial", "late"]
    assert found.share_of_rules == Share(2, 4)
    assert found.shares_by_app == {"a": Share(1, 8), "b": Share(1, 2)}
    assert found.share_of_entries == Share(2, 10)
    assert found.share_of_entries.percent == 20.0
    assert Share(0, 0).percent == 100.0


def test_of_some_apps(tmp_path: Path) -> None:
    found = covered(tmp_path, "{request: b.example, expect: log}", apps=("b",))
    assert found.shares_by_app == {"b": Share(1, 2)}


def test_a_lower_layers_tests_count_and_exceptions_do_not(tmp_path: Path) -> None:
    below = "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: r, apps: a, action: block}]\n"
    tests = "tests: [{request: a.example, expect: block}]\n"
    files = {
        "0.layer.yaml": below + tests,
        "1.layer.yaml": "version: 1\nrules: [{id: s, apps: a, users: alice, action: log}]\n",
        "exceptions.yaml": "version: 1\nrules: [{id: e, apps: a, action: log, until: 2027-01-01, reason: r}]\n",
    }
    found = covered(tmp_path, files=files)
    assert [(rule.id, count) for rule, count in found.rules] == [("s", 0), ("r", 1)]


def test_an_endpoint_on_trial_is_touched(tmp_path: Path) -> None:
    text = """\
version: 1
apps: {a: {endpoints: [{domain: t.example, shadow: true}]}}
rules: [{id: r, apps: a, action: block}]
tests: [{request: t.example, expect: log, would: block}]
"""
    assert touched(covered(tmp_path, files=text))[1] == ["a domain:t.example"]
