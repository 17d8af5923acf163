"""For whom and when another policy gives another verdict."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.catalogue import Role
from embargo.core.rules import Policy
from embargo.core.situations import judge, situations
from embargo.review.verdict_changes import verdict_changes
from sample import app, authority, endpoint, group, instant, policy, rule, schedule
from strategies import START, policies

TIKTOK = app("tiktok", "tiktok.com", named_in=("eo",))
MIXED = app("tiktok", "tiktok.com", endpoint("cdn.test", Role.CDN, shared=True))
RESEARCH, WIDER = group("research", "10.20.0.0/16"), group("research", "10.0.0.0/8")
BAN, LOG = rule("r", "block"), rule("r", "log")
LAW = rule("law", "block", authority=frozenset({"in-force"}))
X_LOGS = rule("a", "log", groups=(group("x", users="u v"),))
Y_BLOCKS = rule("b", "block", groups=(group("y", users="v w"),))
FROM, TO = instant("2026-11-24"), instant("2027-11-24")
YEAR = instant("2027-01-01")
ALL = "2026-11-24 2027-11-24"

TOLD = {  # case: (old, new, what differs)
    "nothing": (policy([TIKTOK], [BAN]), policy([TIKTOK], [BAN]), []),
    "all": (policy([TIKTOK], [LOG]), policy([TIKTOK], [BAN]), [f"{ALL} tiktok goes from log to block"]),
    "a group": (
        policy([TIKTOK], [BAN]),
        policy([TIKTOK], [rule("g", "log", groups=(RESEARCH,)), BAN]),
        [f"{ALL} tiktok for research goes from block to log"],
    ),
    "a group that widens": (
        policy([TIKTOK], [rule("g", "log", groups=(RESEARCH,)), BAN]),
        policy([TIKTOK], [rule("g", "log", groups=(WIDER,)), BAN]),
        [f"{ALL} tiktok for research as it is new but not as it was goes from block to log"],
    ),
    "until": (
        policy([TIKTOK], [rule("g", "log", until=YEAR), BAN]),
        policy([TIKTOK], [rule("g", "log", until=instant("2027-03-01")), BAN]),
        ["2027-01-01 2027-03-01 tiktok goes from block to log"],
    ),
    "hours": (
        policy([TIKTOK], [rule("g", "log", schedule=schedule("mon", "18:00-20:00")), BAN]),
        policy([TIKTOK], [rule("g", "log", schedule=schedule("mon", "18:00-21:00")), BAN]),
        [f"{ALL} tiktok, mon 20:00–21:00 UTC, goes from block to log"],
    ),
    "a role": (
        policy([MIXED], [LOG]),
        policy([MIXED], [rule("s", "block", shared=True), LOG]),
        [f"{ALL} tiktok (what is shared) goes from log to block"],
    ),
    "a date of the law that changes nothing cuts nothing": (
        policy([TIKTOK], [LOG], [authority("eo", in_force="2027-01-01")]),
        policy([TIKTOK], [BAN], [authority("eo", in_force="2027-01-01")]),
        [f"{ALL} tiktok goes from log to block"],
    ),
    "the law itself": (
        policy([TIKTOK], [LAW], [authority("eo", in_force="2020-01-01")]),
        policy([TIKTOK], [LAW], [authority("eo", in_force="2020-01-01", stayed="2027-01-01")]),
        ["2027-01-01 2027-11-24 tiktok goes from block to log"],
    ),
    "the order of rules that meet in members of both groups": (
        policy([TIKTOK], [X_LOGS, Y_BLOCKS]),
        policy([TIKTOK], [Y_BLOCKS, X_LOGS]),
        [f"{ALL} tiktok for x and y goes from log to block"],
    ),
    "an app or a role that only one has is told elsewhere": (policy([TIKTOK], [BAN]), policy([], [BAN]), []),
}


@pytest.mark.parametrize(("old", "new", "told"), TOLD.values(), ids=TOLD)
def test_told(old: Policy, new: Policy, told: list[str]) -> None:
    found = verdict_changes(old, new, FROM, TO)
    assert [
        f"{period.start:%Y-%m-%d} {period.end:%Y-%m-%d} {shift}" for period in found.periods for shift in period.shifts
    ] == told
    assert found.incomplete == ()


def test_as_an_object() -> None:
    [period] = verdict_changes(policy([TIKTOK], [LOG]), policy([TIKTOK], [BAN]), FROM, TO).periods
    assert period.document() == {
        "from": "2026-11-24T00:00:00+00:00",
        "to": "2027-11-24T00:00:00+00:00",
        "changes": [
            {
                "apps": ["tiktok"],
                "what": None,
                "who": None,
                "hours": None,
                "from": "log",
                "to": "block",
                "stricter": True,
            }
        ],
    }


@given(policies(), policies(), st.integers(0, 14 * 24 * 60 - 1))
def test_whatever_differs_is_told(old: Policy, new: Policy, minute: int) -> None:
    """A situation whose verdict differs at an instant has a period there; where there is none, none differs."""
    instant = START + timedelta(minutes=minute)
    found = verdict_changes(old, new, START, START + timedelta(days=14)).periods
    for name in old.apps.keys() & new.apps.keys():
        common = situations([old], name).kinds & situations([new], name).kinds
        told = {
            (shift.before, shift.after)
            for period in found
            if period.start <= instant < period.end
            for shift in period.shifts
            if name in shift.apps
        }
        for situation in situations([old, new], name).each:
            was, is_now = judge(old, situation, instant).verdict, judge(new, situation, instant).verdict
            assert was is is_now or situation.kind not in common or (was, is_now) in told
