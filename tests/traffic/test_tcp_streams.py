"""TCP put together: whatever comes twice, early or late, the reader sees the bytes in order, once."""

from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from embargo.traffic import tcp_streams
from embargo.traffic.packet import FIN, SYN, Segment, Way
from embargo.traffic.tcp_streams import MOST_AHEAD, MOST_STREAMS, TcpStreams

WAY = Way(b"\x0a\0\0\7", 40000, b"\xc0\0\2\x50", 443)
START = 2**32 - 40  # the numbers wrap around on the way
TEXT = b"GET " + bytes(range(65, 91)) * 8


class Collected:
    """A reader that keeps everything."""

    def __init__(self, way: Way, number: int) -> None:
        self.way, self.number = way, number
        self.data = b""
        self.gaps: list[int] = []
        self.done = self.ended = False

    @property
    def held(self) -> int:
        return len(self.data)

    def feed(self, data: bytes) -> None:
        assert data
        self.data += data

    def may_begin(self, data: bytes) -> bool:
        return data.startswith(b"GET ")

    def skip(self) -> None:
        self.gaps.append(len(self.data))

    def end(self) -> None:
        self.ended = self.done = True


class Streams:
    """Streams, and the readers that were made."""

    def __init__(self) -> None:
        self.readers: list[Collected] = []
        self.streams = TcpStreams(self._new)

    def _new(self, way: Way, number: int) -> Collected:
        self.readers.append(Collected(way, number))
        return self.readers[-1]

    def send(self, offset: int, payload: bytes = b"", flags: int = 0, way: Way = WAY) -> None:
        self.streams.feed(Segment(way, (START + 1 + offset) % 2**32, flags, payload), len(self.readers) + 1)

    def open(self, way: Way = WAY) -> None:
        self.streams.feed(Segment(way, START, SYN, b""), len(self.readers) + 1)


@st.composite
def segments(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Pieces (start, end) that cover TEXT, some of it several times, in any order."""
    cuts = sorted({0, len(TEXT), *draw(st.lists(st.integers(1, len(TEXT) - 1), max_size=8))})
    pieces = list(pairwise(cuts))
    again = draw(st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.integers(1, 60)), max_size=6))
    pieces += [(start, min(len(TEXT), start + size)) for start, size in again]
    return draw(st.permutations(pieces))


@settings(max_examples=300)
@given(segments())
def test_any_order(pieces: list[tuple[int, int]]) -> None:
    """However the bytes are cut, shuffled, repeated and overlapped: the reader gets them once, in order."""
    made = Streams()
    made.open()
    for start, end in pieces:
        made.send(start, TEXT[start:end])
    (reader,) = made.readers
    assert (reader.data, reader.gaps) == (TEXT, [])


@settings(max_examples=100)
@given(segments())
def test_a_beginning_that_was_not_captured(pieces: list[tuple[int, int]]) -> None:
    """Without a SYN, the piece that reads like a beginning is one, though up to four others came before it."""
    first = next((index for index, (start, end) in enumerate(pieces) if start == 0 and end >= 4), 5)
    assume(first <= 4)
    made = Streams()
    for start, end in pieces:
        made.send(start, TEXT[start:end])
    assert made.readers[0].data == TEXT


def test_a_gap_is_stepped_over() -> None:
    made = Streams()
    made.open()
    made.send(0, b"abc")
    made.send(10, b"x" * MOST_AHEAD)
    assert made.readers[0].data == b"abc"
    made.send(10 + MOST_AHEAD, b"yz")
    assert made.readers[0].gaps == [3]
    assert made.readers[0].data == b"abc" + b"x" * MOST_AHEAD + b"yz"


def test_at_the_end_what_waits_is_given() -> None:
    made = Streams()
    made.open()
    made.send(5, b"late", FIN)
    (reader,) = made.readers
    assert (reader.data, reader.gaps, reader.ended) == (b"late", [0], True)


def test_data_with_the_first_segment() -> None:
    made = Streams()
    made.streams.feed(Segment(WAY, START, SYN, b"early"), 1)
    assert made.readers[0].data == b"early"


def test_a_port_that_is_used_again() -> None:
    made = Streams()
    made.open()
    made.send(0, b"one")
    made.streams.feed(Segment(WAY, 7, SYN, b""), 3)
    made.streams.feed(Segment(WAY, 8, 0, b"two"), 4)
    assert [(reader.data, reader.ended) for reader in made.readers] == [(b"one", True), (b"two", False)]


def test_nothing_is_held_of_what_is_done() -> None:
    made = Streams()
    made.open()
    made.readers[0].done = True
    made.send(0, b"x" * 1000)
    assert made.streams._held == 0
    assert made.readers[0].data == b""


def test_streams_are_bounded() -> None:
    made = Streams()
    for number in range(MOST_STREAMS + 5):
        way = Way(number.to_bytes(4), 1, WAY.target, 443)
        made.open(way)
        made.send(0, b"GET ", way=way)
    assert len(made.streams._streams) == MOST_STREAMS
    assert [reader.ended for reader in made.readers[:6]] == [True] * 5 + [False]
    assert made.streams._held == 4 * MOST_STREAMS


def test_what_all_hold_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_streams, "MOST_HELD", 1000)
    made = Streams()
    for number in range(5):
        way = Way(bytes([number, 0, 0, 0]), 1, WAY.target, 443)
        made.open(way)
        made.send(0, b"x" * 400, way=way)
    assert [reader.ended for reader in made.readers] == [True, True, True, False, False]
