"""Which rules leave nothing to a later one, criterion by criterion; and what is told of it."""

# ruff: noqa: E501 - a case a line
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from embargo.core.catalogue import Role
from embargo.core.timeline import State
from embargo.policy.precedence import shadowing
from policy_files import Files, golden, warned
from sample import NOW, app, endpoint, group, pattern, policy, rule, schedule

VARIED = app(
    "a", "a.example", endpoint("c.example", Role.CDN), endpoint("s.example", Role.CDN, shared=True),
    endpoint("t.example", shared=True),
)  # fmt: skip
ONE_DAY = timedelta(days=1)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {  # case: (earlier criteria, later criteria, shadowed)
    "no criteria": ({}, {}, True),
    "a narrower later one": ({}, {"roles": frozenset({Role.API}), "users": frozenset({"a"})}, True),
    "the same roles": ({"roles": frozenset({Role.API})}, {"roles": frozenset({Role.API})}, True),
    "fewer roles": ({"roles": frozenset({Role.API, Role.CDN})}, {"roles": frozenset({Role.CDN})}, True),
    "other roles": ({"roles": frozenset({Role.API})}, {"roles": frozenset({Role.CDN})}, False),
    "roles and none": ({"roles": frozenset({Role.API})}, {}, False),
    "shared and any": ({"shared": True}, {}, False),
    "shared and not": ({"shared": True}, {"shared": False}, False),
    "shared alike": ({"shared": True}, {"shared": True}, True),
    "shared and roles that are all shared": (
        {"shared": True},
        {"roles": frozenset({Role.LOGIN, Role.API}), "shared": True},
        True,
    ),
    "hosts": ({"hosts": (pattern("a.example"),)}, {}, False),
    "a host below": (
        {"hosts": (pattern("a.example"),)},
        {"hosts": (pattern("host:x.a.example"), pattern("url:a.example/p"))},
        True,
    ),
    "a host beside": ({"hosts": (pattern("a.example"),)}, {"hosts": (pattern("host:xa.example"),)}, False),
    "a domain below a host": ({"hosts": (pattern("host:a.example"),)}, {"hosts": (pattern("a.example"),)}, False),
    "clients of a wider network": (
        {"clients": (ip_network("10.0.0.0/8"),)},
        {"clients": (ip_network("10.1.0.0/16"),)},
        True,
    ),
    "clients of a narrower network": (
        {"clients": (ip_network("10.1.0.0/16"),)},
        {"clients": (ip_network("10.0.0.0/8"),)},
        False,
    ),
    "clients of another family": (
        {"clients": (ip_network("0.0.0.0/0"),)},
        {"clients": (ip_network("::1/128"),)},
        False,
    ),
    "the same host": ({"hosts": (pattern("a.example"),)}, {"hosts": (pattern("a.example"),)}, True),
    "the same group": ({"groups": (group("g", users="a"),)}, {"groups": (group("g", users="a"),)}, True),
    "but for a group": ({"not_groups": (group("g", users="a"),)}, {}, False),
    "but for fewer groups": ({}, {"not_groups": (group("g", users="a"),)}, True),
    "a schedule": ({"schedule": schedule("mon")}, {}, False),
    "the same schedule": ({"schedule": schedule("mon")}, {"schedule": schedule("mon")}, True),
    "a state": ({"authority": frozenset({State.STAYED})}, {}, False),
    "begun": ({"since": NOW - ONE_DAY}, {}, True),
    "not begun": ({"since": NOW + ONE_DAY}, {}, False),
    "begun before the later one": ({"since": NOW + ONE_DAY}, {"since": NOW + 2 * ONE_DAY}, True),
    "ends": ({"until": NOW + ONE_DAY}, {}, False),
    "ends after the later one": ({"until": NOW + 2 * ONE_DAY}, {"until": NOW + ONE_DAY}, True),
    "a shadow rule": ({"shadow": True}, {}, False),
    "off": ({"enabled": False}, {}, False),
}


@pytest.mark.parametrize(("earlier", "later", "shadowed"), CASES.values(), ids=CASES)
def test_shadowing(earlier: dict[str, Any], later: dict[str, Any], shadowed: bool) -> None:
    rules = [rule("one", "block", **earlier), rule("two", "log", **later)]
    found = shadowing(policy([VARIED], rules), 1, NOW)
    assert [each.id for each in found] == (["one"] if shadowed else [])


def test_apps_left_over() -> None:
    apps = [app("a", "a.example"), app("b", "b.example")]
    rules = [rule("one", "block", "a"), rule("two", "block", "b"), rule("three", "log"), rule("four", "log", "b")]
    found = policy(apps, rules)
    assert shadowing(found, 1, NOW) == []
    assert [each.id for each in shadowing(found, 2, NOW)] == ["one", "two"]
    assert [each.id for each in shadowing(found, 3, NOW)] == ["two"]


def test_kinds_left_over() -> None:
    """Rules that divide an app's endpoints among them leave nothing, by the roles and sharing that it does have."""
    rules = [
        rule("shared", "log", shared=True),
        rule("cdn", "log", roles=frozenset({Role.CDN})),
        rule("api", "block", roles=frozenset({Role.API})),
        rule("rest", "allow"),
    ]
    assert [each.id for each in shadowing(policy([VARIED], rules), 3, NOW)] == ["shared", "cdn", "api"]


HEAD = "version: 1\napps: {a: {endpoints: [{domain: a.example, evidence: e}]}, b: {endpoints: [{domain: b.example, evidence: e}]}}\n"


def company(later: str, rule: str = "apps: all") -> Files:
    return {
        "company.layer.yaml": f"{HEAD}groups: {{lab: {{users: [alice]}}}}\nrules: [{{id: closed, action: block, final: true, {rule}}}]\n",
        "site.layer.yaml": f"version: 1\nrules: [{{{later}}}]\n",
    }


TOLD: dict[str, Files] = {
    "a later allow": company("id: open, apps: a, action: allow"),
    "a later log": company("id: open, apps: a, action: log, users: alice, hosts: [x.a.example]"),
    "an exception": {"policy.yaml": company("")["company.layer.yaml"], "exceptions.yaml": "version: 1\nrules: [{id: open, apps: a, users: alice, action: log, until: 2027-06-01, reason: a demonstration}]\n"},
    "of one of its apps": company("id: open, apps: [a, b], action: log", "apps: a"),
    "of all apps": company("id: open, apps: all, clients: 10.0.0.0/8, action: log", "apps: a"),
    "where the final rule holds": company("id: open, apps: a, users: bob, action: log", 'apps: a, schedule: {days: mon}'),
    "in the same file": f"{HEAD}rules: [{{id: closed, apps: a, action: block, final: true}}, {{id: open, apps: a, action: allow}}, {{id: r, apps: b, action: log}}]\n",
    "a contradiction": f"{HEAD}rules: [{{id: yes, apps: [a, b], users: alice, action: log}}, {{id: no, apps: [a, b], users: alice, action: block}}, {{id: r, apps: all, action: block}}]\n",
    "one as strict is only shadowed": company("id: more, apps: a, action: block"),
    "two alike": f"{HEAD}rules: [{{id: yes, apps: [a, b], users: alice, action: log}}, {{id: no, apps: [a, b], users: alice, action: log}}, {{id: r, apps: all, action: block}}]\n",
}  # fmt: skip
UNTOLD: dict[str, Files] = {
    "for those whom the final rule spares": company("id: open, apps: a, groups: lab, action: log", "apps: a, not_groups: lab"),
    "for another app": company("id: open, apps: b, action: log", "apps: a"),
    "for others": company("id: open, apps: a, users: bob, action: log", "apps: a, users: alice"),
    "elsewhere": company("id: open, apps: a, surfaces: dns, action: log", "apps: a, surfaces: [connect, http]"),
    "a final rule that is over": company("id: open, apps: a, action: log", "apps: a, until: 2020-01-01"),
    "a final rule on trial": company("id: open, apps: a, action: log", "apps: a, shadow: true"),
    "before the final rule's layer": {
        "a.layer.yaml": f"{HEAD}rules: [{{id: r, apps: all, action: log}}]\n",
        "b.layer.yaml": "version: 1\nrules: [{id: closed, apps: a, action: block, final: true}]\n",
    },
    "beside an exemption in the same file": f"{HEAD}rules: [{{id: closed, apps: all, users: alice, action: block, final: true}}, {{id: r, apps: all, action: log}}]\n",
}  # fmt: skip


def told(directory: Path, files: Files) -> list[str]:
    mine = ("against-final", "contradicting-rules", "never-matches")
    return [line for line in warned(directory, files) if line.split()[1] in mine]


def test_told(tmp_path: Path) -> None:
    found = {case: told(tmp_path / str(number), files) for number, (case, files) in enumerate(TOLD.items())}
    golden("precedence", found)
    assert [case for case, lines in found.items() if len(lines) != 1] == []


@pytest.mark.parametrize("files", UNTOLD.values(), ids=UNTOLD)
def test_untold(tmp_path: Path, files: Files) -> None:
    assert told(tmp_path, files) == []
