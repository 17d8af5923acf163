"""Which rulings stand for every request of a kind, and how long."""

from dataclasses import replace

import pytest

from embargo.core.catalogue import Role
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.request import Surface
from embargo.core.rules import AppSelector, Basis, Recording, Rule
from embargo.core.standing import interval
from embargo.core.timeline import State
from sample import app, authority, endpoint, instant, policy, request, rule

APP = app("qq", "qq.com", endpoint("cdn.example", Role.CDN, shared=True), named_in=("eo",))
EO = authority("eo", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09")

EXCEPTION = rule("e", "log", exception=True)
QUIET = rule("q", "log", record=Recording.ANONYMOUS)
WARRANT = {"author": "ann", "approved_by": "ben", "ticket": "T", "basis": Basis.COUNSEL}

STANDS = {  # case: (rules, whether what they say of qq.com needs to be found but once)
    "a rule for the app": ([rule("r", "block")], True),
    "no rule": ([], True),
    "roles": ([rule("r", "block", roles=frozenset({Role.API}))], True),
    "shared": ([rule("r", "block", shared=False)], True),
    "surfaces": ([rule("r", "block", surfaces=frozenset({Surface.HTTP}))], True),
    "dates": ([rule("r", "block", since=instant("2021-01-01"), until=instant("2022-01-01"))], True),
    "an authority": ([rule("r", "block", AppSelector(named_in=("eo",)), authority=frozenset({State.IN_FORCE}))], True),
    "a shadow rule before it": ([rule("s", "allow", shadow=True), rule("r", "block")], True),
    "users": ([rule("u", "log", users=frozenset({"ann"})), rule("r", "block")], False),
    "users of a shadow rule": ([rule("u", "log", users=frozenset({"ann"}), shadow=True), rule("r", "block")], False),
    "users, behind the rule that decides": ([rule("r", "block"), rule("u", "log", users=frozenset({"ann"}))], True),
    "users, where the role rules it out": (
        [rule("u", "log", users=frozenset({"ann"}), roles=frozenset({Role.ADS})), rule("r", "block")],
        True,
    ),
    "an exception that lacks what an order in force asks for": ([EXCEPTION, rule("r", "block")], True),
    "one that does not": ([replace(EXCEPTION, **WARRANT), rule("r", "block")], True),  # type: ignore[arg-type]
    "one that opens nothing": ([replace(EXCEPTION, **WARRANT), QUIET], True),  # type: ignore[arg-type]
    "one that opens nothing for some users": (
        [replace(EXCEPTION, **WARRANT), replace(QUIET, users=frozenset({"ann"})), rule("r", "block")],  # type: ignore[arg-type]
        False,
    ),
    "one for some users": ([replace(EXCEPTION, users=frozenset({"ann"})), rule("r", "block")], False),
}


@pytest.mark.parametrize(("rules", "stands"), STANDS.values(), ids=STANDS)
def test_what_stands(rules: list[Rule], stands: bool) -> None:
    judged = policy([APP], rules, [EO], bound_by=frozenset({"eo"}))
    decide(judged, request("qq.com", time=instant("2021-03-01")))
    (standing,) = judged.standing.values()
    assert (standing is not None) is stands


@pytest.mark.parametrize(
    ("time", "since", "until"),
    [
        ("2020-01-01", "0001-01-01", "2021-01-05"),
        ("2021-01-05", "2021-01-05", "2021-02-19"),
        ("2021-03-01", "2021-02-19", "2021-04-01"),
        ("2021-05-01", "2021-04-01", "2021-06-09"),
        ("2026-01-01", "2021-06-09", None),
    ],
)
def test_how_long_it_stands(time: str, since: str, until: str | None) -> None:
    judged = policy([APP], [rule("r", "block", until=instant("2021-04-01"))], [EO])
    begins, ends = interval(judged, "qq", instant(time))
    assert begins == instant(since)
    assert ends.year == 9999 if until is None else ends == instant(until)


def test_it_ends_on_its_date() -> None:
    """The same connection, asked about before, at and after the instant."""
    judged = policy([APP], [rule("r", "block", until=instant("2021-04-01"))], [EO])
    times = ("2021-03-31", "2021-04-01", "2021-03-31")
    verdicts = [decide(judged, request("qq.com", time=instant(time))).verdict for time in times]
    assert verdicts == [Verdict.BLOCK, Verdict.LOG, Verdict.BLOCK]


def test_an_exception_follows_the_order() -> None:
    """One that lacks its basis holds until the order is in force, and again once that is revoked."""
    judged = policy([APP], [EXCEPTION, rule("r", "block")], [EO], bound_by=frozenset({"eo"}))
    times = ("2021-02-18", "2021-02-19", "2021-06-08", "2021-06-09", "2021-03-01")
    found = [decide(judged, request("qq.com", time=instant(time))) for time in times]
    assert [str(each.verdict) for each in found] == ["log", "block", "block", "log", "block"]
    assert all(each.against == () for each in found)


def test_what_an_exception_stands_against_is_told_as_long_as_it_is_in_force() -> None:
    whole = replace(EXCEPTION, **WARRANT)  # type: ignore[arg-type]
    judged = policy([APP], [whole, rule("r", "block")], [EO], bound_by=frozenset({"eo"}))
    times = ("2021-02-18", "2021-02-19", "2021-06-09")
    found = [decide(judged, request("qq.com", time=instant(time))) for time in times]
    assert [(str(each.verdict), each.against) for each in found] == [("log", ()), ("log", ("eo",)), ("log", ())]
