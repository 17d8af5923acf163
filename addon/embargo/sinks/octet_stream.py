"""syslog over TCP (RFC 6587, octet counting) and TLS (RFC 5425): `LENGTH SP MESSAGE`, and nothing comes back.

So nothing proves that the receiver's program has a message; that its system has acknowledged the bytes is the most
that is known, and what it had not read when it died is gone. Hence what was sent in the last minute before a
connection broke is sent again on the next. RELP has an answer for each message and needs none of that.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence

from embargo.core.sink import Sink
from embargo.sinks.connection import Connection
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable

_IN_DOUBT = 60.0  # seconds before the end of a connection in which what was sent may be lost
_MOST_IN_DOUBT = 8 * 1024 * 1024  # bytes: more than a receiving system holds for a program that does not read


def framed(message: Message) -> bytes:
    """*message* as a frame."""
    data = message.text.encode("utf-8")
    return b"%d %s" % (len(data), data)


class OctetStream:
    """A connection to a syslog server, opened when it is needed."""

    def __init__(
        self,
        sink: Sink,
        connect: Callable[[Sink], Connection] = Connection,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._connect = connect
        self._clock = clock
        self._connection: Connection | None = None
        self._recent: deque[tuple[float, bytes]] = deque()  # when each frame was sent on this connection
        self._size = 0
        self._doubtful: list[bytes] = []  # of broken connections; to be sent first

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Send them all, after what the last connection may have lost. Raises Unreachable."""
        if self._connection is not None and self._connection.ended():
            self._broken()
        try:
            if self._connection is None:
                self._connection = self._connect(self._sink)
            frames = [*self._doubtful, *map(framed, messages)]
            self._connection.send(b"".join(frames))
            self._connection.settle()
        except Unreachable:
            self._broken()
            raise
        self._doubtful.clear()
        now = self._clock()
        for frame in frames:
            self._recent.append((now, frame))
            self._size += len(frame)
        self._forget(now)
        return Delivery()

    def idle(self) -> None:
        """Notice an end soon, so that what is in doubt is known."""
        if self._connection is not None and self._connection.ended():
            self._broken()
        self._forget(self._clock())

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _broken(self) -> None:
        self.close()
        self._forget(self._clock())
        self._doubtful += [frame for _, frame in self._recent]
        self._recent.clear()
        self._size = 0

    def _forget(self, now: float) -> None:
        while self._recent and (now - self._recent[0][0] > _IN_DOUBT or self._size > _MOST_IN_DOUBT):
            self._size -= len(self._recent.popleft()[1])
