from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.store.spans import DAY, HOUR, LENGTHS, SPAN, instant, micros, pieces

MICROS = st.integers(-(10**15), 2 * 10**15)


@given(MICROS, st.integers(0, 10**15), st.sampled_from([HOUR, DAY]))
def test_pieces_cover_the_period_and_no_more(begin: int, length: int, lowest: int) -> None:
    """Each instant of the period is in one piece, none outside; few pieces, and none of the edges holds a bucket."""
    end = begin + length
    found = list(pieces(begin, end, lowest))
    ranges = sorted(
        (piece.begin, piece.end) if piece.level < 0 else (piece.begin * LENGTHS[piece.level], piece.end * LENGTHS[piece.level])
        for piece in found
    )
    assert sum(last - first for first, last in ranges) == length
    assert all(one[1] == other[0] for one, other in zip(ranges, ranges[1:], strict=False))
    assert not ranges or (ranges[0][0], ranges[-1][1]) == (begin, end)
    assert len(found) <= 7
    for piece in found:
        if piece.level < 0:
            assert piece.end - piece.begin < 2 * LENGTHS[lowest]


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_a_time_there_and_back(time: datetime) -> None:
    assert instant(micros(time.replace(tzinfo=UTC))) == time.replace(tzinfo=UTC)


def test_levels_are_whole_parts_of_one_another() -> None:
    assert LENGTHS[DAY] % LENGTHS[HOUR] == LENGTHS[SPAN] % LENGTHS[DAY] == 0
