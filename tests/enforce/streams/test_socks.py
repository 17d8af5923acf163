"""SOCKS inside a stream: whom its client asks for."""

import pytest

from embargo.enforce.streams.raw_stream import RawStream
from embargo.enforce.streams.socks import GREETED, HOLD, NOT, Progress, Step, read_socks

GREETING = b"\x05\x01\x00"
PASSWORD = b"\x01\x04user\x06secret"
NAMED = b"\x05\x01\x00\x03\x0bbanned.test\x01\xbb"
CASES = {  # case: (bytes of the client, what is known then)
    "nothing of SOCKS": (b"GET / HTTP/1.1\r\n", NOT),
    "5: a greeting, cut": (b"\x05", GREETED),
    "5: a greeting": (GREETING, GREETED),
    "5: two methods, one there": (b"\x05\x02\x00", GREETED),
    "5: a password, cut": (b"\x05\x01\x02" + PASSWORD[:8], GREETED),
    "5: a password": (b"\x05\x01\x02" + PASSWORD, GREETED),
    "5: a request for a name": (GREETING + NAMED, Progress(Step.ASKED, "banned.test", 21)),
    "5: a request behind a password": (
        b"\x05\x01\x02" + PASSWORD + NAMED,
        Progress(Step.ASKED, "banned.test", 34),
    ),
    "5: a request, cut": (GREETING + NAMED[:-1], HOLD),
    "5: one byte of a request": (GREETING + NAMED[:1], HOLD),
    "5: a request for an address": (
        GREETING + b"\x05\x01\x00\x01\x0a\x42\x00\x01\x00\x50",
        Progress(Step.ASKED, "10.66.0.1", 13),
    ),
    "5: a request for an IPv6 address": (
        GREETING + b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50",
        Progress(Step.ASKED, "::1", 25),
    ),
    "5: a reserved octet that is not zero": (
        GREETING + b"\x05\x01\x07" + NAMED[3:],
        Progress(Step.ASKED, "banned.test", 21),
    ),
    "5: no command that there is": (GREETING + b"\x05\x09\x00\x01", NOT),
    "5: no address type that there is": (GREETING + b"\x05\x01\x00\x07\x00", NOT),
    "5: TLS instead of a request": (GREETING + b"\x16\x03\x01", NOT),
    "4: an address": (b"\x04\x01\x00\x50\x0a\x42\x00\x01me\x00", Progress(Step.ASKED, "10.66.0.1", 11)),
    "4a: a name": (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00banned.test\x00", Progress(Step.ASKED, "banned.test", 21)),
    "4a: a name, cut": (b"\x04\x01\x00\x50\x00\x00\x00\x01\x00banned", HOLD),
    "4: one byte": (b"\x04", GREETED),
    "4: no command that there is": (b"\x04\x09\x00", NOT),
    "4: a user that does not end": (b"\x04\x01\x00\x50\x0a\x42\x00\x01" + b"u" * 600, NOT),
}


@pytest.mark.parametrize(("data", "known"), CASES.values(), ids=CASES)
def test_read_socks(data: bytes, known: Progress) -> None:
    assert read_socks(data) == known


def fed(*pieces: bytes) -> tuple[bytes, list[str]]:
    """What goes on of a raw stream, and the names found in it."""
    stream, gone, names = RawStream(), b"", list[str]()
    for piece in pieces:
        passage = stream.feed(piece)
        gone += passage.release
        names += [*passage.names, *(passage.snis or ())]
    return gone, names


HTTP = b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"
STREAMS = {
    "in pieces": (GREETING, NAMED),
    "in one piece": (GREETING + NAMED,),
    "byte by byte": tuple(bytes([byte]) for byte in GREETING + NAMED),
}


@pytest.mark.parametrize("pieces", STREAMS.values(), ids=STREAMS)
def test_a_stream_of_socks(pieces: tuple[bytes, ...]) -> None:
    assert fed(*pieces) == (GREETING + NAMED, ["banned.test"])
    assert fed(*pieces, HTTP) == (GREETING + NAMED + HTTP, ["banned.test", "other.test"])


def test_a_request_goes_on_once_it_is_whole() -> None:
    stream = RawStream()
    assert stream.feed(GREETING).release == GREETING
    assert stream.feed(NAMED[:8]).release == b""
    assert stream.feed(NAMED[8:]).release == NAMED


def test_what_only_begins_like_socks_passes_whole() -> None:
    assert fed(b"\x05\xff\x00", b"more", b"\0" * 400) == (b"\x05\xff\x00more" + b"\0" * 400, [])
