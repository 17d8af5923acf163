"""A message in pieces is whole once its bytes are, in whatever order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.fragments import LONGEST, Fragments

ORDERS: dict[str, tuple[list[tuple[int, bytes]], bytes, int]] = {  # case: (pieces, whole, end)
    "nothing": ([], b"", 0),
    "at once": ([(0, b"abc")], b"abc", 3),
    "in order": ([(0, b"ab"), (2, b"c")], b"abc", 3),
    "backwards": ([(2, b"c"), (1, b"b"), (0, b"a")], b"abc", 3),
    "a gap": ([(0, b"a"), (2, b"c")], b"a", 3),
    "without a beginning": ([(1, b"bc")], b"", 3),
    "twice": ([(0, b"abc"), (0, b"abc")], b"abc", 3),
    "overlapping": ([(0, b"ab"), (1, b"bc"), (0, b"abcd")], b"abcd", 4),
    "empty, far off": ([(0, b"a"), (999, b"")], b"a", 1),
}


@pytest.mark.parametrize(("pieces", "whole", "end"), ORDERS.values(), ids=ORDERS)
def test_orders(pieces: list[tuple[int, bytes]], whole: bytes, end: int) -> None:
    fragments = Fragments()
    for offset, data in pieces:
        fragments.add(offset, data)
    assert (fragments.whole(), fragments.end) == (whole, end)


REFUSED: dict[str, list[tuple[int, bytes]]] = {
    "another byte": [(0, b"abc"), (1, b"x")],
    "another byte in an overlap": [(2, b"cd"), (0, b"abX")],
    "too far": [(LONGEST, b"a")],
    "too long": [(0, b"a" * (LONGEST + 1))],
}


@pytest.mark.parametrize("pieces", REFUSED.values(), ids=REFUSED)
def test_refused(pieces: list[tuple[int, bytes]]) -> None:
    fragments = Fragments()
    with pytest.raises(ValueError):
        for offset, data in pieces:
            fragments.add(offset, data)


@given(st.binary(min_size=1, max_size=40).flatmap(lambda m: st.tuples(st.just(m), st.permutations(range(len(m))))))
def test_any_order_of_single_bytes(drawn: tuple[bytes, list[int]]) -> None:
    message, order = drawn
    fragments = Fragments()
    for position in order:
        assert len(fragments.whole()) < len(message)
        fragments.add(position, message[position : position + 1])
    assert fragments.whole() == message
