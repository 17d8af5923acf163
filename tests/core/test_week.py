"""Hours of the week, as schedules divide it and as words tell it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.schedule import Schedule
from embargo.core.week import WEEK, course_of, day_words, holding, hours_of, hours_words, steady_week, zone_of
from sample import instant, schedule
from strategies import schedules

MONDAY = instant("2026-11-23")
NEW_YORK = ZoneInfo("America/New_York")

HOURS = {  # case: (days, hours, zone, in words)
    "working days": ("mon tue wed thu fri", "18:00-20:00", "Asia/Shanghai", "mon–fri 18:00–20:00 Asia/Shanghai"),
    "over midnight": ("mon sat", "22:00-06:00", "UTC", "mon sat 22:00–06:00 UTC"),
    "whole days": ("sat sun", "", "UTC", "sat sun UTC"),
    "each day": ("", "09:00-17:00", "UTC", "daily 09:00–17:00 UTC"),
    "twice a day": ("wed", "08:00-09:00 12:30-13:00", "UTC", "wed 08:00–09:00, wed 12:30–13:00 UTC"),
    "from sunday into monday": ("sun", "23:00-01:00", "UTC", "sun 23:00–01:00 UTC"),
    "a whole weekend from friday evening": ("fri sat sun", "18:00-24:00 00:00-18:00", "UTC", "fri–sun UTC"),
}


@pytest.mark.parametrize(("days", "hours", "zone", "words"), HOURS.values(), ids=HOURS)
def test_hours_in_words(days: str, hours: str, zone: str, words: str) -> None:
    one = schedule(days, hours, zone)
    course = course_of([one], MONDAY, MONDAY + WEEK)
    assert hours_words({frozenset({one})}, course, one.timezone) == words


DAYS = {"": range(7), "mon–fri": range(5), "sat sun": (5, 6), "mon wed fri": (0, 2, 4), "mon–wed sat": (0, 1, 2, 5)}


@pytest.mark.parametrize(("words", "days"), DAYS.items(), ids=DAYS)
def test_days_in_words(words: str, days: range) -> None:
    assert day_words(frozenset(days)) == words


def test_what_holds_mostly_is_told_by_the_rest() -> None:
    evening = schedule("mon tue wed thu fri", "18:00-20:00")
    course = course_of([evening], MONDAY, MONDAY + WEEK)
    assert hours_words({frozenset()}, course, UTC) == "outside mon–fri 18:00–20:00 UTC"


def test_what_holds_always_takes_no_words() -> None:
    assert hours_words({frozenset()}, course_of([], MONDAY, MONDAY + WEEK), UTC) == ""


STEADY = {  # case: (start, end, the steady week's start)
    "at once": ("2026-11-23", "2027-11-23", "2026-11-23"),
    "behind a change of the clock": ("2026-10-30", "2026-12-01", "2026-11-02"),
    "not within so short a time": ("2026-10-30", "2026-11-08", None),
}


@pytest.mark.parametrize(("start", "end", "found"), STEADY.values(), ids=STEADY)
def test_a_steady_week(start: str, end: str, found: str | None) -> None:
    assert steady_week([NEW_YORK], instant(start), instant(end)) == (instant(found) if found else None)


def test_the_zone_that_is_told() -> None:
    assert zone_of([]) is UTC
    assert zone_of([schedule(timezone="Asia/Shanghai"), schedule(timezone="America/New_York")]) == NEW_YORK


zones = st.sampled_from((UTC, NEW_YORK, ZoneInfo("Asia/Shanghai"), ZoneInfo("Australia/Lord_Howe")))
zoned = st.builds(lambda one, zone: Schedule(timezone=zone, days=one.days, hours=one.hours), schedules, zones)


@given(
    st.lists(zoned, max_size=3, unique=True),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.integers(1, 60 * 24 * 40),
    st.integers(0, 60 * 24 * 40),
)
def test_a_course_says_what_holds(those: list[Schedule], start: datetime, minutes: int, at: int) -> None:
    """At each instant of a course exactly those schedules hold that its span names, over changes of clocks too."""
    begin = start.replace(tzinfo=UTC)
    course = course_of(those, begin, begin + timedelta(minutes=minutes))
    asked = begin + timedelta(minutes=at % minutes)
    [span] = [span for span in course if span.start <= asked < span.end]
    assert span.held == holding(those, asked)
    assert all(before.end == after.start for before, after in pairwise(course))


@given(zoned, st.integers(0, 60 * 24 * 7 - 1))
def test_hours_are_those_of_the_schedule(one: Schedule, minute: int) -> None:
    """In a week in which no clock changes, the hours told are those at which the schedule holds."""
    start = instant("2026-06-01")
    spans = [(span.start, span.end) for span in course_of([one], start, start + WEEK) if span.held]
    at = (start + timedelta(minutes=minute)).astimezone(one.timezone)
    hours = hours_of(spans, one.timezone)
    holds = any(
        Schedule(timezone=one.timezone, days=each.days, hours=((each.start, each.end),)).holds(at) for each in hours
    )
    assert holds == one.holds(at)
