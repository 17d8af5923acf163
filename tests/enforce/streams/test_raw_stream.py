"""A raw stream: what may be a name is held back until it is whole, everything else goes on at once."""

import pytest

from clienthello import behind_empty_record, client_hello, in_records_of
from embargo.enforce.streams.passage import Passage
from embargo.enforce.streams.raw_stream import RawStream
from embargo.enforce.tls.first_bytes import LONGEST_HEAD, LONGEST_LINE

HELLO = client_hello("banned.test")
SECOND = client_hello("second.test")
REQUEST = b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)
UNREADABLE = "a ClientHello or request head that cannot be read"

STREAMS: dict[str, tuple[list[bytes], list[Passage]]] = {  # case: (messages, what becomes of each)
    "a ClientHello behind a greeting": ([HELLO], [Passage(HELLO, snis=("banned.test",))]),
    "a ClientHello in pieces": (
        [HELLO[:1], HELLO[1:100], HELLO[100:]],
        [Passage(b""), Passage(b""), Passage(HELLO, snis=("banned.test",))],
    ),
    "records of one byte, each a message": (
        [in_records_of(1, HELLO)[:6], in_records_of(1, HELLO)[6:]],
        [Passage(b""), Passage(in_records_of(1, HELLO), snis=("banned.test",))],
    ),
    "STARTTLS": (
        [b"EHLO a\r\n", b"STARTTLS\r\n", HELLO],
        [Passage(b"EHLO a\r\n"), Passage(b"STARTTLS\r\n"), Passage(HELLO, snis=("banned.test",))],
    ),
    "after the ClientHello nothing is read": (
        [HELLO, b"\x16\x03\x03\x00\x05\x10abcd", HELLO, REQUEST],
        [
            Passage(HELLO, snis=("banned.test",)),
            Passage(b"\x16\x03\x03\x00\x05\x10abcd"),
            Passage(HELLO),
            Passage(REQUEST),
        ],
    ),
    "a second ClientHello, as a HelloRetryRequest asks for": (
        [HELLO, b"\x14\x03\x03\x00\x01\x01" + SECOND[:9], SECOND[9:]],
        [
            Passage(HELLO, snis=("banned.test",)),
            Passage(b"\x14\x03\x03\x00\x01\x01"),
            Passage(SECOND, snis=("second.test",)),
        ],
    ),
    "two ClientHellos at once": ([HELLO + SECOND], [Passage(HELLO + SECOND, snis=("banned.test", "second.test"))]),
    "a second ClientHello behind a hidden one": (
        [b"\x00junk" + HELLO[:3], HELLO[3:] + SECOND[:20], SECOND[20:]],
        [
            Passage(b"\x00junk" + HELLO[:3]),
            Passage(HELLO[3:], snis=("banned.test",)),
            Passage(SECOND, snis=("second.test",)),
        ],
    ),
    "HTTP with a method that does not end": (
        [b"A" * 65, b" / HTTP/1.1\r\nHost: banned.test\r\n\r\n"],
        [Passage(b"A" * 65), Passage(b" / HTTP/1.1\r\nHost: banned.test\r\n\r\n", names=("banned.test",))],
    ),
    "HTTP with a line that only a lenient server reads": (
        [REQUEST.replace(b"HTTP/1.1", b"HTTP/1.1 x")],
        [Passage(REQUEST.replace(b"HTTP/1.1", b"HTTP/1.1 x"), names=("banned.test",))],
    ),
    "HTTP/0.9": ([b"GET /\r\n"], [Passage(b"GET /\r\n", refuse=UNREADABLE)]),
    "a hello that hides behind an empty record": (
        [behind_empty_record(HELLO)],
        [Passage(behind_empty_record(HELLO), refuse=UNREADABLE)],
    ),
    "a ClientHello behind other bytes": ([b"junk" + HELLO], [Passage(b"junk" + HELLO, snis=("banned.test",))]),
    "a ClientHello behind other bytes, in records of one byte": (
        [b"\0junk" + in_records_of(1, HELLO)],
        [Passage(b"\0junk" + in_records_of(1, HELLO), snis=("banned.test",))],
    ),
    "a ClientHello hidden and cut": (
        [b"\x00junk" + HELLO[:50], HELLO[50:], REQUEST],
        [Passage(b""), Passage(b"\x00junk" + HELLO, snis=("banned.test",)), Passage(REQUEST)],
    ),
    "a hidden ClientHello cut within its first bytes": (
        [b"\x00junk" + HELLO[:3], HELLO[3:]],
        [Passage(b"\x00junk" + HELLO[:3]), Passage(HELLO[3:], snis=("banned.test",))],
    ),
    "a ClientHello behind a PROXY line": (
        [b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", HELLO],
        [Passage(b""), Passage(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + HELLO, snis=("banned.test",))],
    ),
    "a request behind a PROXY header, version 2": (
        [PROXY_V2 + REQUEST],
        [Passage(PROXY_V2 + REQUEST, names=("banned.test",))],
    ),
    "HTTP/2 without TLS": (
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        [Passage(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", refuse="HTTP/2 where its names cannot be read")],
    ),
    "HTTP": ([REQUEST], [Passage(REQUEST, names=("banned.test",))]),
    "HTTP, its head cut": (
        [b"GET / HTTP/1.1\r\nHost: ban", b"ned.test\r\n", b"\r\n"],
        [Passage(b""), Passage(b""), Passage(REQUEST, names=("banned.test",))],
    ),
    "HTTP, the second request's name cut": (
        [REQUEST.replace(b"banned", b"a"), b"GET / HTTP/1.1\r\nHost: ban", b"ned.test\r\n\r\n"],
        [
            Passage(REQUEST.replace(b"banned", b"a"), names=("a.test",)),
            Passage(b""),
            Passage(REQUEST, names=("banned.test",)),
        ],
    ),
    "HTTP, the second request cut in its first word": (
        [REQUEST.replace(b"banned", b"a") + b"GE", b"T / HTTP/1.1\r\n", b"Host: banned.test\r\n\r\n"],
        [
            Passage(REQUEST.replace(b"banned", b"a"), names=("a.test",)),
            Passage(b""),
            Passage(REQUEST, names=("banned.test",)),
        ],
    ),
    "HTTP, two requests at once": (
        [REQUEST.replace(b"banned", b"a") + REQUEST],
        [Passage(REQUEST.replace(b"banned", b"a") + REQUEST, names=("a.test", "banned.test"))],
    ),
    "HTTP, a body goes on at once, however it ends": (
        [POST + b"hel", b"lo wor", b"ld" + REQUEST[:5], REQUEST[5:]],
        [
            Passage(POST + b"hel", names=("a.test",)),
            Passage(b"", ()),
            Passage(b"lo world", ()),
            Passage(REQUEST, names=("banned.test",)),
        ],
    ),
    "HTTP, a request in a body, which a server may take for one": (
        [POST.replace(b"11", b"99") + b"\nGET /secret HT", b"TP/1.1\r\nHost: ban", b"ned.test\r\n\r\n"],
        [
            Passage(POST.replace(b"11", b"99") + b"\n", names=("a.test",)),
            Passage(b""),
            Passage(b"GET /secret HTTP/1.1\r\nHost: banned.test\r\n\r\n", names=("banned.test",)),
        ],
    ),
    "HTTP, chunked": (
        [CHUNKED + b"5\r\nhello\r\n", b"0\r\n\r\nGET /secret", b" HTTP/1.1\r\nHost: banned.test\r\n\r\n"],
        [
            Passage(CHUNKED + b"5\r\nhello\r\n", names=("a.test",)),
            Passage(b"0\r\n\r\n"),
            Passage(b"GET /secret HTTP/1.1\r\nHost: banned.test\r\n\r\n", names=("banned.test",)),
        ],
    ),
    "HTTP, a name at the cut that begins like another": (
        [CHUNKED + b"0\r\n\r\nGET / HTTP/1.1\r\nHost: banned.test", b".example.org\r\n\r\n"],
        [
            Passage(CHUNKED + b"0\r\n\r\n", names=("a.test",)),
            Passage(b"GET / HTTP/1.1\r\nHost: banned.test.example.org\r\n\r\n", names=("banned.test.example.org",)),
        ],
    ),
    "HTTP, then TLS by upgrade": (
        [REQUEST.replace(b"banned", b"a"), HELLO],
        [Passage(REQUEST.replace(b"banned", b"a"), names=("a.test",)), Passage(HELLO, snis=("banned.test",))],
    ),
    "HTTP, then something else": (
        [REQUEST.replace(b"banned", b"a"), b"\x81\x05hello", b"Host: banned.test\n"],
        [
            Passage(REQUEST.replace(b"banned", b"a"), names=("a.test",)),
            Passage(b"\x81\x05hello"),
            Passage(b"Host: banned.test\n"),
        ],
    ),
    "HTTP, the second request's name folded at the cut": (
        [REQUEST.replace(b"banned", b"a"), b"GET / HTTP/1.1\r\nHost:\r\n", b" banned.test\r\n\r\n"],
        [
            Passage(REQUEST.replace(b"banned", b"a"), names=("a.test",)),
            Passage(b""),
            Passage(b"GET / HTTP/1.1\r\nHost:\r\n banned.test\r\n\r\n", names=("banned.test",)),
        ],
    ),
    "HTTP, a Host header of nothing but space": (
        [REQUEST, b"Host:" + b" " * LONGEST_LINE],
        [
            Passage(REQUEST, names=("banned.test",)),
            Passage(b"Host:" + b" " * LONGEST_LINE, names=("",), refuse="a line of a request head that does not end"),
        ],
    ),
    "a body is not read as a request": (
        [b"\x00binary\r\n", REQUEST],
        [Passage(b"\x00binary\r\n"), Passage(REQUEST)],
    ),
    "SSH": (
        [b"SSH-2.0-OpenSSH_9.9\r\n", b"\x00\x00\x05\x14\x09\x14key exchange"],
        [Passage(b"SSH-2.0-OpenSSH_9.9\r\n"), Passage(b"\x00\x00\x05\x14\x09\x14key exchange")],
    ),
    "telnet: a literal Ctrl-V waits for one more byte": (
        [b"\xff\xfb\x18", b"\x16", b"a"],
        [Passage(b"\xff\xfb\x18"), Passage(b""), Passage(b"\x16a")],
    ),
    "binary 16 03 that is no hello": (
        [b"\x00\x01", b"\x16\x03\x09\x00\x10\x07data"],
        [Passage(b"\x00\x01"), Passage(b"\x16\x03\x09\x00\x10\x07data")],
    ),
    "binary 16 03 in two pieces": (
        [b"\x00\x01", b"\x16\x03\x01", b"\x00\x10\x07data"],
        [Passage(b"\x00\x01"), Passage(b""), Passage(b"\x16\x03\x01\x00\x10\x07data")],
    ),
    "nothing": ([b""], [Passage(b"")]),
}


@pytest.mark.parametrize(("messages", "passages"), STREAMS.values(), ids=STREAMS)
def test_stream(messages: list[bytes], passages: list[Passage]) -> None:
    stream = RawStream()
    assert [_found(stream.feed(message)) for message in messages] == [_found(passage) for passage in passages]


def test_tls_that_was_judged_before() -> None:
    stream = RawStream(tls=True)
    assert stream.feed(HELLO[:9]) == Passage(b"")
    assert stream.feed(HELLO[9:]) == Passage(HELLO)
    assert stream.feed(SECOND) == Passage(SECOND, snis=("second.test",))


def _found(passage: Passage) -> Passage:
    """An empty name is no name that could be judged; only what is found beside it matters."""
    return Passage(passage.release, tuple(filter(None, passage.names)), passage.snis, passage.refuse)


def test_a_head_that_does_not_end_is_refused() -> None:
    stream = RawStream()
    line = b"X: " + b"y" * 1000 + b"\r\n"
    assert stream.feed(b"GET / HTTP/1.1\r\n") == Passage(b"")
    for _ in range(LONGEST_HEAD // len(line)):
        assert stream.feed(line) == Passage(b"")
    assert stream.feed(line).refuse == "a request head that does not end"
