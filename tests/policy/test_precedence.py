"""Which rules leave nothing to a later one, criterion by criterion."""

from datetime import timedelta
from typing import Any

import pytest

from embargo.core.catalogue import Role
from embargo.core.timeline import State
from embargo.policy.precedence import shadowing
from sample import NOW, app, group, pattern, policy, rule, schedule

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
    "hosts": ({"hosts": (pattern("a.example"),)}, {}, False),
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
    found = shadowing(policy([app("a", "a.example")], rules), 1, NOW)
    assert [each.id for each in found] == (["one"] if shadowed else [])


def test_apps_left_over() -> None:
    apps = [app("a", "a.example"), app("b", "b.example")]
    rules = [rule("one", "block", "a"), rule("two", "block", "b"), rule("three", "log"), rule("four", "log", "b")]
    found = policy(apps, rules)
    assert shadowing(found, 1, NOW) == []
    assert [each.id for each in shadowing(found, 2, NOW)] == ["one", "two"]
    assert [each.id for each in shadowing(found, 3, NOW)] == ["two"]
