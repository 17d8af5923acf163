"""The next instant at which a verdict may change by itself."""

import pytest

from embargo.core.horizon import causes_at, dates_of, next_change, schedules_of, spelled
from embargo.core.rules import Policy
from sample import app, authority, instant, policy, rule, schedule

APPS = [app("alipay", "alipay.com")]
PLAIN = policy(APPS, [rule("r", "block")])
ORDER = policy(APPS, [], [authority("eo", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09")])
DATED = policy(APPS, [rule("r", "block", since=instant("2026-01-01"), until=instant("2027-01-01"))])
HOURS = policy(APPS, [rule("r", "block", schedule=schedule("mon", "09:00-17:00"))])
NIGHT = policy(APPS, [rule("r", "block", schedule=schedule("sun", "02:30-04:00", "Europe/Berlin"))])
BOTH = policy(
    APPS,
    [rule("r", "block", until=instant("2021-03-01"))],
    [authority("eo", in_force="2021-02-19", revoked="2021-06-09")],
)

NEXT = {  # case: (policy, after, next)
    "nothing ever changes": (PLAIN, "2026-11-24", None),
    "a state's first instant": (ORDER, "2021-01-06", "2021-02-19"),
    "an instant is not after itself": (ORDER, "2021-02-19", "2021-06-09"),
    "an authority's last change is over": (ORDER, "2021-06-09", None),
    "from": (DATED, "2025-06-01", "2026-01-01"),
    "until": (DATED, "2026-06-01", "2027-01-01"),
    "a schedule's start": (HOURS, "2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"),
    "a schedule's end": (HOURS, "2026-11-23T09:00:00Z", "2026-11-23T17:00:00Z"),
    "the clock jumps over a schedule's start": (NIGHT, "2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z"),
    "the clock goes back into a schedule": (NIGHT, "2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z"),
    "the earliest of several": (BOTH, "2021-02-20", "2021-03-01"),
}


@pytest.mark.parametrize(("judged", "after", "expected"), NEXT.values(), ids=NEXT)
def test_next_change(judged: Policy, after: str, expected: str | None) -> None:
    assert next_change(judged, instant(after)) == (instant(expected) if expected else None)


LAW = policy(
    [app("alipay", "alipay.com", named_in=("eo",)), app("other", "other.test")],
    [
        rule("old", "log", "alipay", until=instant("2021-02-19")),
        rule("new", "block", "alipay", since=instant("2021-02-19"), schedule=schedule("mon")),
        rule("off", "block", since=instant("2030-01-01"), enabled=False),
        rule("theirs", "block", "other", until=instant("2028-01-01")),
    ],
    [authority("eo", issued="2021-01-05", in_force="2021-02-19")],
)


def test_dates_of_an_app() -> None:
    assert dates_of(LAW, "alipay") == {instant("2021-01-05"), instant("2021-02-19")}
    assert dates_of(LAW, "other") == {instant("2028-01-01")}
    assert dates_of(LAW, "unknown") == frozenset()


def test_schedules_of_an_app() -> None:
    assert schedules_of(LAW, "alipay") == {schedule("mon")}
    assert schedules_of(LAW, "other") == schedules_of(LAW, "unknown") == frozenset()


def test_causes_of_a_change() -> None:
    assert causes_at(LAW, "alipay", instant("2021-02-19")) == (
        "authority eo becomes in-force",
        "rule old ends",
        "rule new begins",
    )
    assert causes_at(LAW, "unknown", instant("2021-02-19")) == ()


SPELLED = {"2027-01-01": "2027-01-01", "2027-01-01T08:30:15Z": "2027-01-01T08:30:15Z", "0002-01-01": "0002-01-01"}


@pytest.mark.parametrize(("told", "text"), SPELLED.items(), ids=SPELLED)
def test_instants_are_spelled_as_a_policy_file_does(told: str, text: str) -> None:
    assert spelled(instant(told)) == text
