"""Heads of the PROXY protocol, whole, in pieces, and spoilt."""

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.proxy_protocol import (
    LONGEST_2,
    SIGNATURE_2,
    Endpoint,
    Head,
    Incomplete,
    MalformedHead,
    begins,
    may_begin,
    parse,
)


def v2(body: bytes = b"", *, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    return SIGNATURE_2 + struct.pack("!BBH", command, family, len(body) if length is None else length) + body


def ends(client: str, port: int, destination: str, destination_port: int) -> bytes:
    packed = ip_address(client).packed + ip_address(destination).packed
    return packed + struct.pack("!HH", port, destination_port)


def head(client: str, port: int, destination: str, destination_port: int) -> Head:
    return Head(Endpoint(ip_address(client), port), Endpoint(ip_address(destination), destination_port))


FOUR = ends("192.0.2.7", 51000, "198.51.100.1", 8080)
SIX = ends("2001:db8::7", 51000, "2001:db8::1", 8080)
HEAD_4 = head("192.0.2.7", 51000, "198.51.100.1", 8080)
HEAD_6 = head("2001:db8::7", 51000, "2001:db8::1", 8080)
NOBODY = Head(None, None)

WHOLE = {  # case: (bytes, head)
    "v1 TCP4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 51000 8080\r\n", HEAD_4),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 51000 8080\r\n", HEAD_6),
    "v1 TCP6, in full": (
        b"PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0007 2001:db8::1 51000 8080\r\n",
        HEAD_6,
    ),
    "v1 TCP6, IPv4-mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 51000 8080\r\n",
        HEAD_4,
    ),
    "v1 port 0": (b"PROXY TCP4 192.0.2.7 198.51.100.1 0 8080\r\n", head("192.0.2.7", 0, "198.51.100.1", 8080)),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", NOBODY),
    "v1 UNKNOWN with what is to be ignored": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", NOBODY),
    "v2 TCP4": (v2(FOUR), HEAD_4),
    "v2 TCP6": (v2(SIX, family=0x21), HEAD_6),
    "v2 TCP4, extensions behind": (v2(FOUR + b"\x04\x00\x03abc\x20\x00\x00"), HEAD_4),
    "v2 TCP4, the longest": (v2(FOUR + bytes(LONGEST_2 - 16 - len(FOUR))), HEAD_4),
    "v2 LOCAL": (v2(command=0x20, family=0x00), NOBODY),
    "v2 LOCAL with addresses to be ignored": (v2(FOUR, command=0x20), NOBODY),
    "v2 LOCAL with a family that is none": (v2(command=0x20, family=0xFF), NOBODY),
    "v2 of no family": (v2(family=0x00), NOBODY),
    "v2 of no family, extensions behind": (v2(b"\x04\x00\x03abc", family=0x00), NOBODY),
    "v2 over UDP": (v2(FOUR, family=0x12), NOBODY),
    "v2 over a local socket": (v2(bytes(216), family=0x31), NOBODY),
}

SPOILT = {  # case: (bytes, part of what is wrong)
    "a request": (b"GET / HTTP/1.1\r\n", "neither"),
    "another word": (b"PROXX TCP4 ", "neither"),
    "lower case": (b"proxy ", "neither"),
    "TLS": (b"\x16\x03\x01\x02\x00", "neither"),
    "v1 a family of its own": (b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", "read"),
    "v1 too few parts": (b"PROXY TCP4 192.0.2.7 198.51.100.1 51000\r\n", "read"),
    "v1 too many parts": (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", "read"),
    "v1 two blanks": (b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n", "read"),
    "v1 a line feed alone": (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n", "read"),
    "v1 IPv6 as TCP4": (b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "family"),
    "v1 IPv4 as TCP6": (b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", "family"),
    "v1 shortened IPv4": (b"PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n", "family"),
    "v1 octal IPv4": (b"PROXY TCP4 0192.0.2.7 198.51.100.1 1 2\r\n", "family"),
    "v1 a port too large": (b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", "port"),
    "v1 a port with leading zeros": (b"PROXY TCP4 192.0.2.7 198.51.100.1 080 2\r\n", "port"),
    "v1 a port that is negative": (b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", "read"),
    "v1 no line's end in 107 bytes": (b"PROXY UNKNOWN " + b"x" * 93, "more than 107"),
    "v1 bytes behind": (b"PROXY UNKNOWN\r\nGET", "behind"),
    "v2 version 1": (v2(FOUR, command=0x11), "version 1"),
    "v2 command 2": (v2(FOUR, command=0x22), "command 2"),
    "v2 a family that is none": (v2(FOUR, family=0x41), "family"),
    "v2 a transport that is none": (v2(FOUR, family=0x13), "family"),
    "v2 too short for IPv4": (v2(FOUR[:11]), "too short"),
    "v2 too short for IPv6": (v2(FOUR, family=0x21), "too short"),
    "v2 no addresses": (v2(b""), "too short"),
    "v2 longer than any balancer sends": (v2(FOUR, length=LONGEST_2 - 15), "more than 4096"),
    "v2 the largest length": (v2(FOUR, length=0xFFFF), "more than 4096"),
    "v2 bytes behind": (v2(FOUR) + b"\x16", "behind"),
    "v2 a spoilt signature": (SIGNATURE_2[:-1] + b"\r", "neither"),
}


@pytest.mark.parametrize(("data", "wanted"), WHOLE.values(), ids=WHOLE)
def test_a_whole_head(data: bytes, wanted: Head) -> None:
    assert parse(data) == wanted
    assert begins(data)


@pytest.mark.parametrize(("data", "why"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_head(data: bytes, why: str) -> None:
    with pytest.raises(MalformedHead, match=why):
        parse(data)


@pytest.mark.parametrize(("data", "wanted"), WHOLE.values(), ids=WHOLE)
def test_reading_never_goes_beyond_the_head(data: bytes, wanted: Head) -> None:
    """As much as is asked for, and every other amount up to that, ends exactly at the head's end."""
    for most in (1, 2, 3, 7, 10_000):
        stream, at, found = data + b"\x16\x03\x01 the client's own", 0, parse(b"")
        while isinstance(found, Incomplete):
            at += min(most, found.more)
            found = parse(stream[:at])
        assert (found, at) == (wanted, len(data))


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(noise: bytes) -> None:
    for data in (noise, b"PROXY " + noise, SIGNATURE_2 + noise):
        try:
            found = parse(data)
        except MalformedHead:
            continue
        assert isinstance(found, Head) or found.more >= 1


@given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535))
def test_both_versions_say_the_same(four: IPv4Address, six: IPv6Address, port: int) -> None:
    one = parse(f"PROXY TCP4 {four} {four} {port} 1\r\n".encode())
    assert one == parse(v2(ends(str(four), port, str(four), 1)))
    other = parse(f"PROXY TCP6 {six} {six} {port} 1\r\n".encode())
    assert other == parse(v2(ends(str(six), port, str(six), 1), family=0x21))


BEGINNINGS = {  # bytes: (whether they may begin a head, whether they do)
    b"": (True, False),
    b"P": (True, False),
    b"PROXY": (True, False),
    b"PROXY ": (True, True),
    b"PROXY TCP4": (True, True),
    b"POST": (False, False),
    b"\r\n": (True, False),
    b"\r\nGET": (False, False),
    SIGNATURE_2: (True, True),
}


@pytest.mark.parametrize(("data", "wanted"), BEGINNINGS.items(), ids=map(str, BEGINNINGS))
def test_beginnings(data: bytes, wanted: tuple[bool, bool]) -> None:
    assert (may_begin(data), begins(data)) == wanted
