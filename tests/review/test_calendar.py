"""How a verdict changes over time: the intervals say what `decide` says, and why it changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.inquiry import Inquiry, answer
from embargo.core.rules import AppSelector, Policy, Rule
from embargo.core.schedule import Schedule
from embargo.review.calendar import Interval, calendar
from sample import NOW, app, authority, instant, policy, rule, schedule
from strategies import CLIENTS, HOSTS, START, USERS, policies, schedules

LAW = [authority("eo", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09")]
ALIPAY = app("alipay", "alipay.com", named_in=("eo",))
IN_FORCE = rule("law", "block", AppSelector(named_in=("eo",)), authority=frozenset({"in-force"}))
EVENING = schedule("mon tue wed thu fri", "18:00-20:00", "Asia/Shanghai")
BAN = rule("ban", "block")
BERLIN, NEW_YORK = schedule("", "08:00-12:00", "Europe/Berlin"), schedule("", "03:00-06:00", "America/New_York")


def told(interval: Interval) -> str:
    hours = [
        f"; {', '.join(map(str, each.hours))} {interval.zone}: {each.outcome.verdict} {each.outcome.rule}"
        for each in interval.recurring
    ]
    said = interval.outcome
    reasons = f" ({', '.join(interval.reasons)})" if interval.reasons else ""
    days = f"{interval.start:%Y-%m-%d} {interval.end:%Y-%m-%d}"
    return f"{days} {said.verdict} {said.rule}{''.join(hours)}{reasons}"


TOLD = {  # case: (policy, from, to, intervals)
    "nothing changes": (policy([ALIPAY], [BAN]), "2026-01-01", "2027-01-01", ["2026-01-01 2027-01-01 block ban"]),
    "the law": (
        policy([ALIPAY], [IN_FORCE], LAW),
        None,
        None,
        [
            "2021-01-05 2021-02-19 log default",
            "2021-02-19 2021-06-09 block law (authority eo becomes in-force)",
            "2021-06-09 2027-11-24 log default (authority eo becomes revoked)",
        ],
    ),
    "from and until": (
        policy([ALIPAY], [rule("grace", "log", until=instant("2026-03-01")), rule("r", "block")]),
        "2026-01-01",
        "2027-01-01",
        ["2026-01-01 2026-03-01 log grace", "2026-03-01 2027-01-01 block r (rule grace ends)"],
    ),
    "an equal verdict by the same rule is one interval": (
        policy([ALIPAY], [BAN], LAW),
        None,
        "2022-01-01",
        ["2021-01-05 2022-01-01 block ban"],
    ),
    "hours that recur": (
        policy([ALIPAY], [rule("lab", "log", schedule=EVENING), BAN]),
        "2026-01-01",
        "2027-01-01",
        ["2026-01-01 2027-01-01 block ban; mon–fri 18:00–20:00 Asia/Shanghai: log lab"],
    ),
    "hours that recur until": (
        policy([ALIPAY], [rule("lab", "log", schedule=EVENING, until=instant("2026-06-01")), BAN]),
        "2026-01-01",
        "2027-01-01",
        [
            "2026-01-01 2026-06-01 block ban; mon–fri 18:00–20:00 Asia/Shanghai: log lab",
            "2026-06-01 2027-01-01 block ban (rule lab ends)",
        ],
    ),
    "a date that matters to nobody does not cut the hours": (
        policy([ALIPAY], [rule("lab", "log", schedule=EVENING), BAN], LAW),
        None,
        "2022-01-01",
        ["2021-01-05 2022-01-01 block ban; mon–fri 18:00–20:00 Asia/Shanghai: log lab"],
    ),
    "a short time is told change by change": (
        policy([ALIPAY], [rule("lab", "log", schedule=EVENING), BAN]),
        "2026-11-23",
        "2026-11-24",
        [
            "2026-11-23 2026-11-23 block ban",
            "2026-11-23 2026-11-23 log lab (schedule of rule lab begins)",
            "2026-11-23 2026-11-24 block ban (schedule of rule lab ends)",
        ],
    ),
    "two zones, whose clocks change on different days": (
        policy([ALIPAY], [rule("a", "allow", schedule=NEW_YORK), rule("b", "log", schedule=BERLIN), BAN]),
        "2026-10-01",
        "2026-12-01",
        [
            "2026-10-01 2026-10-25 block ban; daily 02:00–03:00 America/New_York: log b; "
            "daily 03:00–06:00 America/New_York: allow a",
            "2026-10-25 2026-11-01 block ban; daily 03:00–06:00 America/New_York: allow a; "
            "daily 06:00–07:00 America/New_York: log b (the clock of Europe/Berlin changes)",
            "2026-11-01 2026-12-01 block ban; daily 02:00–03:00 America/New_York: log b; "
            "daily 03:00–06:00 America/New_York: allow a (the clock of America/New_York changes)",
        ],
    ),
}


@pytest.mark.parametrize(("judged", "start", "end", "intervals"), TOLD.values(), ids=TOLD)
def test_intervals(judged: Policy, start: str | None, end: str | None, intervals: list[str]) -> None:
    found = calendar(
        judged,
        Inquiry(request="www.alipay.com", time=NOW),
        instant(start) if start else None,
        instant(end) if end else None,
    )
    assert list(map(told, found.intervals)) == intervals


def test_the_first_date_that_matters_is_the_beginning() -> None:
    assert calendar(TOLD["the law"][0], Inquiry(request="other.test", time=NOW)).intervals[0].start == NOW


def test_an_end_before_the_beginning() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        calendar(policy([]), Inquiry(request="a.test", time=NOW), NOW, NOW)


def test_as_an_object() -> None:
    judged = policy([ALIPAY], [rule("lab", "log", schedule=EVENING), BAN])
    found = calendar(judged, Inquiry(request="www.alipay.com", time=NOW), instant("2026-01-01"), instant("2026-03-01"))
    said = {"apps": ["alipay"], "surface": "connect", "would": None}
    assert found.document() == {
        "request": "www.alipay.com",
        "from": "2026-01-01T00:00:00+00:00",
        "to": "2026-03-01T00:00:00+00:00",
        "intervals": [
            {
                "from": "2026-01-01T00:00:00+00:00",
                "to": "2026-03-01T00:00:00+00:00",
                "verdict": "block",
                "rule": "ban",
                "status": 403,
                **said,
                "recurring": [
                    {"hours": ["mon–fri 18:00–20:00"], "verdict": "log", "rule": "lab", "status": None, **said}
                ],
                "timezone": "Asia/Shanghai",
                "reasons": [],
            }
        ],
    }


ZONES = [UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Shanghai"), ZoneInfo("Australia/Lord_Howe")]


@st.composite
def timed(draw: st.DrawFn) -> Policy:
    """A policy whose rules often have a schedule, in zones whose clocks change on different days."""
    drawn = draw(policies())
    rules: list[Rule] = []
    for one in drawn.rules:
        plain = draw(schedules)
        zone = draw(st.sampled_from(ZONES))
        when = Schedule(timezone=zone, days=plain.days, hours=plain.hours) if draw(st.booleans()) else None
        rules.append(one if when is None else replace(one, schedule=when))
    return replace(drawn, rules=tuple(rules))


@given(
    timed(),
    st.sampled_from((*HOSTS[:6], "http://" + HOSTS[0] + "/p", "203.0.113.9")),
    st.none() | st.sampled_from(CLIENTS).map(ip_address),
    st.none() | st.sampled_from(USERS),
    st.integers(1, 500),
    st.data(),
)
def test_intervals_say_what_decide_says(
    judged: Policy, host: str, client: object, user: str | None, days: int, data: st.DataObject
) -> None:
    """For any instant the interval that it lies in has the verdict, and the rule, that the proxy would find."""
    asked = Inquiry(request=host, time=START, client=client, user=user)  # type: ignore[arg-type]
    start, end = START - timedelta(days=40), START + timedelta(days=days)
    found = calendar(judged, asked, start, end).intervals
    assert found[0].start == start and found[-1].end == end
    assert all(before.end == after.start for before, after in pairwise(found))
    for _ in range(10):
        instant = start + timedelta(minutes=data.draw(st.integers(0, (end - start) // timedelta(minutes=1) - 1)))
        [interval] = [each for each in found if each.start <= instant < each.end]
        decision = answer(judged, replace(asked, time=instant)).decision
        said = interval.at(instant)
        assert (said.verdict, said.rule, said.apps) == (decision.verdict, decision.rule_id, decision.apps)
        assert hours_say(interval, instant) == said


def hours_say(interval: Interval, instant: datetime) -> object:
    """The outcome at *instant* by the hours that are told."""
    for each in interval.recurring:
        for hours in each.hours:
            assert interval.zone is not None
            when = Schedule(timezone=interval.zone, days=hours.days, hours=((hours.start, hours.end),))
            if when.holds(instant):
                return each.outcome
    return interval.outcome
