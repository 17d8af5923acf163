from hashlib import blake2s
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.cardinality import DIGEST, REGISTERS, Distinct, mark_of


def mark(value: int, key: bytes = b"k") -> int:
    return mark_of(blake2s(value.to_bytes(8), key=key, digest_size=DIGEST).digest())


def counted(values: range, key: bytes = b"k") -> Distinct:
    found = Distinct()
    for value in values:
        found.add(mark(value, key))
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20, 100, 1000, 10_000, 100_000])
def test_the_estimate_is_near(count: int) -> None:
    """Within four standard errors, for each of a few keys."""
    for key in (b"a", b"b", b"c"):
        found = counted(range(count), key)
        assert abs(found.estimate - count) <= max(1 if count < 20 else 4, 4 * 0.065 * count)


def test_marks_are_registers_and_ranks() -> None:
    assert mark_of(bytes(DIGEST)) == 57 * REGISTERS, "all bits are zero"
    assert mark_of(b"\x80" + bytes(6) + b"\x03") == REGISTERS + 3


MANY = st.lists(st.integers(0, 2000), max_size=300)


@given(MANY, MANY)
def test_merged_is_as_if_counted_together(first: list[int], second: list[int]) -> None:
    one, two, both = Distinct(), Distinct(), Distinct()
    for value in first:
        one.add(mark(value))
        both.add(mark(value))
    for value in second:
        two.add(mark(value))
        both.add(mark(value))
    one.merge(two)
    assert (one.estimate, one.at_least) == (both.estimate, both.at_least)


@given(MANY)
def test_never_more_for_certain_than_there_were(values: list[int]) -> None:
    """Whoever must not be told of fewer than five relies on it."""
    found = Distinct()
    for value in values:
        found.add(mark(value))
    assert found.at_least <= len(set(values))
    assert found.at_least <= found.estimate


def test_the_same_value_counts_once() -> None:
    for first, second in combinations(range(20), 2):
        found = Distinct()
        for value in (first, second, first, second):
            found.add(mark(value))
        assert found.estimate <= 2
