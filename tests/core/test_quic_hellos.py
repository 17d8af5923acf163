"""QUIC connections on one flow: each ClientHello is put together, and what cannot be read is said."""

import pytest

from embargo.core.quic_hellos import Connections, Unreadable, is_late
from initials import (
    DESTINATION,
    LONG,
    PADDING,
    PING,
    SHORT,
    SOURCE,
    V2,
    crypto,
    dtls_hello,
    early,
    first_datagrams,
    hello,
    initial,
    unknown_version,
    with_long_header,
)

HELLO = hello("www.banned.test")
NAMES = ("www.banned.test",)
THIRDS = [(0, HELLO[:100]), (100, HELLO[100:200]), (200, HELLO[200:])]
OTHER_ID, SERVER_ID = b"another!", b"server-1"


def frames(*pieces: tuple[int, bytes]) -> bytes:
    return b"".join(PADDING * 3 + crypto(content, offset) + PING for offset, content in pieces)


def piece(number: int, **options: object) -> bytes:
    return initial(frames(THIRDS[number]), packet=number, **options)  # type: ignore[arg-type]


TWO = first_datagrams(protocols=LONG)
assert len(TWO) == 2

FED: dict[str, tuple[list[bytes], list[int | None]]] = {  # case: (datagrams, ClientHellos that each ends)
    "aioquic": (first_datagrams(), [1]),
    "aioquic, version 2": (first_datagrams(version=V2), [1]),
    "aioquic, two datagrams": (TWO, [0, 1]),
    "aioquic, two datagrams, backwards": (TWO[::-1], [0, 1]),
    "no name": (first_datagrams(None), [1]),
    "frames in odd order": ([initial(frames(THIRDS[2], THIRDS[0], THIRDS[1]))], [1]),
    "three datagrams, odd order": ([piece(1), piece(2), piece(0)], [0, 0, 1]),
    "one of them twice": ([piece(0), piece(0), piece(1), piece(2)], [0, 0, 0, 1]),
    "coalesced": ([piece(0, size=0) + piece(1, size=0) + piece(2)], [1]),
    "small datagrams": ([piece(0, size=0), piece(1, size=0), piece(2, size=0)], [0, 0, 1]),
    "the fixed bit not set": ([initial(crypto(HELLO), bits=0x80)], [1]),
    "with a token": ([initial(crypto(HELLO), token=b"t" * 100)], [1]),
    "an id without octets": ([initial(crypto(HELLO), destination=b"")], [1]),
    "behind 0-RTT": ([early(), initial(crypto(HELLO))], [0, 1]),
    "before 0-RTT": ([initial(crypto(HELLO)), early()], [1, 0]),
    "with 0-RTT": ([initial(crypto(HELLO), size=0) + early()], [1]),
    "again": ([initial(crypto(HELLO)), initial(crypto(HELLO), packet=1)], [1, 0]),
    "two connections": ([initial(crypto(HELLO)), initial(crypto(HELLO), destination=OTHER_ID)], [1, 1]),
    "an ACK under the server's id": (
        [initial(crypto(HELLO)), initial(b"\x02\0\0\0\0", destination=SERVER_ID, keys=DESTINATION, packet=1)],
        [1, 0],
    ),
    "a second hello under the server's id": (
        [initial(crypto(HELLO)), initial(crypto(HELLO, len(HELLO)), destination=SERVER_ID, keys=DESTINATION, packet=1)],
        [1, 1],
    ),
    "after a Retry": (
        [initial(crypto(HELLO)), initial(crypto(HELLO), destination=SERVER_ID, token=b"t", packet=1)],
        [1, 1],
    ),
    "the version changes on the way (RFC 9368)": (
        [
            initial(crypto(HELLO)),
            initial(b"\x02\0\0\0\0", destination=SERVER_ID, keys=DESTINATION, version=V2, packet=1),
        ],
        [1, 0],
    ),
    "two at once": ([initial(crypto(HELLO + HELLO))], [2]),
    "a handshake packet": ([with_long_header(2)], [None]),
    "a Retry, from a client": ([with_long_header(3)], [None]),
}


@pytest.mark.parametrize(("datagrams", "hellos"), FED.values(), ids=FED)
def test_fed(datagrams: list[bytes], hellos: list[int | None]) -> None:
    connections, found = Connections(), []
    for datagram in datagrams:
        seen = connections.feed(datagram)
        found.append(seen[1] if seen is not None else None)
        if seen is not None and sum(filter(None, found)):
            assert all(names in ((), NAMES) for names in seen[0].hellos)
    assert found == hellos


UNREADABLE: dict[str, list[bytes]] = {
    "other keys": [initial(crypto(HELLO), keys=b"unknown")],
    "an ACK under an id whose beginning was not seen": [
        initial(b"\x02\0\0\0\0", destination=SERVER_ID, keys=DESTINATION)
    ],
    "pieces that contradict each other": [piece(0), initial(frames((50, b"\xff" * 10)), packet=1)],
    "the same connection with another name": [
        initial(crypto(HELLO)),
        initial(crypto(hello("ok.innocent.test")), packet=1),
    ],
    "another message": [initial(crypto(b"\x02" + HELLO[1:]))],
    "a frame that may not be there": [initial(b"\x08\0\0")],
    "extensions that lie": [initial(crypto(HELLO[:43] + b"\xff" * (len(HELLO) - 43)))],
    "a message of 16 MB": [initial(crypto(HELLO[:9], 16_000_000))],
    "two connections in one datagram": [initial(crypto(HELLO), size=0) + initial(crypto(HELLO), destination=OTHER_ID)],
}


@pytest.mark.parametrize("datagrams", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(datagrams: list[bytes]) -> None:
    connections = Connections()
    with pytest.raises(Unreadable):
        for datagram in datagrams:
            connections.feed(datagram)


def test_early_data_under_the_server_s_id_waits_for_nothing() -> None:
    connections = Connections()
    connections.feed(initial(crypto(HELLO)))
    answer = bytes([0xC0]) + (1).to_bytes(4) + bytes([len(SOURCE)]) + SOURCE + bytes([8]) + SERVER_ID + b"\0\x40\x14"
    connections.answered(answer + bytes(20))
    assert connections.feed(early(destination=SERVER_ID)) is None
    found = connections.feed(early(destination=OTHER_ID))
    assert found is not None and found[0].waits


def test_what_was_refused_is_read_again() -> None:
    connections = Connections()
    for count in range(3):
        found = connections.feed(initial(crypto(HELLO), packet=count))
        assert found is not None and found[1] == 1
        connections.forget(found[0])


def test_connections_without_end_are_not_all_remembered() -> None:
    connections = Connections()
    for count in range(200):
        attempt, _ = connections.feed(piece(0, destination=count.to_bytes(8))) or pytest.fail("not seen")
        attempt.held.append(b"x" * 1200)
    assert len(connections.held) <= 16


LATE: dict[str, tuple[bytes, bool]] = {
    "a short header": (SHORT, True),
    "a handshake packet": (with_long_header(2), True),
    "0-RTT": (early(), True),
    "an Initial": (initial(crypto(HELLO)), False),
    "another version": (unknown_version(0xFF00001D), False),
    "text": (b"ping, said the innocent client", False),
    "too short": (SHORT[:20], False),
    "STUN": (b"\0\1\0\0\x21\x12\xa4\x42" + bytes(range(0x80, 0x90)), False),
    "RTP": (b"\x80\x60" + bytes(range(100, 200)), False),
    "WireGuard": (b"\1\0\0\0" + bytes(range(100, 244)), False),
    "DTLS": (dtls_hello(), False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("datagram", "late"), LATE.values(), ids=LATE)
def test_is_late(datagram: bytes, late: bool) -> None:
    assert is_late(datagram) is late
