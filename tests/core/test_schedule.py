"""When in the week a rule holds: an interval belongs to the day on which it starts (DESIGN 4, Time)."""

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from embargo.core.schedule import Schedule, clock_changes
from sample import instant, schedule

OFFICE = schedule("mon tue wed thu fri", "09:00-17:00")
NIGHT = schedule("fri", "22:00-06:00")
BERLIN = schedule("sun", "02:30-04:00", "Europe/Berlin")  # clocks: 2026-03-29 02:00 to 03:00, 2026-10-25 03:00 to 02:00
NEW_YORK = schedule(hours="22:00-06:00", timezone="America/New_York")

HOLDS = {  # case: (schedule, instant, holds); 2026-11-23 is a Monday
    "no days, no hours: always": (schedule(), "2026-11-28T23:59:59Z", True),
    "the first minute": (OFFICE, "2026-11-23T09:00:00Z", True),
    "the instant before": (OFFICE, "2026-11-23T08:59:59.999999Z", False),
    "the last instant": (OFFICE, "2026-11-23T16:59:59.999999Z", True),
    "the end no longer counts": (OFFICE, "2026-11-23T17:00:00Z", False),
    "another day": (OFFICE, "2026-11-28T10:00:00Z", False),
    "a whole day": (schedule("sat"), "2026-11-28T00:00:00Z", True),
    "a whole day ends at midnight": (schedule("sat"), "2026-11-29T00:00:00Z", False),
    "until 24:00": (schedule("sat", "20:00-24:00"), "2026-11-28T23:59:59Z", True),
    "until 24:00, and no further": (schedule("sat", "20:00-24:00"), "2026-11-29T00:00:00Z", False),
    "over midnight: on its day": (NIGHT, "2026-11-27T22:00:00Z", True),
    "over midnight: the morning after belongs to it": (NIGHT, "2026-11-28T05:59:00Z", True),
    "over midnight: its end": (NIGHT, "2026-11-28T06:00:00Z", False),
    "over midnight: not the morning of its own day": (NIGHT, "2026-11-27T05:00:00Z", False),
    "over midnight: not the evening after": (NIGHT, "2026-11-28T22:00:00Z", False),
    "over midnight at the week's end": (schedule("sun", "22:00-06:00"), "2026-11-30T05:00:00Z", True),
    "round the clock from a minute on": (schedule("mon", "22:00-22:00"), "2026-11-24T21:59:00Z", True),
    "round the clock, over": (schedule("mon", "22:00-22:00"), "2026-11-24T22:00:00Z", False),
    "two intervals: the first": (schedule(hours="08:00-09:00 12:00-13:00"), "2026-11-24T08:30:00Z", True),
    "two intervals: between": (schedule(hours="08:00-09:00 12:00-13:00"), "2026-11-24T10:00:00Z", False),
    "two intervals: the second": (schedule(hours="08:00-09:00 12:00-13:00"), "2026-11-24T12:30:00Z", True),
    "the zone's clock decides": (NEW_YORK, "2026-11-24T03:00:00Z", True),
    "the zone's clock: not UTC's": (NEW_YORK, "2026-11-24T02:59:00Z", False),
    "the zone's day decides": (schedule("mon", timezone="Asia/Shanghai"), "2026-11-22T16:00:00Z", True),
    "an instant in another offset": (OFFICE, "2026-11-23T18:00:00+09:00", True),
    "summer time: an hour earlier in UTC": (
        schedule(hours="09:00-10:00", timezone="Europe/Berlin"),
        "2026-07-01T07:30:00Z",
        True,
    ),
    "winter time": (schedule(hours="09:00-10:00", timezone="Europe/Berlin"), "2026-01-01T08:30:00Z", True),
    "the clock jumps over the start: before": (BERLIN, "2026-03-29T00:59:59Z", False),
    "the clock jumps over the start: it shows 03:00": (BERLIN, "2026-03-29T01:00:00Z", True),
    "an hour twice: 02:30 for the first time": (BERLIN, "2026-10-25T00:30:00Z", True),
    "an hour twice: 02:00 again, which is before the start": (BERLIN, "2026-10-25T01:00:00Z", False),
    "an hour twice: 02:30 for the second time": (BERLIN, "2026-10-25T01:30:00Z", True),
    "an hour twice: the end": (BERLIN, "2026-10-25T03:00:00Z", False),
}


@pytest.mark.parametrize(("when", "time", "holds"), HOLDS.values(), ids=HOLDS)
def test_holds(when: Schedule, time: str, holds: bool) -> None:
    assert when.holds(instant(time)) is holds


BOUNDARIES = {  # case: (schedule, a day around which every change of `holds` must be a boundary)
    "office hours": (OFFICE, "2026-11-24"),
    "over midnight": (NIGHT, "2026-11-27"),
    "whole days": (schedule("sat"), "2026-11-28"),
    "two intervals": (schedule(hours="08:00-09:00 12:00-13:00"), "2026-11-24"),
    "another zone": (NEW_YORK, "2026-11-24"),
    "the clock jumps over the start": (BERLIN, "2026-03-29"),
    "the clock shows the start twice": (BERLIN, "2026-10-25"),
    "a jump of half an hour": (schedule(hours="01:45-03:00", timezone="Australia/Lord_Howe"), "2026-10-04"),
    "a half hour twice": (schedule(hours="01:45-03:00", timezone="Australia/Lord_Howe"), "2026-04-05"),
}


@pytest.mark.parametrize(("when", "day"), BOUNDARIES.values(), ids=BOUNDARIES)
def test_boundaries(when: Schedule, day: str) -> None:
    start = instant(day) - timedelta(hours=12)
    boundaries = set(when.boundaries(start))
    minutes = [start + timedelta(minutes=minute) for minute in range(3 * 24 * 60)]
    changes = {after for before, after in pairwise(minutes) if when.holds(before) != when.holds(after)}
    assert changes
    assert changes - boundaries == set()


CHANGES = {  # case: (zone, from, to, changes)
    "summer time begins": ("Europe/Berlin", "2026-03-01", "2026-04-01", ["2026-03-29T01:00:00Z"]),
    "summer time ends": ("Europe/Berlin", "2026-10-01", "2026-11-01", ["2026-10-25T01:00:00Z"]),
    "half an hour": ("Australia/Lord_Howe", "2026-10-01", "2026-10-10", ["2026-10-03T15:30:00Z"]),
    "a day left out": ("Pacific/Apia", "2011-12-25", "2012-01-05", ["2011-12-30T10:00:00Z"]),
    "none": ("UTC", "2026-01-01", "2026-12-31", []),
}


@pytest.mark.parametrize(("zone", "start", "end", "changes"), CHANGES.values(), ids=CHANGES)
def test_clock_changes(zone: str, start: str, end: str, changes: list[str]) -> None:
    assert list(clock_changes(ZoneInfo(zone), instant(start), instant(end))) == [instant(each) for each in changes]
