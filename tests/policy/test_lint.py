"""Warnings: each kind told once, at its place, and nothing told where all is well."""

# ruff: noqa: E501 - a case a line
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.paths import shipped
from embargo.policy.lint import lint
from embargo.policy.load import load
from policy_files import Files, golden, loaded
from sample import NOW

BLOCK = "rules: [{id: block, apps: all, action: block}]\n"


def known(*names: str, more: str = "") -> str:
    """An app whose endpoints all have evidence."""
    return f"{{{more}endpoints: [{', '.join(f'{{domain: {name}, evidence: e}}' for name in names)}]}}"


def one(apps: str, more: str = BLOCK) -> str:
    return f"version: 1\napps:\n{apps}{more}"


A = f"  a: {known('a.example')}\n"
B = f"  b: {known('b.example')}\n"
BASE = one(
    f"  qq: {known('qq.example', more='vendor: T, ')}\n"
    f"  wechat: {known('weixin.qq.example', 'wx.qq.example', more='vendor: T, ')}\n"
)

WARNED: dict[str, Files] = {
    "an app that no rule names": one(A + B, "rules: [{id: r, apps: a, action: block}]\n"),
    "an app that only rules for shared endpoints and roles name": one(
        f"  a: {known('a.example')}\n  b: {{endpoints: [{{domain: b.example, shared: true, evidence: e}}, {{domain: c.example, role: cdn, evidence: e}}]}}\n",
        "rules: [{id: s, apps: all, shared: true, action: log}, {id: c, apps: all, roles: cdn, action: log}, {id: r, apps: a, action: block}]\n",
    ),
    "an app replaced whole": {"0.layer.yaml": one(A), "1.layer.yaml": f"version: 1\napps:\n  a: {known('c.example')}\n"},
    "an endpoint without evidence": one("  a: {endpoints: [a.example]}\n"),
    "endpoints without evidence, told once an app": one("  a: {endpoints: [a.example, {host: b.example}, c.example]}\n"),
    "a later layer's domain that covers an earlier app": {
        "0.layer.yaml": BASE, "1.layer.yaml": f"version: 1\napps:\n  mine: {known('qq.example')}\n",
    },
    "a domain that covers another vendor's app": one(f"  wide: {known('x.example', more='vendor: T, ')}\n  other: {known('h.x.example')}\n"),
    "a domain that covers an app without say": one(
        f"  wide: {known('x.example')}\n  lone: {{endpoints: [{{host: h.x.example, evidence: e}}, {{url: h.x.example/p, evidence: e}}]}}\n",
        "rules: [{id: r, apps: wide, action: block}]\n",
    ),
    "a rule that ended": one(A, "rules: [{id: old, apps: a, action: log, until: 2020-01-01}, {id: r, apps: a, action: block}]\n"),
    "a rule for no app": one(A, f"authorities: {{eo: {{}}}}\n{BLOCK.replace('[{', '[{id: r, apps: {named_in: eo}, action: log}, {')}"),
    "a rule for a role that no app has": one(A, BLOCK.replace("[{", "[{id: r, apps: a, roles: cdn, action: log}, {")),
    "a rule for shared endpoints where there are none": one(A, BLOCK.replace("[{", "[{id: r, apps: a, shared: true, action: log}, {")),
    "a state that no authority reaches": one(
        f"  a: {known('a.example', more='named_in: eo, ')}\n",
        f"authorities: {{eo: {{timeline: {{2021-01-05: issued}}}}}}\n{BLOCK.replace('[{', '[{id: r, apps: all, authority: [in-force, stayed], action: log}, {')}",
    ),
    "a rule for a group that says nothing": one(A, f"groups: {{g: {{}}}}\n{BLOCK.replace('[{', '[{id: r, apps: a, groups: g, action: log}, {')}"),
    "a rule for a group of nobody": one(A, f"groups: {{g: {{users: []}}}}\n{BLOCK.replace('[{', '[{id: r, apps: a, groups: g, action: log}, {')}"),
    "a rule behind an unconditional one": one(A, "rules: [{id: r, apps: all, action: block}, {id: s, apps: a, roles: api, action: log}]\n"),
    "a rule behind several": one(A + B, "rules: [{id: r, apps: a, action: block}, {id: s, apps: b, action: block}, {id: t, apps: all, action: log}]\n"),
    "a rule that a final one leaves nothing": {
        "0.layer.yaml": one(A, "rules: [{id: closed, apps: all, action: block, final: true}]\n"),
        "1.layer.yaml": "version: 1\nrules: [{id: open, apps: a, action: allow}]\n",
    },
    "an unused group": one(A, f"groups: {{g: {{users: alice}}}}\n{BLOCK}"),
    "an authority not reviewed": one(A, f"authorities: {{eo: {{reviewed: 2026-01-01}}}}\n{BLOCK}"),
}  # fmt: skip

QUIET: dict[str, Files] = {
    "nothing": "version: 1\n",
    "an app below another of its vendor": BASE,
    "a later layer's app below an earlier one": {"0.layer.yaml": BASE, "1.layer.yaml": f"version: 1\napps:\n  mine: {known('mine.qq.example')}\n"},
    "a covered name that is excluded": {
        "0.layer.yaml": BASE,
        "1.layer.yaml": "version: 1\napps:\n  mine: {endpoints: [{domain: qq.example, evidence: e}], exclude: [qq.example]}\n",
    },
    "an app that a later layer extends": {"0.layer.yaml": one(A), "1.layer.yaml": f"version: 1\napps:\n  a: {known('c.example', more='extend: true, ')}\n"},
    "a rule that a later layer's overrides": {"0.layer.yaml": one(A), "1.layer.yaml": "version: 1\nrules: [{id: r, apps: all, action: log}]\n"},
    "a rule that is off": one(A, "rules: [{id: r, apps: all, action: block}, {id: s, apps: a, action: log, enabled: false, until: 2020-01-01}]\n"),
    "a rule behind a shadow rule": one(A, "rules: [{id: r, apps: all, action: block, shadow: true}, {id: s, apps: a, action: log}]\n"),
    "a rule behind one with a criterion": one(A, "rules: [{id: r, apps: all, action: block, users: alice}, {id: s, apps: a, action: log}]\n"),
    "a rule behind one that ended after it began": one(A, "rules: [{id: r, apps: all, action: block, until: 2999-01-01}, {id: s, apps: a, action: log}]\n"),
    "stores need no evidence": one("  a: {stores: {apple: 333206289}}\n"),
    "a list is its own evidence": {"policy.yaml": one("  a: {endpoints_from: [a.txt]}\n"), "a.txt": "a.example\n"},
    "a reviewed authority, and one without date": one(A, f"authorities: {{eo: {{reviewed: 2026-06-01}}, two: {{}}}}\n{BLOCK}"),
}  # fmt: skip


def test_warned(tmp_path: Path) -> None:
    found = {}
    for number, (case, files) in enumerate(WARNED.items()):
        found[case] = list(map(str, lint(loaded(tmp_path / str(number), files), NOW)))
    golden("lint", found)
    assert all(found.values())


@pytest.mark.parametrize("files", QUIET.values(), ids=QUIET)
def test_quiet(tmp_path: Path, files: Files) -> None:
    assert list(map(str, lint(loaded(tmp_path, files), NOW))) == []


@pytest.mark.parametrize("name", ["domains.yaml", "follow-the-law.yaml"])
def test_shipped_policies_are_clean(name: str) -> None:
    reviewed = datetime(2026, 11, 25, tzinfo=UTC)  # a day after they were reviewed, whatever today is
    assert list(map(str, lint(load([shipped(name)]), reviewed))) == []
