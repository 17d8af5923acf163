"""A report is what the log says: every number of it is a count of `embargo log`'s own query."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embargo.journal.query import Query
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder, Record
from embargo.journal.store import Store
from embargo.review.devices import Presence
from embargo.review.enforcement import State
from embargo.review.report.gathering import Asked, gather
from embargo.review.report.period import Period
from embargo.review.report.proof import NOT_VERIFIED
from embargo.review.report.report import Report
from embargo.review.report.tallies import CLASSES, DIMENSIONS
from recorded import BLOCK, OBSERVER, judged
from review.report.written import END, HOSTILE, HOUR, START, WATCHED, write_log

NOW = END + HOUR


def report(log: Path, period: Period, top: int = 20, now: datetime = NOW) -> Report:
    store = Store.open(log)
    store.catch_up()
    try:
        return gather(store, Asked(period=period, now=now, top=top), lambda: NOT_VERIFIED)
    finally:
        store.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site") / "log"
    write_log(directory, gap=True)
    return directory


@pytest.fixture(scope="module")
def found(log: Path) -> Report:
    return report(log, Period(start=START, end=END))


@pytest.fixture(scope="module")
def records(log: Path) -> list[Record]:
    return [entry.record for entry in Reader(log).entries()]


def listed(records: list[Record], query: Query) -> int:
    """How many `embargo log` lists."""
    return sum(map(query.matches, records))


PERIODS = {  # case: period
    "whole": Period(start=START, end=END),
    "parts of hours": Period(start=START + timedelta(minutes=17), end=END - timedelta(minutes=101)),
    "one app": Period(start=START, end=END, apps=("wechat",)),
    "two apps": Period(start=START, end=END, apps=("wechat", "alipay")),
    "nothing in it": Period(start=START - 2 * HOUR, end=START - HOUR),
}


@pytest.mark.parametrize("period", PERIODS.values(), ids=PERIODS)
def test_every_number_is_what_the_log_lists(log: Path, records: list[Record], period: Period) -> None:
    made = report(log, period, now=max(NOW, period.end))
    tallies = made.tallies
    for key in CLASSES:
        expected = listed(records, period.query(f"class:{key}"))
        assert tallies.totals[key] == expected
        assert sum(each.counts.get(key, 0) for each in tallies.moments) == expected
    for dimension in DIMENSIONS:
        for row in tallies.rankings[dimension].rows:
            term = f"{dimension}:={row.key}" if row.key else f"-{dimension}:*"
            for key, count in row.counts.items():
                assert count == listed(records, period.query("verdict:*", f"class:{key}").and_(term)), (dimension, row)
    for moment in tallies.moments:
        within = period.query("class:blocked").between(moment.start, moment.end)
        assert moment.counts.get("blocked", 0) == listed(records, within)


APPS = ["alipay", "wechat", "*ch*", "qq"]


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 21_600_000), st.integers(1, 21_600_000), st.sets(st.sampled_from(["alipay", "wechat", "*ch*", "qq"]))
)
def test_any_period_counts_what_the_log_lists(
    log: Path, records: list[Record], begin: int, length: int, apps: set[str]
) -> None:
    """Whatever the period, to the millisecond, and whichever the apps."""
    start = START + timedelta(milliseconds=begin)
    period = Period(start=start, end=start + timedelta(milliseconds=length), apps=tuple(sorted(apps)))
    tallies = report(log, period, now=period.end + HOUR).tallies
    for key in CLASSES:
        expected = listed(records, period.query(f"class:{key}"))
        assert tallies.totals[key] == expected
        assert sum(each.counts.get(key, 0) for each in tallies.moments) == expected
        assert sum(row.counts.get(key, 0) for row in tallies.rankings["client"].rows) == (key != "shared") * expected


def test_classes_are_apart(found: Report) -> None:
    assert found.tallies.totals == {"blocked": 60, "would-block": 1, "logged": 3, "allowed": 1, "shared": 3}
    assert {row.key: dict(row.counts) for row in found.tallies.rankings["app"].rows} == {
        "alipay": {"blocked": 60, "would-block": 1},
        "wechat": {"logged": 3, "allowed": 1},
    }
    assert [(row.label, dict(row.counts)) for row in found.tallies.shared.rows] == [("Alipay", {"shared": 3})]


def test_a_gap(found: Report) -> None:
    assert [gap.length for gap in found.enforcement.gaps] == [HOUR]
    assert found.enforcement.site.share == pytest.approx(5 / 6)
    assert found.enforcement.site.total(State.ENFORCED) == 5 * HOUR


def test_policies_and_edits(found: Report) -> None:
    [policy] = found.policies
    assert (policy.start, policy.end, policy.files, policy.modes) == (START, END, ("domains.yaml",), ("enforced",))
    assert [(edit.accepted, edit.problems) for edit in found.edits] == [
        (True, ()),
        (False, (f"site.yaml:1:1: {HOSTILE}",)),
    ]
    assert found.orders_by == found.policies[0].digest


def test_an_order(found: Report) -> None:
    [order] = found.orders
    [app] = order.apps
    assert (order.state, order.binding, app.blocked, app.logged, dict(app.unverifiable)) == (
        "in-force",
        True,
        1,
        0,
        {"shared": 1},
    )
    assert app.hits["blocked"] == 60


def test_what_people_did(found: Report) -> None:
    [exemption] = found.interventions.exemptions
    assert (exemption.granted_by, exemption.approved_by, exemption.against) == ("bob", "carol", ("order",))
    assert found.interventions.acts == ()  # what was about to be done is no act of its own


def test_losses_and_blind_spots(found: Report) -> None:
    assert [(loss.count, loss.reason) for loss in found.losses] == [(3, "no space left on device")]
    assert [(each.reason, each.count) for each in found.blind_spots] == [("not-needed", 900)]
    assert found.broken == 0


def test_devices(found: Report) -> None:
    presences = {(each.client, each.app): each.presence for each in found.devices}
    assert presences[("10.0.0.1", "alipay")] is Presence.INSTALLED
    assert presences[("10.0.0.2", "wechat")] is Presence.VISITED
    assert ("10.0.0.3", "alipay") not in presences  # shared infrastructure alone


def test_more_than_are_shown(log: Path) -> None:
    ranking = report(log, Period(start=START, end=END), top=1).tallies.rankings["client"]
    assert ([row.key for row in ranking.rows], ranking.more) == (["10.0.0.1"], True)


def test_a_log_without_anything(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    made = report(tmp_path / "log", Period(start=START, end=END))
    assert made.tallies.recorded == 0
    assert (made.policies, made.orders, made.devices, made.orders_by) == ((), (), (), None)
    assert made.enforcement.site.share == 0


def test_lines_that_are_none_are_counted(tmp_path: Path) -> None:
    write_log(tmp_path / "log")
    with (tmp_path / "log" / "decisions.jsonl").open("ab") as file:
        file.write(b"{}\n\xff\xfe\n")
    assert report(tmp_path / "log", Period(start=START, end=END)).broken == 2


def test_a_changed_policy_text_is_not_told(tmp_path: Path) -> None:
    digest = write_log(tmp_path / "log")
    (tmp_path / "log" / "policies" / digest).write_text("version: 1\n")
    made = report(tmp_path / "log", Period(start=START, end=END))
    assert (made.orders_by, made.orders) == (None, ())
    assert replace(made, orders_by="x").policies[0].digest == digest


def test_what_a_record_names_need_not_be_in_any_policy(tmp_path: Path) -> None:
    write_log(tmp_path / "log", traffic=False)
    strange = BLOCK._replace(apps=(HOSTILE, "*", "a b"), rule=replace(WATCHED, id="+x:y"))
    line = Encoder(OBSERVER).line(
        judged(strange, time=START + HOUR, user="*", client="=1+1"), sequence=1, identifier=""
    )
    (tmp_path / "log" / "decisions.2.jsonl").write_bytes(line)
    made = report(tmp_path / "log", Period(start=START, end=END))
    assert {row.key for row in made.tallies.rankings["app"].rows} == {HOSTILE, "*", "a b"}
    assert all(
        sum(each.counts.get("blocked", 0) for each in of_app) == 1 for of_app in made.tallies.app_moments.values()
    )
    assert [(each.client, each.app) for each in made.devices if each.app == "*"] == [("=1+1", "*")]


def test_a_log_that_begins_within_the_period(log: Path) -> None:
    made = report(log, Period(start=START - 18 * HOUR, end=END))
    assert made.begins == START
    assert made.enforcement.site.share == pytest.approx(5 / 24, abs=0.001)
    assert made.share_since == pytest.approx(5 / 6, abs=0.001)
    assert report(log, Period(start=START + HOUR, end=END)).share_since is None
