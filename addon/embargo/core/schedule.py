"""When in the week a rule holds, by the wall clock of a time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_OF_DAY = 24 * 60
_SHORTEST_REGIME = timedelta(hours=12)  # no zone changes its clock twice in so short a time
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Days and hours. An interval belongs to the day on which it starts; local wall-clock minutes decide."""

    timezone: tzinfo
    days: frozenset[int] = frozenset(range(7))  # 0 is Monday
    hours: tuple[tuple[int, int], ...] = ((0, _MINUTES_OF_DAY),)  # minutes of day; end before start: over midnight

    def holds(self, instant: datetime) -> bool:
        """Whether *instant* (aware) falls into an interval."""
        local = instant.astimezone(self.timezone)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        for start, end in self.hours:
            if start < end:
                if today in self.days and start <= minute < end:
                    return True
            elif (today in self.days and minute >= start) or (yesterday in self.days and minute < end):
                return True
        return False

    def boundaries(self, instant: datetime) -> Iterator[datetime]:
        """The instants (UTC) from a day before *instant* to nine days after at which `holds` may change."""
        local = instant.astimezone(self.timezone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        for day in range(-1, 10):
            for minutes in {minute for interval in self.hours for minute in interval}:
                wall = midnight + timedelta(days=day, minutes=minutes)
                for fold in (0, 1):  # an hour that the clock shows twice
                    yield wall.replace(tzinfo=self.timezone, fold=fold).astimezone(UTC)
        yield from clock_changes(self.timezone, instant - timedelta(days=1), instant + timedelta(days=9))


def clock_changes(timezone: tzinfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants (UTC, to the second) between *start* and *end* at which the offset of *timezone* changes.

    When the clock jumps, an interval may begin or end at a minute that it never shows, or shows twice.
    """
    before = start.astimezone(UTC).replace(microsecond=0)
    while before < end:
        after = before + _SHORTEST_REGIME
        if _offset(timezone, before) != _offset(timezone, after):
            low, high = before, after
            while high - low > _SECOND:
                middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
                if _offset(timezone, middle) == _offset(timezone, before):
                    low = middle
                else:
                    high = middle
            if high <= end:  # the last step reaches beyond
                yield high
        before = after


def _offset(timezone: tzinfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(timezone).utcoffset()
