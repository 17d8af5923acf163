"""When in the week a rule holds, by the wall clock of a time zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES_OF_DAY = 24 * 60


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
