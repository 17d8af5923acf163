"""Break-glass: for a bounded time nothing is refused, whatever the policy says. Pure: the clocks are passed in.

It ends on the wall clock, which is what its author was told, and by a second clock that nobody sets: a wall clock that
is set back prolongs nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

LONGEST = 86_400.0  # seconds: what has to last longer is a policy, `mode: monitor`, which others see and review
SHORTEST = 5.0  # seconds: workers look each 0.2 s, and the command waits 2 s for all of them
_LEAP = 1.0  # seconds by which two readings of the wall clock may differ


class Clocks(NamedTuple):
    """Both clocks, read together."""

    wall: datetime  # aware, UTC
    ticks: float  # seconds since the machine's start: never set, begins anew with each start


class End(StrEnum):
    """How it came to its end."""

    EXPIRED = "expired"
    ENDED = "ended"  # by the command
    REPLACED = "replaced"  # by a newer one
    REMOVED = "removed"  # its file was, by whomever
    DAMAGED = "damaged"  # its file is no longer ours, or cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """What somebody ordered, and for how long."""

    id: str  # UUIDv7
    since: datetime  # aware, UTC
    seconds: float  # from SHORTEST to LONGEST
    ticks: float  # of the machine's clock at `since`
    reason: str
    author: str
    ticket: str | None = None

    @property
    def until(self) -> datetime:
        """The first instant at which it no longer holds."""
        return self.since + timedelta(seconds=self.seconds)

    def left(self, clocks: Clocks) -> float:
        """Seconds until it ends, by whichever clock is there first; none or less: it is over."""
        by_wall = (self.until - clocks.wall).total_seconds()
        if clocks.ticks < self.ticks:  # the machine has started anew since: its clock tells nothing of it
            return by_wall
        return min(by_wall, self.seconds - (clocks.ticks - self.ticks))

    def is_ahead(self, clocks: Clocks) -> bool:
        """Whether it begins in the future and no clock bounds it: forged, or the machine's clock went wrong."""
        return self.left(clocks) > self.seconds + _LEAP


def in_words(seconds: float) -> str:
    """A time as people read it: `29 min 30 s`, `2 h`, `12 s`."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (left, "s")) if n) or "0 s"
