"""The next instant at which a verdict may change by itself."""

import pytest

from embargo.core.horizon import next_change
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
