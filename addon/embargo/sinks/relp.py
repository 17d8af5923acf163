"""RELP, the Reliable Event Logging Protocol (https://www.rsyslog.com/doc/relp.html): every message is answered.

A frame is `TXNR SP COMMAND SP LENGTH [SP DATA] LF`; the answer to frame N is a frame N with the command `rsp` and
data that begin with a code: 200 is done. A session begins with `open` and ends with `close`.
"""

import contextlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from embargo import __version__
from embargo.core.sink import Sink
from embargo.sinks.connection import Connection
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable, shown

_OFFER = f"relp_version=0\nrelp_software=embargo,{__version__}\ncommands=syslog"
_LAST = 999_999_999  # transaction number; then 1 again
_WINDOW = 128  # messages under way before their answers are read
_HEADER = re.compile(rb"([0-9]{1,9}) ([A-Za-z]{1,32}) ([0-9]{1,9})([ \n])")
_BEGINNING = re.compile(rb"[0-9]{0,9}(?: [A-Za-z]{0,32}(?: [0-9]{0,9})?)?")  # of one
_LONGEST_HEADER = 9 + 1 + 32 + 1 + 9 + 1  # bytes
_LONGEST_ANSWER = 1 << 20  # bytes


class Answer(NamedTuple):
    """A frame from the other side."""

    transaction: int
    command: str
    data: bytes


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> None:
        """More of the stream."""
        self._held += data

    def next(self) -> Answer | None:
        """The next whole frame; None where more bytes are needed. Raises Unreachable for what is none."""
        header = _HEADER.match(self._held)
        if header is None:
            if len(self._held) >= _LONGEST_HEADER or not _BEGINNING.fullmatch(self._held):
                raise Unreachable("the receiver does not speak RELP")
            return None
        length = int(header[3])
        end = header.end() + length
        if header[4] == b"\n":  # a frame without data
            end -= 1
            if length:
                raise Unreachable("the receiver does not speak RELP")
        if length > _LONGEST_ANSWER:
            raise Unreachable("the receiver does not speak RELP")
        if len(self._held) <= end:
            return None
        if self._held[end : end + 1] != b"\n":
            raise Unreachable("the receiver does not speak RELP")
        data, self._held = self._held[header.end() : end], self._held[end + 1 :]
        return Answer(int(header[1]), header[2].decode("ascii"), data)


class Relp:
    """A session with a RELP server, opened when it is needed."""

    def __init__(self, sink: Sink, connect: Callable[[Sink], Connection] = Connection) -> None:
        self._sink = sink
        self._connect = connect
        self._connection: Connection | None = None
        self._frames = Frames()
        self._transaction = 0

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Send them all; done are those that were answered with 200. Raises Unreachable where none was."""
        again: list[int] = []
        why, start = "", 0
        try:
            for start in range(0, len(messages), _WINDOW):
                window = messages[start : start + _WINDOW]
                refused = self._window([message.text.encode("utf-8") for message in window])
                again += [start + position for position in refused]
                why = next(iter(refused.values()), why)
        except Unreachable as broken:
            self.close()
            if not start:
                raise
            # what earlier windows had answered is done; of this one nothing is known
            return Delivery(again=(*again, *range(start, len(messages))), why=str(broken))
        return Delivery(again=tuple(again), why=why)

    def idle(self) -> None:
        """Notice that the server ended the session."""
        if self._connection is not None and self._connection.ended():
            self.close()

    def close(self) -> None:
        """End the session; the server says nothing that matters any more."""
        if self._connection is not None:
            with contextlib.suppress(Unreachable):
                self._connection.send(self._frame(b"close", b""))
            self._connection.close()
            self._connection = None

    def _window(self, payloads: Sequence[bytes]) -> dict[int, str]:
        """Send *payloads* and wait for each answer; those refused, by position, and what was said."""
        if self._connection is None:
            self._open()
        assert self._connection is not None
        waiting: dict[int, int] = {}
        frames = []
        for position, payload in enumerate(payloads):
            frames.append(self._frame(b"syslog", payload))
            waiting[self._transaction] = position
        self._connection.send(b"".join(frames))
        refused: dict[int, str] = {}
        while waiting:
            answer = self._answer()
            if (found := waiting.pop(answer.transaction, None)) is not None and not answer.data.startswith(b"200"):
                refused[found] = shown(f"the receiver answers {answer.data[:200].decode('utf-8', 'replace')}")
        return refused

    def _open(self) -> None:
        self._frames = Frames()
        self._transaction = 0
        connection = self._connect(self._sink)
        self._connection = connection
        connection.send(self._frame(b"open", _OFFER.encode("ascii")))
        answer = self._answer()
        if not answer.data.startswith(b"200"):
            raise Unreachable(f"the receiver refuses the session: {answer.data[:200].decode('utf-8', 'replace')}")

    def _answer(self) -> Answer:
        """The next frame. Raises Unreachable where the server closes."""
        assert self._connection is not None
        while True:
            while (answer := self._frames.next()) is None:
                self._frames.feed(self._connection.receive())
            if answer.command == "serverclose":
                raise Unreachable("the receiver closed the session")
            if answer.command == "rsp":
                return answer

    def _frame(self, command: bytes, data: bytes) -> bytes:
        self._transaction = self._transaction % _LAST + 1
        return b"%d %s %d%s\n" % (self._transaction, command, len(data), b" " + data if data else b"")
