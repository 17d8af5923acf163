"""Axes: round numbers to count by, and instants to name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, log10

_MOST_TICKS = 4
_MOST_NAMED = 4  # instants under a chart: as many as fit on a phone
_DAY = timedelta(days=1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # whatever the locale


def ticks(largest: int) -> list[int]:
    """Whole round numbers from 0 up to the first that is not below *largest*; at most five."""
    if largest <= 0:
        return [0, 1]
    power = 10 ** max(0, int(log10(largest)) - 1)
    steps = (factor * power * scale for scale in (1, 10, 100) for factor in (1, 2, 5))
    step = next(step for step in steps if ceil(largest / step) <= _MOST_TICKS)
    return list(range(0, ceil(largest / step) * step + 1, step))


def short(number: int) -> str:
    """*number* for an axis: 950, 12k, 1.5M."""
    for unit, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if number >= unit:
            unit = 1000 if letter == "k" else unit
            return f"{number / unit:.1f}".removesuffix(".0") + letter
    return f"{number:,}"


def instant(time: datetime) -> str:
    """*time* for people, to the minute: 24 Nov 2026, 08:15; a whole day without its hour."""
    day = f"{time.day} {_MONTHS[time.month - 1]} {time.year}"
    return day if (time.hour, time.minute) == (0, 0) else f"{day}, {time:%H:%M}"


def name_of(time: datetime, span: timedelta) -> str:
    """*time* under a chart that spans *span*."""
    if span > 300 * _DAY:
        return f"{_MONTHS[time.month - 1]} {time.year}"
    day = f"{time.day} {_MONTHS[time.month - 1]}"
    return day if span > 4 * _DAY else f"{day} {time:%H:%M}"


def named(starts: Sequence[datetime], most: int = _MOST_NAMED) -> list[datetime]:
    """At most *most* of *starts*, evenly apart: few enough for their names to stand side by side on a phone."""
    step = ceil(len(starts) / most)
    return list(starts[::step]) if starts else []


def bounds(start: datetime, end: datetime) -> list[datetime]:
    """Instants that divide the time from *start* to *end*: midnights, or firsts of a month where it is long."""
    span = end - start
    if span > 120 * _DAY:
        found, year, month = [], start.year, start.month
        while (first := start.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)) < end:
            if first >= start:
                found.append(first)
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return found
    step = _DAY if span > 2 * _DAY else timedelta(hours=1)
    first = start.replace(hour=0, minute=0, second=0, microsecond=0)
    count = ceil((end - first) / step)
    return [time for time in (first + number * step for number in range(count)) if time >= start]


def buckets(start: datetime, end: datetime, most: int = 62) -> list[tuple[datetime, datetime]]:
    """The time from *start* to *end*, cut into at most about *most* whole hours, days or weeks: from, and before.

    All begin on the hour, so that counts by hour can be added to them.
    """
    steps = [timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760)]
    step = next((step for step in steps if (end - start) / step <= most), steps[-1])
    whole = min(step, _DAY)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + (start - midnight) // whole * whole
    edges = [first + number * step for number in range(ceil((end - first) / step) + 1)]
    edges[0], edges[-1] = start, end
    return list(pairwise(edges))
