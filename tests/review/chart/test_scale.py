from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.review.chart.scale import bounds, buckets, instant, name_of, named, short, ticks

START = datetime(2026, 11, 23, 8, 15, tzinfo=UTC)
TICKS = {
    0: [0, 1],
    1: [0, 1],
    3: [0, 1, 2, 3],
    7: [0, 2, 4, 6, 8],
    412: [0, 200, 400, 600],
    99_999: [0, 50_000, 100_000],
}


@pytest.mark.parametrize(("largest", "expected"), TICKS.items(), ids=map(str, TICKS))
def test_ticks(largest: int, expected: list[int]) -> None:
    assert ticks(largest) == expected


@given(st.integers(1, 10**12))
def test_the_axis_holds_what_is_drawn(largest: int) -> None:
    found = ticks(largest)
    assert found[0] == 0
    assert found[-1] >= largest
    assert 2 <= len(found) <= 5


def test_numbers_and_names() -> None:
    assert [short(n) for n in (0, 950, 1234, 12_000, 12_345, 1_500_000)] == [
        "0",
        "950",
        "1,234",
        "12k",
        "12.3k",
        "1.5M",
    ]
    assert instant(START) == "23 Nov 2026, 08:15"
    assert instant(START.replace(hour=0, minute=0)) == "23 Nov 2026"
    spans = [timedelta(days=days) for days in (1, 30, 400)]
    assert [name_of(START, span) for span in spans] == ["23 Nov 08:15", "23 Nov", "Nov 2026"]


@given(st.integers(0, 100_000), st.integers(1, 3 * 366 * 1440))
def test_buckets_cover_the_time_without_gap(after: int, minutes: int) -> None:
    start = START + timedelta(minutes=after)
    end = start + timedelta(minutes=minutes)
    found = buckets(start, end)
    assert (found[0][0], found[-1][1]) == (start, end)
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert all(first < last for first, last in found)
    assert all(first.minute == 0 for first, _ in found[1:])  # so that counts by hour can be added up
    assert len(found) <= 64


@given(st.integers(1, 6 * 366 * 24))
def test_what_is_named_lies_within(hours: int) -> None:
    end = START + timedelta(hours=hours)
    found = named(bounds(START, end))
    assert len(found) <= 4
    assert all(START <= each < end for each in found)
