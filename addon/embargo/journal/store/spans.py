"""Periods in whole hours, days and spans, for which counts are kept, and the edges that are left. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000  # microseconds
HOUR, DAY, SPAN, AGE = 0, 1, 2, 3  # levels
LENGTHS = tuple(
    seconds * SECOND for seconds in (3_600, 86_400, 32 * 86_400, 1024 * 86_400)
)  # each a multiple of the last
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
    sign: int = 1  # -1: what is in it is to be taken off


def pieces(begin: int, end: int, lowest: int, all_from: int, all_to: int) -> list[Piece]:
    """*begin* to *end* (microseconds) in few pieces, where everything there is lies from *all_from* to *all_to*.

    A period that is nearly all of it is all of it, less what is outside.
    """
    whole = (all_from // LENGTHS[AGE] * LENGTHS[AGE], -(-all_to // LENGTHS[AGE]) * LENGTHS[AGE])
    begin, end = max(begin, whole[0]), min(end, whole[1])
    left_out = max(0, begin - all_from) + max(0, all_to - end)
    if left_out * 4 >= all_to - all_from:
        return list(covering(begin, end, lowest))
    outside = [*covering(all_from, begin, lowest), *covering(end, all_to, lowest)]
    return [
        Piece(AGE, whole[0] // LENGTHS[AGE], whole[1] // LENGTHS[AGE]),
        *(replace(each, sign=-1) for each in outside),
    ]


def covering(begin: int, end: int, lowest: int, highest: int = AGE) -> Iterator[Piece]:
    """*begin* to *end* (microseconds) in the fewest buckets, from the largest down. In no order of time."""
    if begin >= end:
        return
    length = LENGTHS[highest]
    first, last = -(-begin // length), end // length
    if first < last:
        yield Piece(highest, first, last)
        outer = [(begin, first * length), (last * length, end)]
    else:
        outer = [(begin, end)]
    for one, other in outer:
        if one < other:
            if highest > lowest:
                yield from covering(one, other, lowest, highest - 1)
            else:
                yield Piece(-1, one, other)
