# ruff: noqa: E501 - a case a line
"""What must agree across a policy's files: the exact message for each disagreement."""

from pathlib import Path

from policy_files import Files, golden, problems

APPS = "apps: {alipay: {endpoints: [alipay.example], vendor: Ant Group}, tiktok: {endpoints: [tiktok.example]}}\n"
BASE = f"version: 1\n{APPS}rules:\n  - {{id: closed, apps: all, action: block, final: true}}\n  - {{id: open, apps: all, action: log}}\n"


def one(text: str) -> str:
    return f"version: 1\n{APPS}{text}"


MISTAKES: dict[str, Files] = {
    "an unknown app": one("rules: [{id: a, apps: [alipya], action: log}]\n"),
    "an unknown app, alone": one("rules: [{id: a, apps: alipya, action: log}]\n"),
    "an unknown authority of an app": one("").replace("vendor", "named_in: eo-13971, vendor"),
    "an unknown authority of a rule": one("authorities: {eo-13971: {}}\nrules: [{id: a, apps: {named_in: [eo-13917]}, action: log}]\n"),
    "an unknown authority that binds": one("authorities: {eo-13971: {}}\nsettings: {bound_by: [eo]}\n"),
    "a vendor that no app has": one("rules: [{id: a, apps: {vendor: Ant}, action: log}]\n"),
    "an unknown group": one("groups: {research: {users: alice}}\nrules: [{id: a, apps: all, action: log, groups: reserch, not_groups: [staff]}]\n"),
    "two rules of one id": one("rules:\n  - {id: a, apps: all, action: log}\n  - {id: a, apps: all, action: block}\n"),
    "an end before the beginning": one("rules: [{id: a, apps: all, action: log, from: 2027-01-01, until: 2026-01-01}]\n"),
    "an end at the beginning": one("rules: [{id: a, apps: all, action: log, from: 2027-01-01, until: 2027-01-01T00:00:00Z}]\n"),
    "one instant twice": one("authorities: {a: {timeline: {2021-01-01: issued, 2021-01-01T00:00:00Z: stayed}}}\n"),
    "an app without endpoints": "version: 1\napps: {a: {name: A}}\n",
    "an app to extend that is not there": one("").replace("{endpoints: [tiktok", "{extend: true, endpoints: [tiktok"),
    "an app to extend that is misspelt": {"a.layer.yaml": BASE, "b.layer.yaml": "version: 1\napps: {alipya: {extend: true, endpoints: [x.example]}}\n"},
    "a name that is extended": {"a.layer.yaml": BASE, "b.layer.yaml": "version: 1\napps: {alipay: {extend: true, name: A, vendor: B}}\n"},
    "an app that may have meant to extend": {"a.layer.yaml": BASE, "b.layer.yaml": "version: 1\napps: {alipay: {exclude: [x.example]}}\n"},
    "a final rule redefined": {"a.layer.yaml": BASE, "b.layer.yaml": "version: 1\nrules: [{id: closed, apps: all, action: allow}]\n"},
    "a test's unknown app and rule": one("tests: [{request: x.example, app: alipya, rule: bannd}]\nrules: [{id: banned, apps: all, action: block}]\n"),
    "two texts of one language": one("rules: [{id: a, apps: all, action: block, message: {de: Nein, DE: Nein, en: No}}]\n"),
    "a text in no language": one("rules: [{id: a, apps: all, action: block, message: {german: Nein}}]\n"),
    "references beside fields that fail": one("rules: [{id: a, apps: alipya, action: blok, groups: nobody}]\n"),
    "an exception without reason and end": {"policy.yaml": one(""), "exceptions.yaml": "version: 1\nrules:\n  - {id: a, apps: tiktok, action: log, respond: page}\n  - {id: b, apps: tiktok, action: block}\n"},
    "an exception that would replace a rule": {"policy.yaml": one("rules: [{id: ban, apps: tiktok, action: block}]\n"), "exceptions.yaml": "version: 1\nrules: [{id: ban, apps: tiktok, users: a, action: log, reason: r, until: 2027-01-01}]\n"},
    "exceptions that are more than rules": {"policy.yaml": one("authorities: {eo: {}}\nsettings: {bound_by: eo}\n"), "more.yaml": "version: 1\n", "exceptions.yaml": "version: 1\nreleased: 2026-01-01\ninclude: [more.yaml]\nsettings: {bound_by: []}\nauthorities: {eo: {}}\napps: {alipay: {endpoints: [x.example]}}\nrules_position: after\nrules: []\ntests: [{request: alipay.example, expect: log}]\n"},
    "exceptions that redefine a group": {"policy.yaml": one("groups: {lab: {users: alice}}\n"), "exceptions.yaml": "version: 1\ngroups: {lab: {clients: 0.0.0.0/0}}\nrules: [{id: a, apps: tiktok, groups: lab, action: log, reason: r, until: 2027-01-01}]\n"},
    "exceptions that say who a rule of the policy means": {"policy.yaml": one("rules: [{id: a, apps: tiktok, not_groups: [lab], action: block}]\n"), "exceptions.yaml": "version: 1\ngroups: {lab: {clients: 0.0.0.0/0}}\n"},
    "a basis that is none": {"policy.yaml": one(""), "exceptions.yaml": "version: 1\nrules: [{id: a, apps: tiktok, action: log, reason: r, until: 2027-01-01, basis: counsle, author: ''}]\n"},
    "no id is unknown while a file cannot be read": {"a.layer.yaml": "version: [\n", "b.layer.yaml": one("rules: [{id: a, apps: alipya, action: log}]\n")},
}  # fmt: skip

AGREED: dict[str, Files] = {
    "a group of a later layer": {
        "a.layer.yaml": one("rules: [{id: a, apps: all, action: log, groups: staff}]\n"),
        "b.layer.yaml": "version: 1\ngroups: {staff: {users: alice}}\n",
    },
    "an authority of an earlier layer": {
        "a.layer.yaml": "version: 1\nauthorities: {eo: {}}\n",
        "b.layer.yaml": one("rules: [{id: a, apps: {named_in: eo}, action: log}]\n"),
    },
    "the rule default": one("tests: [{request: alipay.example, rule: default}]\n"),
    "an app without endpoints that extends": {
        "a.layer.yaml": BASE.replace(", final: true", ""),
        "b.layer.yaml": "version: 1\napps: {alipay: {extend: true, exclude: [x.example]}}\n",
    },
    "exceptions with a group of their own": {
        "policy.yaml": one("groups: {lab: {users: alice}}\nrules: [{id: a, apps: all, action: log, groups: lab}]\n"),
        "exceptions.yaml": "version: 1\ngroups: {guests: {users: bob}}\nrules: [{id: e, apps: tiktok, groups: guests, not_groups: lab, action: log, reason: r, until: 2027-01-01}]\n",
    },
    "a message in several languages": one('rules: [{id: a, apps: all, action: block, message: {en: "No.", zh-Hans: "不行。", zh: "不。"}}]\n'),
}  # fmt: skip


def test_mistakes(tmp_path: Path) -> None:
    found = {case: problems(tmp_path / str(number), files) for number, (case, files) in enumerate(MISTAKES.items())}
    golden("references", found)
    assert all(found.values())


def test_agreed(tmp_path: Path) -> None:
    found = {case: problems(tmp_path / str(number), files) for number, (case, files) in enumerate(AGREED.items())}
    assert not any(found.values())
