"""How long a body is, where nobody doubts it; the following of text is held by test_raw_stream.py."""

import pytest

from embargo.enforce.streams.http_text import HttpText, body_length
from embargo.enforce.tls.first_bytes import LONGEST_HEAD

BODIES = {  # case: (head, bytes of its body; None: a server may see that differently)
    "none": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
    "a length": (b"POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  12 \r\n\r\n", 12),
    "a length of nothing": (b"POST / HTTP/1.1\nContent-Length: 0\n\n", 0),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", None),
    "a list of lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", None),
    "a signed length": (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", None),
    "no number": (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", None),
    "chunked": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
    "an upgrade": (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", None),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\n\r\n", None),
    "a space before the colon": (b"POST / HTTP/1.1\r\nContent-Length : 12\r\n\r\n", None),
    "a folded line": (b"POST / HTTP/1.1\r\nX: a\r\n Content-Length: 12\r\n\r\n", None),
    "a bare carriage return": (b"POST / HTTP/1.1\r\nX: a\rContent-Length: 12\r\n\r\n", None),
}


@pytest.mark.parametrize(("head", "length"), BODIES.values(), ids=BODIES)
def test_body_length(head: bytes, length: int | None) -> None:
    assert body_length(head) == length


def test_a_head_in_a_body_that_does_not_end() -> None:
    text = HttpText()
    assert text.feed(b"chunk\r\nGET / HTTP/1.1\r\n").release == b"chunk\r\n"
    for _ in range(LONGEST_HEAD // 1004):
        passage = text.feed(b"X: " + b"y" * 999 + b"\r\n")
        assert passage.release == b""
        if passage.refuse is not None:
            break
    assert text.feed(b"X: " + b"y" * 999 + b"\r\n").refuse == "a request head that does not end"
