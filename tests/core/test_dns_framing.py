"""Whether a stream carries DNS, told from as few of its bytes as can tell."""

import struct

import pytest

from clienthello import client_hello
from dns_writing import framed, query
from embargo.core.dns_framing import Frames, Framing, carries_dns, framing

QUERY, WAIT, OTHER = Framing.QUERY, Framing.WAIT, Framing.OTHER
STREAMS = {
    "a query": (framed(query("banned.test")), QUERY),
    "a query with EDNS": (framed(query("banned.test", edns=True)), QUERY),
    "two questions": (framed(query("a.test", "b.test")), QUERY),
    "an update": (framed(query("a.test", flags=5 << 11)), QUERY),
    "a padded query, its end to come": (framed(query("a.test", trailing=bytes(4000)))[:100], QUERY),
    "no question": (framed(query()), QUERY),
    "nothing": (b"", WAIT),
    "a length": (framed(query("a.test"))[:2], WAIT),
    "half a header": (framed(query("a.test"))[:9], WAIT),
    "half a name": (framed(query("a.test"))[:17], WAIT),
    "a ClientHello": (client_hello("innocent.test"), OTHER),
    "a request": (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", OTHER),
    "a request behind empty lines": (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", OTHER),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", OTHER),
    "a response": (framed(query("a.test", flags=0x8180)), OTHER),
    "an opcode that nobody knows": (framed(query("a.test", flags=9 << 11)), OTHER),
    "more questions than fit": (framed(struct.pack("!6H", 1, 256, 60, 0, 0, 0) + b"\1a\0\0\1\0\1"), OTHER),
    "less than a header": (b"\0\x0b" + bytes(11), OTHER),
    "a name that cannot be": (framed(query(b"\x41aaa\0", trailing=bytes(300))), OTHER),
}


@pytest.mark.parametrize(("data", "kind"), STREAMS.values(), ids=STREAMS)
def test_framing(data: bytes, kind: Framing) -> None:
    assert framing(data) is kind


def test_a_query_is_known_wherever_it_is_cut() -> None:
    data = framed(query("www.banned.test"))
    kinds = [framing(data[:length]) for length in range(len(data) + 1)]
    assert OTHER not in kinds
    assert kinds == sorted(kinds, key=[WAIT, QUERY].index)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_frames(size: int) -> None:
    messages = [query("a.test"), b"\1", query("b.test")]
    stream = b"".join(map(framed, messages))
    frames = Frames()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [message for piece in pieces for message in frames.feed(piece)] == messages


def test_where_dns_is_looked_for() -> None:
    assert carries_dns(53, b"SSH-2.0-OpenSSH\r\n")
    assert carries_dns(853, b"SSH-2.0-OpenSSH\r\n")
    assert carries_dns(4000, framed(query("a.test")))
    assert carries_dns(4000, framed(query("a.test"))[:1])
    assert not carries_dns(4000, b"SSH-2.0-OpenSSH\r\n")
    assert not carries_dns(None, b"SSH-2.0-OpenSSH\r\n")
