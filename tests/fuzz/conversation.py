"""Carrying an example through the proxy, and what came of it."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from e2e.clients import BOUND, connect, tls, tunnel
from e2e.proxy import Proxy, field
from fuzz.exchange import BANNED, COVER, TWIN, Place
from fuzz.readings import arrived
from fuzz.recorder import Recorder

SILENCE = 0.25  # seconds without a byte after which nothing more is expected: what is held is held for good
_PACE = 0.002  # seconds between segments, so that the proxy sees each by itself
_OUR_REASONS = ("rule", "default", "error")  # of a block; for an innocent name none of these is ever right


@dataclass(frozen=True)
class Outcome:
    """What the client and the origin saw of one example."""

    answer: bytes
    blocked: int  # records of a refusal that it made
    leaked: list[bytes]  # what reached the origin for the banned name


def converse(connection: socket.socket, segments: Iterable[bytes], *, answers: int = 0) -> bytes:
    """Send *segments*, each by itself, and return what comes until the peer closes or falls silent.

    Where so many *answers* must come, they get the time for that.
    """
    answer = b""
    with connection, contextlib.suppress(OSError):
        for segment in segments:
            connection.sendall(segment)
            time.sleep(_PACE)
        connection.settimeout(BOUND if answers else SILENCE)
        while data := connection.recv(65536):
            answer += data
            if answer.count(b"HTTP/1.") < answers:
                continue
            connection.settimeout(SILENCE / 5 if _is_whole(answer) else SILENCE)
    return answer


def _is_whole(answer: bytes) -> bool:
    """Whether *answer* ends where its last HTTP response does."""
    start = answer.rfind(b"HTTP/1.")
    head, end, body = answer[max(start, 0) :].partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return start >= 0 and end != b"" and length is not None and len(body) >= int(length[1])


def at(proxy: Proxy, place: Place) -> socket.socket:
    """A connection on which an exchange takes place."""
    match place:
        case Place.PROXY:
            return connect(proxy)
        case Place.TUNNEL:
            return tunnel(proxy, f"{COVER}:80")
        case Place.TLS:
            return tls(tunnel(proxy, f"{COVER}:443"), COVER)


def counted(proxy: Proxy) -> tuple[int, int]:
    """Refusals and faults since the proxy started."""
    status = proxy.status()
    assert status is not None, f"the proxy does not answer:\n{proxy.text()[-3000:]}"
    return status["flows"]["blocked"], status["flows"]["errors"]


class Trial:
    """Sends examples through one proxy, and holds it to the promises."""

    def __init__(self, proxy: Proxy, recorder: Recorder) -> None:
        self.proxy = proxy
        self.recorder = recorder

    def outcome(self, opening: Callable[[], socket.socket], segments: Iterable[bytes], *, answers: int = 0) -> Outcome:
        """What becomes of *segments*; what *opening* makes reach the origin counts as well."""
        self.recorder.reset()
        blocked, errors = counted(self.proxy)
        answer = converse(opening(), segments, answers=answers)
        now_blocked, now_errors = counted(self.proxy)
        assert now_errors == errors, f"a fault: {self.faults()}"
        leaked = [bytes(taken) for taken in self.recorder.taken if arrived(bytes(taken), BANNED)]
        return Outcome(answer, now_blocked - blocked, leaked)

    def faults(self) -> list[object]:
        return [field(record, "error.message") for record in self.proxy.records(embargo__reason="error")]

    def no_innocent_was_refused(self) -> None:
        """No record of a block says that a rule, or a fault, refused anything for the twin."""
        self.proxy.settled()
        for record in self.proxy.decisions():
            if field(record, "embargo.verdict") == "block" and field(record, "embargo.reason") in _OUR_REASONS:
                assert TWIN not in str(field(record, "destination.domain")), record
                assert BANNED in str(record), record
