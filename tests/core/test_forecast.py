"""What a policy will say otherwise on known dates."""

from datetime import timedelta

import pytest
from hypothesis import given

from embargo.core import forecast as module
from embargo.core.catalogue import Role
from embargo.core.forecast import announcement_lines, forecast
from embargo.core.rules import AppSelector, Mode, Policy
from embargo.core.situations import judge, situations
from sample import NOW, app, authority, endpoint, group, instant, policy, rule, schedule
from strategies import START, policies

TIKTOK = app("tiktok", "tiktok.com")
MIXED = app("tiktok", "tiktok.com", endpoint("ads.test", Role.ADS), endpoint("cdn.test", Role.CDN, shared=True))
RESEARCH = group("research", "10.20.0.0/16", "alice")
EVENING = schedule("mon tue wed thu fri", "18:00-20:00", "Asia/Shanghai")
YEAR = instant("2027-01-01")
BAN = rule("ban", "block")

TOLD = {  # case: (policy, announcements)
    "nothing": (policy([TIKTOK], [BAN]), []),
    "an exemption ends": (
        policy([TIKTOK], [rule("counsel", "log", groups=(RESEARCH,), until=YEAR), BAN]),
        ["on 2027-01-01 rule counsel ends: tiktok for research goes from log to block"],
    ),
    "all but a group": (
        policy([TIKTOK], [rule("g", "log", groups=(RESEARCH,)), rule("b", "block", since=YEAR)]),
        ["on 2027-01-01 rule b begins: tiktok for all but research goes from log to block"],
    ),
    "an order": (
        policy(
            [app("alipay", "alipay.com", named_in=("eo",)), app("vmate", "vmate.com", named_in=("eo",)), TIKTOK],
            [rule("law", "block", AppSelector(named_in=("eo",)), authority=frozenset({"in-force"}))],
            [authority("eo", issued="2026-11-01", in_force="2027-01-19T17:00:00Z", revoked="2027-06-01")],
        ),
        ["on 2027-01-19T17:00:00Z authority eo becomes in-force: alipay, vmate go from log to block"],
    ),
    "a date that changes no verdict": (
        policy([TIKTOK], [rule("a", "block", until=YEAR), BAN], [authority("eo", issued="2027-01-01")]),
        [],
    ),
    "a schedule alone": (policy([TIKTOK], [rule("lab", "log", schedule=EVENING), BAN]), []),
    "a schedule that ends": (
        policy([TIKTOK], [rule("lab", "log", schedule=EVENING, until=YEAR), BAN]),
        ["on 2027-01-01 rule lab ends: tiktok, mon–fri 18:00–20:00 Asia/Shanghai, goes from log to block"],
    ),
    "what is outside a schedule": (
        policy([TIKTOK], [rule("lab", "block", schedule=EVENING), rule("b", "block", since=YEAR)]),
        ["on 2027-01-01 rule b begins: tiktok, outside mon–fri 18:00–20:00 Asia/Shanghai, goes from log to block"],
    ),
    "a role": (
        policy([MIXED], [rule("r", "block", roles=frozenset({Role.ADS}), since=YEAR)]),
        ["on 2027-01-01 rule r begins: tiktok (ads) goes from log to block"],
    ),
    "what is not shared": (
        policy([MIXED], [rule("r", "block", shared=False, since=YEAR)]),
        ["on 2027-01-01 rule r begins: tiktok (what is not shared) goes from log to block"],
    ),
    "a surface": (
        policy([TIKTOK], [rule("r", "block", surfaces=frozenset({"dns"}), since=YEAR)]),
        ["on 2027-01-01 rule r begins: tiktok (at dns) goes from log to block"],
    ),
    "in monitor nothing is blocked": (
        policy([TIKTOK], [rule("b", "block", since=YEAR)], mode=Mode.MONITOR),
        [],
    ),
    "two dates in their order": (
        policy([TIKTOK], [rule("b", "block", since=instant("2027-01-05"), until=instant("2027-01-06"))]),
        [
            "on 2027-01-05 rule b begins: tiktok goes from log to block",
            "on 2027-01-06 rule b ends: tiktok goes from block to log",
        ],
    ),
    "beyond ninety days": (policy([TIKTOK], [rule("b", "block", since=instant("2027-03-01"))]), []),
}


LINES = {  # an announcement: as lines
    "on 2027-01-01 rule a ends: x goes from log to block": ["on 2027-01-01 rule a ends: x goes from log to block"],
    "on 2027-01-01T10:00:00Z rule a ends, rule b begins: x, y go from log to block; z (a, b) goes from log to allow": [
        "on 2027-01-01T10:00:00Z rule a ends, rule b begins:",
        "  x, y go from log to block",
        "  z (a, b) goes from log to allow",
    ],
    "": [""],
}


@pytest.mark.parametrize(("text", "lines"), LINES.items(), ids=LINES)
def test_lines_of_an_announcement(text: str, lines: list[str]) -> None:
    assert announcement_lines(text) == lines


@pytest.mark.parametrize(("judged", "announced"), TOLD.values(), ids=TOLD)
def test_announced(judged: Policy, announced: list[str]) -> None:
    assert list(map(str, forecast(judged, NOW))) == announced


def test_the_nearest_come_first_and_no_more_than_asked() -> None:
    days = [instant("2026-12-01") + timedelta(days=day) for day in range(30)]
    ends = [rule(f"r{day}", "log" if day % 2 else "block", since=when) for day, when in enumerate(days)]
    assert [each.time for each in forecast(policy([TIKTOK], ends[::-1]), NOW, most=5)] == days[:5]


def test_as_an_object() -> None:
    [announced] = forecast(policy([TIKTOK], [rule("counsel", "log", groups=(RESEARCH,), until=YEAR), BAN]), NOW)
    assert announced.document() == {
        "time": "2027-01-01T00:00:00+00:00",
        "causes": ["rule counsel ends"],
        "changes": [{"apps": ["tiktok"], "what": None, "who": "research", "hours": None, "from": "log", "to": "block"}],
        "unasked": 0,
        "text": "on 2027-01-01 rule counsel ends: tiktok for research goes from log to block",
    }


def test_a_catalogue_of_thousands_is_asked_by_how_it_is_treated(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [app(f"a{number:04}", f"a{number}.test") for number in range(3000)]
    groups = [rule(f"g{number}", "log", groups=(group(f"g{number}", f"10.{number}.0.0/16"),)) for number in range(9)]
    asked = []
    monkeypatch.setattr(module, "situations", lambda *given: asked.append(given) or situations(*given))
    [announced] = forecast(policy(many, [*groups, rule("b", "block", since=YEAR)]), NOW)
    assert announced.shifts[0].apps == tuple(each.id for each in many)
    assert len(asked) == 1


def test_beyond_a_number_of_treatments_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TREATMENTS", 2)
    apps = [app(f"a{number}", f"a{number}.test") for number in range(5)]
    rules = [rule(f"r{number}", "block", f"a{number}", since=YEAR) for number in range(5)]
    [announced] = forecast(policy(apps, rules), NOW)
    assert str(announced).endswith(": a0, a1 go from log to block; 3 more apps were not asked about")


def test_others_may_breathe() -> None:
    breaths: list[None] = []
    forecast(policy([TIKTOK], [rule("b", "block", since=YEAR)]), NOW, breathe=lambda: breaths.append(None))
    assert breaths


@given(policies())
def test_whatever_changes_without_a_schedule_is_announced(judged: Policy) -> None:
    """Where no rule has a schedule, a verdict of a situation is otherwise after two weeks only if it was announced."""
    judged = Policy(
        settings=judged.settings,
        apps=judged.apps,
        authorities=judged.authorities,
        rules=tuple(one for one in judged.rules if one.schedule is None),
        lists=judged.lists,
        listed=judged.listed,
    )
    end = START + timedelta(days=14)
    announced = forecast(judged, START, timedelta(days=14), most=1000)
    for name in judged.apps:
        changes = [(shift.before, shift.after) for each in announced for shift in each.shifts if name in shift.apps]
        for situation in situations([judged], name).each:
            was, will = (judge(judged, situation, time).verdict for time in (START, end))
            if was is not will:
                assert was in {before for before, _ in changes} and will in {after for _, after in changes}
