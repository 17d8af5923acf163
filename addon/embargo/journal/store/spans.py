"""Periods in whole hours, days and spans, for which counts are kept, and the edges that are left. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000  # microseconds
HOUR, DAY, SPAN = 0, 1, 2  # levels
LENGTHS = (3_600 * SECOND, 86_400 * SECOND, 32 * 86_400 * SECOND)  # microseconds; each a multiple of the one before
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """*instant* (aware) as microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """*micros* since 1970 as a time in UTC; the nearest that there is."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return (datetime.min if micros < 0 else datetime.max).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time. On level -1 it is no whole bucket: its records are to be counted one by one."""

    level: int
    begin: int  # first bucket; microseconds on level -1
    end: int  # behind the last


def pieces(begin: int, end: int, lowest: int = HOUR, highest: int = SPAN) -> Iterator[Piece]:
    """*begin* to *end* (microseconds) in the fewest pieces, from the largest bucket down. In no order of time."""
    length = LENGTHS[highest]
    first, last = -(-begin // length), end // length
    if first < last:
        yield Piece(highest, first, last)
        outer = ((begin, first * length), (last * length, end))
    else:
        outer = ((begin, end),)
    for one, other in outer:
        if one < other:
            if highest > lowest:
                yield from pieces(one, other, lowest, highest - 1)
            else:
                yield Piece(-1, one, other)
