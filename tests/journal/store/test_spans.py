from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.store.spans import AGE, DAY, HOUR, LENGTHS, Piece, covering, instant, micros, pieces

MICROS = st.integers(-(10**15), 2 * 10**15)


@given(MICROS, st.integers(0, 10**15), st.sampled_from([HOUR, DAY]))
def test_pieces_cover_the_period_and_no_more(begin: int, length: int, lowest: int) -> None:
    """Each instant of the period is in one piece, none outside; few pieces, and none of the edges holds a bucket."""
    end = begin + length
    found = list(covering(begin, end, lowest))
    ranges = sorted(map(range_of, found))
    assert sum(last - first for first, last in ranges) == length
    assert all(one[1] == other[0] for one, other in pairwise(ranges))
    assert not ranges or (ranges[0][0], ranges[-1][1]) == (begin, end)
    assert len(found) <= 9
    for piece in found:
        if piece.level < 0:
            assert piece.end - piece.begin < 2 * LENGTHS[lowest]


@given(MICROS, st.integers(0, 10**15), MICROS, st.integers(1, 10**14), st.integers(0, 10**14))
def test_pieces_add_up(begin: int, length: int, first: int, extent: int, offset: int) -> None:
    """An instant of what is there is in the period just where more pieces add it than take it off."""
    end = begin + length
    found = pieces(begin, end, DAY, first, first + extent)
    for instant_ in (first, first + offset % extent, first + extent - 1, begin, begin - 1, end - 1, end):
        if first <= instant_ < first + extent:
            share = sum(piece.sign for piece in found if range_of(piece)[0] <= instant_ < range_of(piece)[1])
            assert share == (begin <= instant_ < end)


def range_of(piece: Piece) -> tuple[int, int]:
    length = 1 if piece.level < 0 else LENGTHS[piece.level]
    return piece.begin * length, piece.end * length


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_a_time_there_and_back(time: datetime) -> None:
    assert instant(micros(time.replace(tzinfo=UTC))) == time.replace(tzinfo=UTC)


def test_levels_are_whole_parts_of_one_another() -> None:
    assert LENGTHS[DAY] % LENGTHS[HOUR] == LENGTHS[AGE] % LENGTHS[DAY] == 0
