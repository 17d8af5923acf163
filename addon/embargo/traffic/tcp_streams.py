"""TCP put together: what one side of each connection sent, in order, in bounded memory.

A gap that is not filled within `MOST_AHEAD` bytes is stepped over: the capture lost what was in it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from embargo.traffic.packet import FIN, RST, SYN, Segment, Way

MOST_STREAMS = 16_384  # that are followed at a time; the one that was silent longest is let go
MOST_AHEAD = 256 * 1024  # bytes of a stream that wait for what comes before them
MOST_HELD = 64 * 1024 * 1024  # bytes of all streams, with what their readers hold
_HALF = 1 << 31
_PATIENCE = 4  # pieces of a stream whose beginning was not captured, in which one may still come


class StreamReader(Protocol):
    """Makes something of one side of a connection."""

    done: bool  # nothing that comes is of interest

    @property
    def held(self) -> int:
        """The bytes that it holds."""
        ...

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        ...

    def may_begin(self, data: bytes) -> bool:
        """Whether a connection that is of interest may begin with *data*."""
        ...

    def skip(self) -> None:
        """Something is missing between what came and what comes."""
        ...

    def end(self) -> None:
        """Nothing more comes."""
        ...


@dataclass(slots=True)
class Stream[R: StreamReader]:
    """One side of a connection."""

    way: Way
    reader: R
    number: int  # of its first packet
    expected: int  # the sequence number that comes next
    opened: bool  # its beginning was captured, so that `expected` is right
    pieces: dict[int, bytes] = field(default_factory=dict)  # ahead of what is expected
    ahead: int = 0  # bytes in `pieces`
    counted: int = 0  # bytes that it was last counted with

    def take(self, sequence: int, payload: bytes) -> None:
        """Give the reader *payload* and whatever it was missing for."""
        if not self.opened:
            if not self.reader.may_begin(payload):
                self._keep(sequence, payload)
                if len(self.pieces) > _PATIENCE:
                    self.end()
                return
            self.expected, self.opened = sequence, True
        distance = (sequence - self.expected) % (2 * _HALF)
        if distance >= _HALF:  # it begins before: sent again, perhaps with more
            payload = payload[2 * _HALF - distance :]
            distance = 0
            if not payload:
                return
        if distance:
            self._keep(sequence, payload)
            if self.ahead > MOST_AHEAD:
                self._step_over()
            return
        self._give(payload)
        self._give_what_follows()

    def _keep(self, sequence: int, payload: bytes) -> None:
        known = self.pieces.get(sequence, b"")
        if len(payload) > len(known):
            self.pieces[sequence] = payload
            self.ahead += len(payload) - len(known)

    def _give(self, payload: bytes) -> None:
        self.expected = (self.expected + len(payload)) % (2 * _HALF)
        if not self.reader.done:
            self.reader.feed(payload)

    def _give_what_follows(self) -> None:
        while self.pieces:
            nearest = min(self.pieces, key=lambda sequence: (sequence - self.expected + _HALF) % (2 * _HALF))
            distance = (nearest - self.expected) % (2 * _HALF)
            if 0 < distance < _HALF:
                return
            payload = self.pieces.pop(nearest)
            self.ahead -= len(payload)
            rest = payload[(2 * _HALF - distance) % (2 * _HALF) :]
            if rest:
                self._give(rest)

    def _step_over(self) -> None:
        self.expected = min(self.pieces, key=lambda sequence: (sequence - self.expected) % (2 * _HALF))
        self.reader.skip()
        self._give_what_follows()

    def end(self) -> None:
        """What waits is given, gaps or not."""
        while self.opened and self.pieces and not self.reader.done:
            self._step_over()
        self.pieces.clear()
        self.ahead = 0
        if not self.reader.done:
            self.reader.end()


class TcpStreams[R: StreamReader]:
    """All that are followed; *new* makes the reader of one."""

    def __init__(self, new: "NewReader[R]") -> None:
        self._new = new
        self._streams: OrderedDict[Way, Stream[R] | None] = OrderedDict()  # None: of no interest any more
        self._held = 0

    def feed(self, segment: Segment, number: int) -> None:
        """The next segment, packet *number* of the capture."""
        way, flags = segment.way, segment.flags
        if flags & SYN:
            self._finish(way)
            expected = (segment.sequence + 1) % (2 * _HALF)
            stream: Stream[R] | None = Stream(way, self._new(way, number), number, expected, opened=True)
            self._streams[way] = stream
        elif way in self._streams:
            stream = self._streams[way]
            if stream is None:
                if flags & (FIN | RST):
                    del self._streams[way]
                return
            self._streams.move_to_end(way)
        elif not segment.payload:
            return
        else:
            stream = Stream(way, self._new(way, number), number, segment.sequence, opened=False)
            self._streams[way] = stream
        if stream is not None and segment.payload:
            stream.take((segment.sequence + bool(flags & SYN)) % (2 * _HALF), segment.payload)
            self._count(stream)
        if flags & (FIN | RST):
            self._finish(way)
        while len(self._streams) > MOST_STREAMS or self._held > MOST_HELD:
            self._finish(next(iter(self._streams)))

    def end(self) -> None:
        """The capture is over."""
        for way in list(self._streams):
            self._finish(way)

    def _count(self, stream: Stream[R]) -> None:
        held = 0 if stream.reader.done else stream.ahead + stream.reader.held
        self._held += held - stream.counted
        stream.counted = held
        if stream.reader.done:
            self._streams[stream.way] = None

    def _finish(self, way: Way) -> None:
        stream = self._streams.pop(way, None)
        if stream is not None:
            stream.end()
            self._held -= stream.counted


class NewReader[R: StreamReader](Protocol):
    """Makes a reader."""

    def __call__(self, way: Way, number: int, /) -> R:
        """The reader of what goes *way*, whose first packet is *number*."""
        ...
