"""The week as schedules divide it: which of them hold from when to when, and hours of the week in words.

A schedule looks at nothing but the wall clock of its zone, so what a set of schedules does is the same for every
instant at which the same ones of them hold.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from embargo.core.schedule import DAYS, Schedule, clock_changes

WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
_MINUTES = 24 * 60
_STRIDE = timedelta(days=9)  # that `Schedule.boundaries` looks ahead

type Holding = frozenset[Schedule]  # of several, those that hold


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of some days of the week, by the wall clock; an interval belongs to the day on which it starts."""

    days: frozenset[int]  # 0 is Monday
    start: int  # minutes of the day
    end: int  # up to 24:00; not after the start: over midnight

    def __str__(self) -> str:
        days = day_words(self.days)
        if (self.start, self.end) == (0, _MINUTES):
            return days or "every day"
        hours = f"{_clock(self.start)}–{_clock(self.end)}"
        return f"{days} {hours}" if days else f"daily {hours}"


class Span(NamedTuple):
    """A time in which the same schedules hold."""

    start: datetime  # UTC
    end: datetime
    held: Holding


def holding(schedules: Iterable[Schedule], instant: datetime) -> Holding:
    """Those of *schedules* that hold at *instant* (aware)."""
    return frozenset(schedule for schedule in schedules if schedule.holds(instant))


def moments(schedules: Collection[Schedule], start: datetime, end: datetime) -> Iterator[tuple[datetime, Holding]]:
    """*start*, and each instant before *end* at which other *schedules* hold than before, with those that hold then."""
    held = holding(schedules, start)
    yield start, held
    if not schedules:
        return
    at = start
    while at < end:
        ahead = min(at + _STRIDE, end)
        found = {each for schedule in schedules for each in schedule.boundaries(at)}
        for instant in sorted(each for each in found if at < each < end and each <= ahead):
            now = holding(schedules, instant)
            if now != held:
                held = now
                yield instant, held
        at = ahead


def steady_week(zones: Iterable[tzinfo], start: datetime, end: datetime) -> datetime | None:
    """The first day's beginning from which on a whole week before *end* shows each minute of every zone once."""
    for days in range(22):  # three weeks: no zone changes its clock in each of them
        begin = start + days * _DAY
        if begin + WEEK > end:
            return None
        if not any(True for zone in zones for _ in clock_changes(zone, begin, begin + WEEK)):
            return begin
    return None


def hours_of(spans: Iterable[tuple[datetime, datetime]], zone: tzinfo) -> tuple[Hours, ...]:
    """*spans* within one week as hours of days by the wall clock of *zone*: equal hours of several days together."""
    days: dict[tuple[int, int], set[int]] = {}
    for start, end in _joined(spans):
        for day, first, last in _days_of(start.astimezone(zone), end.astimezone(zone)):
            days.setdefault((first, last), set()).add(day)
    found = [Hours(frozenset(those), first, last) for (first, last), those in days.items()]
    return tuple(sorted(found, key=lambda hours: (min(hours.days), hours.start)))


def hours_words(held: Collection[Holding], course: Iterable[Span], zone: tzinfo) -> str:
    """When in a week one of the sets *held* holds: `mon–fri 18:00–20:00 UTC`, or outside which hours; empty: always.

    *course* is one week of it, by which sets hold from when to when, in order of time.
    """
    spans = list(course)
    own = hours_of(((span.start, span.end) for span in spans if span.held in held), zone)
    others = hours_of(((span.start, span.end) for span in spans if span.held not in held), zone)
    if not others:
        return ""
    outside = len(others) < len(own)
    hours = ", ".join(map(str, others if outside else own))
    return f"{'outside ' if outside else ''}{hours} {zone_name(zone)}"


def course_of(schedules: Collection[Schedule], start: datetime, end: datetime) -> list[Span]:
    """What of *schedules* holds from *start* to *end*, without a gap."""
    found = list(moments(schedules, start, end))
    ends = [*(instant for instant, _ in found[1:]), end]
    return [Span(instant, stop, held) for (instant, held), stop in zip(found, ends, strict=True)]


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """*spans*, those that meet made one; the last of a week meets the first of the next."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    if len(joined) > 1 and joined[-1][1] - joined[0][0] == WEEK:
        first = joined.pop(0)
        joined[-1] = (joined[-1][0], first[1] + WEEK)
    return joined


def _days_of(start: datetime, end: datetime) -> Iterator[tuple[int, int, int]]:
    """Day of the week, first and last minute of each day between two local times; one night stays whole."""
    minute, last = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    apart = (end.date() - start.date()).days
    if apart == 1 and 0 < last <= minute:
        yield start.weekday(), minute, last
        return
    for day in range(apart + 1):
        first = minute if day == 0 else 0
        until = last if day == apart else _MINUTES
        if first < until:
            yield (start.weekday() + day) % 7, first, until


def day_words(days: Collection[int]) -> str:
    """*days* as a policy's reader says them: `mon–fri`, `sat sun`; empty for every day."""
    if len(set(days)) == 7:
        return ""
    ordered = sorted(days)
    runs: list[list[int]] = []
    for day in ordered:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return " ".join(
        f"{DAYS[run[0]]}–{DAYS[run[-1]]}" if len(run) > 2 else " ".join(DAYS[day] for day in run) for run in runs
    )


def zone_of(schedules: Iterable[Schedule]) -> tzinfo:
    """The zone in which hours of *schedules* are told: the first of theirs by name; UTC where there are none."""
    return min((schedule.timezone for schedule in schedules), key=zone_name, default=UTC)


def zone_name(zone: tzinfo) -> str:
    """The name of *zone*, as people write it."""
    return "UTC" if zone is UTC else str(zone)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
