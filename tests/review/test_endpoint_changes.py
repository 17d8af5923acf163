"""Two policies compared in effect: what each endpoint gets, who comes and who goes, and what is lost."""

from dataclasses import replace

import pytest

from embargo.core.rules import Mode, Rule
from embargo.review.endpoint_changes import Comparison, compare, samples
from sample import NOW, app, authority, endpoint, group, instant, pattern, policy, rule, schedule

BAN = rule("ban", "block", shared=False)
LOG = rule("log", "log")
OLD = policy([app("a", "a.test", "host:b.test"), app("z", "z.test")], [BAN, LOG])


def changes(found: Comparison) -> list[str]:
    return [f"{each.app} {each.endpoint} {each.before} {each.after} {each.would}" for each in found.endpoints]


def with_a(*endpoints: object, exclude: tuple[str, ...] = ()) -> Comparison:
    new = policy([app("a", *endpoints, exclude=exclude), app("z", "z.test")], [BAN, LOG])  # type: ignore[arg-type]
    return compare(OLD, new, NOW)


def shared(text: str) -> object:
    return endpoint(text, shared=True)


CASES = {  # case: (endpoints of the new app, excludes, changes)
    "the same": (("a.test", "host:b.test"), (), []),
    "one more": (("a.test", "host:b.test", "c.test"), (), ["a domain:c.test pass block None"]),
    "one on trial": (
        ("a.test", "host:b.test", endpoint("c.test", shadow=True)), (), ["a domain:c.test pass log block"],
    ),
    "one gone": (("a.test",), (), ["a host:b.test block pass None"]),
    "one gone that its domain covers": (
        ("a.test", "b.test"), (), ["a host:b.test block block None", "a domain:b.test pass block None"],
    ),
    "a name freed below one": (
        ("a.test", "host:b.test"), ("any-name-below-it.a.test",), ["a domain:a.test block pass None"],
    ),
    "shared now": ((shared("a.test"), "host:b.test"), (), ["a domain:a.test block log None"]),
    "excluded": (("a.test", "host:b.test"), ("a.test",), ["a domain:a.test block pass None"]),
    "a domain on trial above a host": (
        ("a.test", "host:b.test", endpoint("b.test", shadow=True)), (), ["a domain:b.test pass log block"],
    ),
    "on trial now": ((endpoint("a.test", shadow=True), "host:b.test"), (), ["a domain:a.test block log block"]),
}  # fmt: skip


@pytest.mark.parametrize(("endpoints", "exclude", "expected"), CASES.values(), ids=CASES)
def test_endpoints(endpoints: tuple[object, ...], exclude: tuple[str, ...], expected: list[str]) -> None:
    found = with_a(*endpoints, exclude=exclude)
    assert changes(found) == expected
    assert found.lost == ()
    assert bool(found) is bool(expected or exclude)


def test_monitor_is_compared_as_enforce() -> None:
    monitoring = OLD.varied(settings=replace(OLD.settings, mode=Mode.MONITOR))
    new = replace(monitoring, apps={"a": app("a", "a.test")})
    assert changes(compare(monitoring, new, NOW)) == [
        "a host:b.test block pass None",
        "z domain:z.test block pass None",
    ]


LOST = {  # case: (the new app, rules, lost)
    "leaves the catalogue": (None, [BAN, LOG], ("z",)),
    "no endpoint of before is left, others are": (app("z", "other.test"), [BAN, LOG], ()),
    "all on trial": (app("z", endpoint("z.test", shadow=True)), [BAN, LOG], ("z",)),
    "all shared": (app("z", endpoint("z.test", shared=True)), [BAN, LOG], ("z",)),
    "its rule only logs now": (app("z", "z.test"), [rule("soft", "log", apps="z"), BAN, LOG], ("z",)),
}


@pytest.mark.parametrize(("new", "rules", "lost"), LOST.values(), ids=LOST)
def test_lost(new: object, rules: list[object], lost: tuple[str, ...]) -> None:
    apps = [app("a", "a.test", "host:b.test"), *([new] if new else [])]
    found = compare(OLD, policy(apps, rules), NOW)  # type: ignore[arg-type]
    assert found.lost == lost
    assert found.apps_removed == (() if new else ("z",))


def test_rules_settings_and_authorities() -> None:
    new = policy(
        [app("a", "a.test", "host:b.test"), app("z", "z.test"), app("n", "n.test")],
        [rule("ban", "block"), rule("more", "log")],
        [authority("eo", issued="2021-01-05")],
        organization="Example Corp",
    )
    found = compare(OLD, new, NOW)
    assert (found.apps_added, found.rules_added) == (("n",), ("more",))
    assert (found.rules_removed, found.rules_changed) == (("log",), ("ban",))
    assert (found.settings, found.authorities) == (("organization",), ("eo",))


def test_a_rule_that_only_moved_is_no_change() -> None:
    moved = policy(OLD.apps.values(), [replace(BAN, line=7, layer="x.yaml"), LOG])
    assert not compare(OLD, moved, NOW)


PATTERNS = (
    "a.test",
    "host:a.test",
    "url:a.test/p/*/q?k=v",
    "cidr:203.0.113.0/24 8443 udp",
    "cidr:2001:db8::/32",
    "user_agent:Bad/1",
)


@pytest.mark.parametrize("text", PATTERNS)
def test_samples_are_covered_by_what_it_stands_for(text: str) -> None:
    for found in samples(pattern(text), NOW):
        assert pattern(text).covers(found.names[0], found)


G = group("g", users="u")
HOURS = schedule(hours="08:00-09:00")
LOSSES = {  # case: (rules before, rules after, mode after, lost)
    "of a group": ([rule("ban", "block", groups=(G,))], [], Mode.ENFORCE, ("a",)),
    "of some hours": ([rule("ban", "block", schedule=HOURS)], [LOG], Mode.ENFORCE, ("a",)),
    "of days to come": ([rule("ban", "block", since=instant("2030-01-01"))], [LOG], Mode.ENFORCE, ("a",)),
    "of days gone": ([rule("ban", "block", until=instant("2020-01-01"))], [LOG], Mode.ENFORCE, ()),
    "by monitor mode": ([BAN], [BAN], Mode.MONITOR, ("a",)),
    "no loss: for others": (
        [rule("ban", "block", groups=(G,))], [rule("ban", "block", users=frozenset({"v"}))], Mode.ENFORCE, (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "mode", "lost"), LOSSES.values(), ids=LOSSES)
def test_what_only_some_are_refused_is_lost_too(
    before: list[Rule], after: list[Rule], mode: Mode, lost: tuple[str, ...]
) -> None:
    apps = [app("a", "a.test")]
    assert compare(policy(apps, before), policy(apps, after, mode=mode), NOW).lost == lost


def test_what_an_exclude_frees_is_told() -> None:
    new = policy([app("a", "a.test", "host:b.test", exclude=("x.a.test", "y.test")), app("z", "z.test")], [BAN, LOG])
    assert [(each.endpoint, str(each.before), str(each.after)) for each in compare(OLD, new, NOW).excluded] == [
        ("domain:x.a.test", "block", "pass")
    ]
    assert [(each.endpoint, each.milder) for each in compare(new, OLD, NOW).excluded] == [("domain:x.a.test", False)]
