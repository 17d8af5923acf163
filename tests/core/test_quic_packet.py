"""QUIC packets: told apart and deciphered."""

import pytest

from embargo.core.quic_packet import (
    InitialKeys,
    crypto_frames,
    is_unread_version,
    packets,
)
from initials import (
    DESTINATION,
    PADDING,
    PING,
    SHORT,
    V1,
    V2,
    crypto,
    early,
    first_datagrams,
    initial,
    number,
    unknown_version,
    with_long_header,
)

WHOLE = initial(crypto(b"abc"))
RTP = b"\x80\x60" + bytes(range(10)) + b"\xaa" * 1188

PACKETS: dict[str, tuple[bytes, list[str]]] = {
    "an Initial": (WHOLE, ["initial"]),
    "version 2": (initial(crypto(b"abc"), version=V2), ["initial"]),
    "with a token": (initial(crypto(b"abc"), token=b"t" * 70), ["initial"]),
    "without the fixed bit (RFC 9287)": (initial(crypto(b"abc"), bits=0x80), ["initial"]),
    "coalesced": (
        initial(crypto(b"abc"), size=0) + early() + with_long_header(2) + SHORT,
        ["initial", "0-rtt", "handshake"],
    ),
    "behind padding": (WHOLE + bytes(100), ["initial"]),
    "a Retry takes the rest": (with_long_header(3) + WHOLE, ["retry"]),
    "cut short": (WHOLE[:-1], []),
    "an id that is too long": (WHOLE[:5] + b"\x15" + WHOLE[6:], []),
    "only the beginning": (WHOLE[:20], []),
    "another version": (unknown_version(0xFF00001D), []),
    "a short header": (SHORT, []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("datagram", "kinds"), PACKETS.values(), ids=PACKETS)
def test_packets(datagram: bytes, kinds: list[str]) -> None:
    assert [packet.kind for packet in packets(datagram)] == kinds


UNREAD: dict[str, tuple[bytes, bool, bool]] = {  # case: (datagram, as the first of a flow, later)
    "version 1": (WHOLE, False, False),
    "reserved": (unknown_version(0x1A2A3A4A), True, True),
    "draft 29": (unknown_version(0xFF00001D), True, True),
    "draft of version 2": (unknown_version(0x709A50C4), True, True),
    "Q050": (unknown_version(int.from_bytes(b"Q050")), True, True),
    "T051": (unknown_version(int.from_bytes(b"T051")), True, True),
    "mvfst": (unknown_version(0xFACEB002), True, True),
    "Q043, whose header is another": (b"\x0d" + bytes(8) + b"Q043" + bytes(1000), True, True),
    "of somebody's own": (unknown_version(0x12345678), True, False),
    "of somebody's own, too short": (unknown_version(0x12345678, 1199), False, False),
    "version negotiation": (unknown_version(0), False, False),
    "RTP": (RTP, False, False),
    "a short header": (SHORT, False, False),
    "text": (b"hello, this is a long line of text", False, False),
    "nothing": (b"", False, False),
}


@pytest.mark.parametrize(("datagram", "first", "later"), UNREAD.values(), ids=UNREAD)
def test_is_unread_version(datagram: bytes, first: bool, later: bool) -> None:
    assert (is_unread_version(datagram, first=True), is_unread_version(datagram, first=False)) == (first, later)


@pytest.mark.parametrize("version", [V1, V2])
def test_decipher(version: int) -> None:
    datagram = initial(crypto(b"abc"), version=version)
    (packet,) = packets(datagram)
    payload = InitialKeys(DESTINATION).decipher(datagram, packet)
    assert payload is not None
    assert list(crypto_frames(payload)) == [(0, b"abc")]
    assert InitialKeys(b"another").decipher(datagram, packet) is None


def test_packet_numbers_grow_beyond_their_field() -> None:
    keys = InitialKeys(DESTINATION)
    for count in (0, 0x7FFF, 0xFFFE, 0x10001, 0x18000):
        datagram = initial(crypto(b"abc"), packet=count)
        (packet,) = packets(datagram)
        assert keys.decipher(datagram, packet) is not None, count


ACK = b"\x02" + number(9) + number(0) + number(1) + number(2) + number(0) + number(1)
FRAMES: dict[str, tuple[bytes, list[tuple[int, bytes]]]] = {
    "between padding": (PADDING * 3 + crypto(b"b", 1) + PING + crypto(b"a") + PADDING, [(1, b"b"), (0, b"a")]),
    "behind an ACK": (ACK + crypto(b"a"), [(0, b"a")]),
    "behind an ACK that counts": (b"\x03" + ACK[1:] + number(1) * 3 + crypto(b"a"), [(0, b"a")]),
    "none": (PING, []),
    "before the end": (crypto(b"a") + b"\x1c\0\0\0" + crypto(b"b"), [(0, b"a")]),
}


@pytest.mark.parametrize(("payload", "frames"), FRAMES.values(), ids=FRAMES)
def test_crypto_frames(payload: bytes, frames: list[tuple[int, bytes]]) -> None:
    assert list(crypto_frames(payload)) == frames


BROKEN = {
    "a STREAM frame": b"\x08\0\0",
    "a CRYPTO frame that does not end": crypto(b"abc")[:-1],
    "a number that does not end": b"\x06\x80",
    "an ACK with millions of ranges": b"\x02\0\0" + number(2**29),
}


@pytest.mark.parametrize("payload", BROKEN.values(), ids=BROKEN)
def test_broken_frames(payload: bytes) -> None:
    with pytest.raises(ValueError):
        list(crypto_frames(payload))


def test_real_first_datagrams_are_read() -> None:
    (datagram,) = first_datagrams()
    assert [packet.kind for packet in packets(datagram)] == ["initial"]
