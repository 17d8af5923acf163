"""When in the week a rule holds: an interval belongs to the day on which it starts (DESIGN 4, Time)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
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


# Every minute around a change of the clocks, by a reckoning of its own: the offsets are written out below (no data base
# of time zones), and an interval is the set of readings of a wall clock that it covers, laid out on a calendar. Of New
# York: Energy Policy Act of 2005, s. 110: the second Sunday of March and the first of November, at 02:00 local time.
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFFSETS = {  # zone: its offsets, each from an instant on
    "America/New_York": (
        (instant("2026-01-01"), -5 * HOUR),
        (instant("2026-03-08T07:00:00Z"), -4 * HOUR),  # 02:00 becomes 03:00
        (instant("2026-11-01T06:00:00Z"), -5 * HOUR),  # 02:00 becomes 01:00
    ),
    "Asia/Shanghai": ((instant("2026-01-01"), 8 * HOUR),),  # no summer time since 1991
}
AROUND = {"the hour that is left out": date(2026, 3, 8), "the hour that comes twice": date(2026, 11, 1)}  # both Sundays
EVERY_MINUTE = {  # case: (days, hours)
    "inside the hour": ("", "02:10-02:50"),
    "the whole hour": ("", "02:00-03:00"),
    "the hour before": ("", "01:00-02:00"),
    "some minutes of the hour before": ("sun", "01:15-01:45"),
    "into the hour": ("sun", "01:30-02:30"),
    "out of the hour": ("sun", "02:30-04:00"),
    "across it": ("sun", "00:30-05:00"),
    "the day before, up to 24:00": ("sat", "20:00-24:00"),
    "the day itself, up to 24:00": ("sun", "03:00-24:00"),
    "the whole day": ("sun", "00:00-24:00"),
    "the days around it": ("sat mon", ""),
    "over midnight, ends before the change": ("sat", "22:00-01:30"),
    "over midnight, ends inside": ("sat", "22:00-02:30"),
    "over midnight, ends after": ("sat", "22:00-06:00"),
    "over midnight, ends as it comes": ("sat", "23:00-02:00"),
    "over midnight, ends as the hour is over": ("sat", "23:00-03:00"),
    "over midnight, begins after the change": ("sun", "22:00-06:00"),
    "over midnight, begins inside the hour": ("sun", "02:30-01:00"),
    "over midnight, begins before it": ("sun", "01:45-01:15"),
    "over midnight, of every day": ("", "22:00-06:00"),
    "over midnight, all but a few minutes inside": ("", "02:40-02:20"),
    "several": ("sat sun", "01:00-01:30 02:15-02:45 23:00-01:10"),
}
CLOCKS = [
    pytest.param(zone, day, days, hours, id=f"{zone}, {change}: {case}")
    for zone in OFFSETS
    for change, day in AROUND.items()
    for case, (days, hours) in EVERY_MINUTE.items()
]


def wall_clock(zone: str, moment: datetime) -> datetime:
    """What a clock on the wall shows at *moment*."""
    offset = [offset for start, offset in OFFSETS[zone] if start <= moment][-1]
    return (moment + offset).replace(tzinfo=None)


def readings(days: str, hours: str, around: date) -> set[datetime]:
    """The readings of the wall clock at which the schedule holds, some days before *around* and after."""
    covered: set[datetime] = set()
    for day in (datetime.combine(around, datetime.min.time()) + number * DAY for number in range(-4, 5)):
        if days and f"{day:%a}".lower() not in days.split():
            continue
        for interval in hours.split() or ["00:00-24:00"]:
            start, end = (int(text[:2]) * 60 + int(text[3:]) for text in interval.split("-"))
            length = end - start if start < end else end + 24 * 60 - start
            covered |= {day + (start + minute) * MINUTE for minute in range(length)}
    return covered


def minutes_around(day: date) -> Iterator[datetime]:
    """Every minute from a day before *day* (00:00 UTC) to the end of the day after it."""
    start = datetime.combine(day, datetime.min.time(), UTC) - DAY
    return (start + minute * MINUTE for minute in range(3 * 24 * 60))


@pytest.mark.parametrize(("zone", "day", "days", "hours"), CLOCKS)
def test_every_minute_around_a_change_of_the_clocks(zone: str, day: date, days: str, hours: str) -> None:
    covered, judged = readings(days, hours, day), schedule(days, hours, zone)
    wrong = [
        moment
        for moment in minutes_around(day)
        if judged.holds(moment) is not (wall_clock(zone, moment) in covered)
        or judged.holds(moment + timedelta(seconds=59.999999)) is not judged.holds(moment)
    ]
    assert wrong == []


@pytest.mark.parametrize(("zone", "day", "days", "hours"), CLOCKS)
def test_between_two_boundaries_nothing_changes(zone: str, day: date, days: str, hours: str) -> None:
    judged = schedule(days, hours, zone)
    minutes = list(minutes_around(day))
    boundaries = set(judged.boundaries(minutes[0]))
    changes = {after for before, after in pairwise(minutes) if judged.holds(before) is not judged.holds(after)}
    assert changes - boundaries == set()


SEEN = {  # case: (zone, days, hours, day, the minutes of that day in UTC in which it holds)
    "left out: 02:10-02:50 does not come": ("America/New_York", "sun", "02:10-02:50", "2026-03-08", ""),
    "left out: 02:10-02:50 a week later": ("America/New_York", "sun", "02:10-02:50", "2026-03-15", "06:10-06:50"),
    "left out: 01:30-03:30 lasts an hour": ("America/New_York", "sun", "01:30-03:30", "2026-03-08", "06:30-07:30"),
    "left out: 22:00-06:00 ends an hour early": ("America/New_York", "sat", "22:00-06:00", "2026-03-08", "03:00-10:00"),
    "twice: 01:10-01:50": ("America/New_York", "sun", "01:10-01:50", "2026-11-01", "05:10-05:50 06:10-06:50"),
    "twice: 01:30-02:30": ("America/New_York", "sun", "01:30-02:30", "2026-11-01", "05:30-06:00 06:30-07:30"),
    "twice: 22:00-06:00 ends an hour late": ("America/New_York", "sat", "22:00-06:00", "2026-11-01", "02:00-11:00"),
    "no change: six to eight in Shanghai": ("Asia/Shanghai", "sun", "18:00-20:00", "2026-03-08", "10:00-12:00"),
    "no change: over midnight in Shanghai": ("Asia/Shanghai", "sat", "22:00-06:00", "2026-10-31", "14:00-22:00"),
}  # fmt: skip


@pytest.mark.parametrize(("zone", "days", "hours", "day", "seen"), SEEN.values(), ids=SEEN)
def test_seen_in_utc(zone: str, days: str, hours: str, day: str, seen: str) -> None:
    judged, start = schedule(days, hours, zone), instant(day)
    minutes = {start + minute * MINUTE for minute in range(24 * 60) if judged.holds(start + minute * MINUTE)}
    expected = {
        start + minute * MINUTE
        for interval in seen.split()
        for minute in range(*(int(text[:2]) * 60 + int(text[3:]) for text in interval.split("-")))
    }
    assert minutes == expected
