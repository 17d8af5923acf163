"""Which rules are otherwise, and what of them."""

from dataclasses import replace

import pytest

from embargo.core.rules import AppSelector, Policy
from embargo.review.rule_changes import rule_changes
from sample import app, group, instant, pattern, policy, rule, schedule

A, B, C = (rule(name, "block", "x") for name in "abc")


def of(*rules: object) -> Policy:
    return policy([app("x", "x.test")], rules)  # type: ignore[arg-type]


TOLD = {  # case: (old, new, what is otherwise)
    "nothing": (of(A, B), of(A, B), []),
    "a place alone": (of(A), of(replace(A, layer="site.yaml", line=9)), []),
    "added": (of(A), of(A, B), ["added b: apps: x; action: block"]),
    "removed": (of(A, B), of(B), ["removed a: apps: x; action: block"]),
    "moved": (of(A, B, C), of(B, C, A), ["moved a: "]),
    "an action": (of(A), of(replace(A, action="log")), ["changed a: action: block -> log"]),
    "a date": (of(A), of(replace(A, until=instant("2027-01-01"))), ["changed a: until: none -> 2027-01-01"]),
    "from is called so": (of(A), of(replace(A, since=instant("2027-01-01"))), ["changed a: from: none -> 2027-01-01"]),
    "apps": (
        of(A),
        of(replace(A, apps=AppSelector(all=True, vendors=frozenset({"v"}), named_in=("eo",)))),
        ["changed a: apps: x -> all, named_in eo, vendor v"],
    ),
    "hosts": (of(A), of(replace(A, hosts=(pattern("host:a.test"),))), ["changed a: hosts: none -> host:a.test"]),
    "a schedule": (
        of(A),
        of(replace(A, schedule=schedule("mon tue", "18:00-20:00"))),
        ["changed a: schedule: none -> Mon Tue 18:00-20:00 UTC"],
    ),
    "a group's members": (
        of(replace(A, groups=(group("g", "10.0.0.0/8"),))),
        of(replace(A, groups=(group("g", "10.0.0.0/9"),))),
        ["changed a: groups: other members of g"],
    ),
    "a switch": (of(A), of(replace(A, shadow=True)), ["changed a: shadow: false -> true"]),
    "a message": (
        of(A),
        of(replace(A, message={"": "No.", "de": "Nein."})),
        ["changed a: message: none -> No. / de: Nein."],
    ),
}


@pytest.mark.parametrize(("old", "new", "told"), TOLD.values(), ids=TOLD)
def test_told(old: Policy, new: Policy, told: list[str]) -> None:
    found = rule_changes(old, new)
    assert [f"{each.fate} {each.rule}: {'; '.join(each.what)}" for each in found] == told


def test_places() -> None:
    [changed] = rule_changes(
        of(replace(A, layer="old.yaml", line=3)), of(replace(A, layer="new.yaml", line=7, enabled=False))
    )
    assert (changed.before, changed.after) == ("old.yaml:3", "new.yaml:7")
