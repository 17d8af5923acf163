"""Which edits tests notice: those of the shipped policies all; and of what survives, the test that would have."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.cli.mutants import flow, trial_object
from embargo.policy.cases import cases_of, run
from embargo.policy.load import Loaded, load
from embargo.policy.mutation import Mutations, Outcome, Trial
from policy_files import Files, loaded
from sample import NOW

ROOT = Path(__file__).parents[2]
SHIPPED = {name: name for name in ("domains.yaml", "follow-the-law.yaml")}
WITHOUT_EFFECT = {  # of the shipped policies, what nobody could notice: (rule, change)
    # they replace the bans of domains.yaml, which would stand behind the rules that decide for the same apps
    ("rule banned-apps", "removed"),
    ("rule banned-apps", "enabled: true"),
    ("rule stayed-orders", "removed"),
    ("rule stayed-orders", "enabled: true"),
    # orders that never were in force, or name no app that the others do not
    ("rule law-in-force", "apps without named_in eo-13942"),
    ("rule law-in-force", "apps without named_in eo-13943"),
    ("rule no-law-in-force", "apps without named_in eo-13942"),
    ("rule no-law-in-force", "apps without named_in pafaca"),
    # every app is named by a rule
    ("settings.default", "block"),
}


def trials(found: Loaded, now: datetime, *, entries: bool = False) -> list[Trial]:
    results = run(found, list(cases_of(found)), now)
    assert [str(result) for result in results if not result.passed] == []
    known = Mutations(found, results, now)
    return list(map(known.attempt, known.of_entries() if entries else known.of_rules()))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_edit_of_the_shipped_rules_is_noticed(name: str) -> None:
    found = trials(load([ROOT / name]), datetime.now(UTC))
    assert [str(trial.mutation) for trial in found if trial.outcome is Outcome.SURVIVED] == []
    for trial in found:
        edit = (trial.mutation.what, trial.mutation.change)
        if trial.outcome is Outcome.NO_EFFECT:
            layered = name == "follow-the-law.yaml" and trial.mutation.file.endswith("domains.yaml")
            assert edit in WITHOUT_EFFECT or layered
            assert trial.whole, "it was looked for among all there are"


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_rule_that_is_on_is_missed(name: str) -> None:
    policy = load([ROOT / name])
    found = trials(policy, datetime.now(UTC))
    noticed = {
        (trial.mutation.file, trial.mutation.rule)
        for trial in found
        if trial.mutation.change == "removed" and trial.outcome is Outcome.NOTICED
    }
    rules = {
        (layer.name, rule.id) for layer in policy.layers if layer.form for rule in layer.form.rules if rule.enabled
    }
    assert len(rules) >= 4
    assert noticed == rules


POLICY = """\
version: 1
settings: {default: allow}
authorities: {eo: {timeline: {2021-02-19: in-force, 2021-06-09: revoked}}}
apps:
  a: {named_in: eo, endpoints: [a.example, {domain: s.example, shared: true}, {host: h.example, role: cdn}]}
  b: {endpoints: [b.example], exclude: [x.b.example]}
groups: {lab: {clients: 10.20.0.0/16, users: [alice]}, staff: {clients: 10.0.0.0/8}}
rules:
"""
EDITS = {  # case: (rules, tests, (what, change) by outcome of those that a test does not notice, and what to add)
    "a rule that nothing tests": (
        "{id: r, apps: a, action: block}", "[]",
        {
            "removed": "{request: a.example, expect: block, rule: r, status: 403, respond: page}",
            "action: log": "{request: a.example, expect: block, status: 403, respond: page}",
            "record: anonymous": "{request: a.example, expect: block, record: full}",
            "shadow: true": "{request: a.example, expect: block, rule: r, status: 403, would: null, respond: page}",
            "block": "{request: b.example, expect: allow, status: null, respond: null}",
        },
    ),
    "a rule that its tests hold": (
        "{id: r, apps: a, action: block}",
        "[{request: a.example, rule: r, expect: block, record: full}, {request: b.example, expect: allow}]",
        {},
    ),
    "a rule for members of a group, until a day": (
        "{id: r, apps: a, groups: lab, until: 2027-01-01, action: log, record: anonymous}",
        "[{request: a.example, group: lab, rule: r, expect: log, record: anonymous},"
        " {request: b.example, expect: allow}]",
        {
            "groups dropped": "{request: a.example, expect: allow, rule: default, record: full}",
            "until dropped": "{request: a.example, client: 10.20.0.0, at: 2027-01-01, expect: allow, rule: default,"
            " record: full}",
        },
    ),
    "all but a group": (
        "{id: r, apps: a, not_groups: lab, action: block}",
        "[{request: a.example, client: 192.0.2.1, user: bob, expect: block, record: full},"
        " {request: b.example, expect: allow}]",
        {
            "not_groups dropped": "{request: a.example, expect: allow, rule: default, status: null, respond: null}",
        },
    ),
    "a schedule": (
        '{id: r, apps: a, schedule: {hours: "08:00-18:00"}, action: block}',
        "[{request: a.example, at: '2026-11-24T12:00:00Z', expect: block, record: full},"
        " {request: b.example, expect: allow}]",
        {
            "schedule dropped": '{request: a.example, at: "2026-11-23T18:00:00Z", expect: allow, rule: default,'
            " status: null, respond: null}",
        },
    ),
    "what the law says on another day": (
        "{id: r, apps: {named_in: eo}, authority: in-force, action: block}",
        "[{request: a.example, at: 2021-03-01, expect: block, record: full}, {request: b.example, expect: allow}]",
        {
            "authority dropped": "{request: a.example, expect: allow, rule: default, status: null, respond: null}",
        },
    ),
    "a rule that is never asked": (
        "{id: r, apps: a, action: block}\n  - {id: late, apps: a, action: log}",
        "[{request: a.example, rule: r, expect: block, record: full}, {request: b.example, expect: allow}]",
        {
            "removed": None, "action: block": None, "record: anonymous": None, "shadow: true": None,
        },
    ),
    "a rule that is off": (
        "{id: r, apps: a, action: block, enabled: false}", "[{request: b.example, expect: allow}]",
        {
            "removed": None,
            "enabled: true": "{request: a.example, expect: allow, rule: default, status: null, respond: null}",
        },
    ),
    "criteria of the endpoint and the surface": (
        "{id: r, apps: a, roles: cdn, surfaces: [dns], hosts: [h.example], respond: refused, action: block}",
        "[{request: h.example, surface: dns, expect: block, record: full}, {request: b.example, expect: allow}]",
        {
            "hosts dropped": None,
            "roles dropped": None,
            "surfaces dropped": "{request: h.example, expect: allow, rule: default, status: null, respond: null}",
            "respond dropped": "{request: h.example, surface: dns, expect: block, respond: refused}",
        },
    ),
    "one app of two": (
        "{id: r, apps: [a, b], action: block}", "[{request: a.example, expect: block, record: full}]",
        {
            "apps without b": "{request: b.example, expect: block, rule: r, status: 403, respond: page}",
            "block": None,
        },
    ),
}  # fmt: skip


def unnoticed(found: list[Trial]) -> dict[str, str | None]:
    """What no test notices, by the edit: the test to add, or None where it has no effect."""
    told = {}
    for trial in found:
        if trial.outcome is not Outcome.NOTICED:
            add = trial_object(trial)["add"]
            told[trial.mutation.change] = flow(add) if add is not None else None
    return told


@pytest.mark.parametrize(("rules", "tests", "expected"), EDITS.values(), ids=EDITS)
def test_what_no_test_notices(tmp_path: Path, rules: str, tests: str, expected: dict[str, str | None]) -> None:
    found = trials(loaded(tmp_path, f"{POLICY}  - {rules}\ntests: {tests}\n"), NOW)
    assert unnoticed(found) == expected


def test_the_test_to_add_does_notice(tmp_path: Path) -> None:
    for number, (rules, tests, expected) in enumerate(EDITS.values()):
        added = "".join(f", {line}" for line in dict.fromkeys(expected.values()) if line)
        joined = (tests.removesuffix("]") + added + "]").replace("[, ", "[")
        found = loaded(tmp_path / str(number), f"{POLICY}  - {rules}\ntests: {joined}\n")
        left = unnoticed(trials(found, NOW))
        assert {change for change, add in left.items() if add} == set()


def test_a_rule_of_a_lower_layer_is_back_where_one_that_replaces_it_goes(tmp_path: Path) -> None:
    below = "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: r, apps: a, action: block}]\n"
    above = "version: 1\nrules: [{id: r, apps: a, action: block, enabled: false}]\n"
    found = trials(loaded(tmp_path, {"0.layer.yaml": below, "1.layer.yaml": above}), NOW)
    told = {(trial.mutation.file, trial.mutation.change): trial.outcome.value for trial in found}
    assert told["1.layer.yaml", "removed"] == "survived"
    assert told["0.layer.yaml", "removed"] == "no-effect"  # the layer above replaces it, and no test asks below


def test_a_final_rule_of_a_lower_layer(tmp_path: Path) -> None:
    below = "version: 1\napps: {a: {endpoints: [a.example]}}\nrules: [{id: f, apps: a, action: block, final: true}]\n"
    above = "version: 1\nrules: [{id: r, apps: a, action: log}]\n"
    found = trials(loaded(tmp_path, {"0.layer.yaml": below, "1.layer.yaml": above}), NOW)
    told = {(trial.mutation.rule, trial.mutation.change): trial.outcome.value for trial in found}
    assert told["f", "final: false"] == "survived"
    assert told["r", "removed"] == "no-effect"


def test_exceptions_are_left_out(tmp_path: Path) -> None:
    files: Files = {
        "policy.yaml": "version: 1\napps: {a: {endpoints: [a.example]}}\n",
        "exceptions.yaml": "version: 1\nrules: [{id: e, apps: a, action: log, until: 2027-01-01, reason: r}]\n",
    }
    assert [trial.mutation.what for trial in trials(loaded(tmp_path, files), NOW)] == ["settings.default"]


ENTRIES = """\
version: 1
apps:
  a:
    endpoints: [a.example, {host: w.a.example}, {host: h.example, role: web}, {cidr: 203.0.113.0/24, protocol: udp},
      {user_agent: Client}, {url: u.example/p/*}, {domain: t.example, shadow: true}]
    exclude: [x.a.example, y.example]
    endpoints_from: [a.txt]
    stores: {apple: 123}
rules: [{id: r, apps: a, action: block}]
tests:
  - {request: [a.example, "https://u.example/p/1", m.example], expect: block}
"""


def test_entries(tmp_path: Path) -> None:
    found = loaded(tmp_path, {"policy.yaml": ENTRIES, "a.txt": "l.example\nm.example\n"})
    told = {trial.mutation.what: trial.outcome.value for trial in trials(found, NOW, entries=True)}
    assert told == {
        "a domain:a.example": "noticed",
        "a host:w.a.example": "no-effect",  # the domain above covers it
        "a host:h.example": "survived",
        "a cidr:203.0.113.0/24": "survived",
        "a user_agent:Client": "survived",
        "a url:u.example/p/*": "noticed",
        "a domain:t.example": "survived",  # on trial: it would no longer be noted
        "a domain:x.a.example": "survived",
        "a domain:y.example": "no-effect",  # it takes nothing out
        "a a.txt": "noticed",
        "a apple:123": "survived",
    }


def test_entries_of_some_apps(tmp_path: Path) -> None:
    found = loaded(tmp_path, "version: 1\napps: {a: {endpoints: [a.example]}, b: {endpoints: [b.example]}}\n")
    assert [each.what for each in Mutations(found, [], NOW).of_entries(["b"])] == ["b domain:b.example"]
