"""What a datagram is to the judge, and when those that waited may go on."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embargo.core.quic_packet import INITIAL, packets
from embargo.enforce.datagrams.datagram_flow import MOST_HELD, DatagramFlow, Kind, Protocol
from initials import (
    DESTINATION,
    PING,
    SHORT,
    V1,
    crypto,
    dtls_hello,
    early,
    hello,
    in_fragments_of,
    initial,
    number,
    unknown_version,
    with_long_header,
)

HELLO = hello("www.banned.test")
FIRST, REST = initial(crypto(HELLO[:99])), initial(crypto(HELLO[99:], 99), packet=1)
WHOLE = initial(crypto(HELLO))
OTHER = initial(crypto(hello("ok.innocent.test")), destination=b"another!")
SECOND = initial(crypto(hello("ok.innocent.test"), len(HELLO)), destination=b"server-1", keys=DESTINATION, packet=1)
SAME = initial(crypto(HELLO, len(HELLO)), destination=b"server-1", keys=DESTINATION, packet=1)
BEFORE_OTHERS = initial(crypto(HELLO), size=0)
ODD = BEFORE_OTHERS + initial(b"\x1e", packet=1)  # with a frame that may not be there
GARBLED = BEFORE_OTHERS + initial(PING, packet=1, keys=b"unknown")
MIXED = initial(crypto(HELLO), size=0, destination=b"third id") + initial(
    PING, destination=b"third id", keys=b"another!", packet=5
)
DTLS = dtls_hello("www.banned.test")
PIECES = in_fragments_of(100, DTLS)
ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\0\2\1\0"
PLAIN, HELD, FOUND, NEGOTIATE, UNREADABLE = Kind.PLAIN, Kind.HELD, Kind.HELLO, Kind.NEGOTIATE, Kind.UNREADABLE
BANNED, INNOCENT = ("www.banned.test",), ("ok.innocent.test",)

type Seen = tuple[Kind, list[bytes], tuple[str, ...]]
SEEN: dict[str, list[tuple[bytes, Seen]]] = {  # case: each datagram with its kind, what may go on, and names
    "whole": [(WHOLE, (FOUND, [WHOLE], BANNED))],
    "in two": [(FIRST, (HELD, [], ())), (REST, (FOUND, [FIRST, REST], BANNED))],
    "in two, backwards": [(REST, (HELD, [], ())), (FIRST, (FOUND, [REST, FIRST], BANNED))],
    "plain ones meanwhile": [
        (FIRST, (HELD, [], ())),
        (SHORT, (PLAIN, [SHORT], ())),
        (REST, (FOUND, [FIRST, REST], BANNED)),
    ],
    "a second connection": [(WHOLE, (FOUND, [WHOLE], BANNED)), (OTHER, (FOUND, [OTHER], INNOCENT))],
    "a second hello": [(WHOLE, (FOUND, [WHOLE], BANNED)), (SECOND, (FOUND, [SECOND], BANNED + INNOCENT))],
    "a second hello, the same name": [(WHOLE, (FOUND, [WHOLE], BANNED)), (SAME, (FOUND, [SAME], BANNED))],
    "what cannot be read behind a hello, then the hello": [
        (ODD, (UNREADABLE, [ODD], ())),
        (WHOLE, (FOUND, [WHOLE], BANNED)),
    ],
    "what cannot be deciphered behind a hello, then the hello": [
        (GARBLED, (UNREADABLE, [GARBLED], ())),
        (WHOLE, (FOUND, [WHOLE], BANNED)),
    ],
    "a packet of another connection behind a hello": [
        (OTHER, (FOUND, [OTHER], INNOCENT)),
        (MIXED, (UNREADABLE, [MIXED], ())),
    ],
    "a handshake packet": [(with_long_header(2), (PLAIN, [], ()))],
    "text": [(b"ping", (PLAIN, [b"ping"], ()))],
    "nothing": [(b"", (PLAIN, [b""], ()))],
    "a reserved version": [(unknown_version(0x1A2A3A4A), (NEGOTIATE, [unknown_version(0x1A2A3A4A)], ()))],
    "another version": [(unknown_version(0xFF00001D), (UNREADABLE, [unknown_version(0xFF00001D)], ()))],
    "a version of somebody's own, first": [(unknown_version(7), (UNREADABLE, [unknown_version(7)], ()))],
    "a version of somebody's own, later": [
        (b"ping", (PLAIN, [b"ping"], ())),
        (unknown_version(7), (PLAIN, [unknown_version(7)], ())),
    ],
    "DTLS": [(DTLS, (FOUND, [DTLS], BANNED))],
    "DTLS in pieces": [
        *((piece, (HELD, [], ())) for piece in PIECES[:-1]),
        (PIECES[-1], (FOUND, PIECES, BANNED)),
    ],
    "DTLS in pieces, another record meanwhile": [
        *((piece, (HELD, [], ())) for piece in PIECES[:-1]),
        (ALERT, (HELD, [], ())),
        (PIECES[-1], (FOUND, [*PIECES[:-1], ALERT, PIECES[-1]], BANNED)),
        (ALERT, (PLAIN, [ALERT], ())),
    ],
    "DTLS in pieces, one of them again": [
        *((piece, (HELD, [], ())) for piece in PIECES[:-1]),
        (PIECES[-1], (FOUND, PIECES, BANNED)),
        (PIECES[0], (FOUND, [PIECES[0]], BANNED)),
        (ALERT, (PLAIN, [ALERT], ())),
    ],
    "DTLS that cannot be read": [(DTLS[:-1], (UNREADABLE, [DTLS[:-1]], ()))],
}


@pytest.mark.parametrize("steps", SEEN.values(), ids=SEEN)
def test_seen(steps: list[tuple[bytes, Seen]]) -> None:
    flow = DatagramFlow()
    for datagram, (kind, release, names) in steps:
        look = flow.feed(datagram)
        expected = release if release or kind is HELD else [datagram]
        assert (look.kind, look.release, look.names) == (kind, expected, names)


CHANGED = {"with another name": (SECOND, True), "with the same": (SAME, False)}


@pytest.mark.parametrize(("second", "changed"), CHANGED.values(), ids=CHANGED)
def test_a_second_hello(second: bytes, changed: bool) -> None:
    flow = DatagramFlow()
    assert flow.feed(WHOLE).changed is False
    assert flow.feed(second).changed is changed


ENDLESS: dict[str, tuple[list[bytes], Protocol]] = {
    "a ClientHello that does not end": ([FIRST] * (MOST_HELD + 1), Protocol.QUIC),
    "0-RTT without a ClientHello": ([early()] * (MOST_HELD + 1), Protocol.QUIC),
    "ever new connections": (
        [initial(crypto(HELLO[:9]), destination=bytes([n])) for n in range(14)]
        + [initial(crypto(HELLO[:9]), destination=b"\x01", packet=n + 1) for n in range(MOST_HELD)],
        Protocol.QUIC,
    ),
    "large ones": ([FIRST + bytes(9000)] * 8, Protocol.QUIC),
    "DTLS": ([PIECES[0]] * (MOST_HELD + 1), Protocol.DTLS),
    "DTLS, large ones": (
        [PIECES[0] + b"\x17\xfe\xfd" + bytes(8) + (9000).to_bytes(2) + bytes(9000)] * 8,
        Protocol.DTLS,
    ),
}


@pytest.mark.parametrize(("datagrams", "protocol"), ENDLESS.values(), ids=ENDLESS)
def test_what_waits_is_bounded(datagrams: list[bytes], protocol: Protocol) -> None:
    flow = DatagramFlow()
    looks = [flow.feed(datagram) for datagram in datagrams]
    ended = next(look for look in looks if look.kind is not HELD)
    assert (ended.kind, ended.protocol, ended.error) == (UNREADABLE, protocol, "a ClientHello that does not end")
    assert ended.release, "monitor lets it pass"


def test_what_was_refused_is_judged_again() -> None:
    flow = DatagramFlow()
    look = flow.feed(WHOLE)
    assert look.refusal
    flow.refused(look)
    again = flow.feed(WHOLE)
    assert (again.kind, again.names) == (FOUND, BANNED)


HEADER = b"\xc0\0\0\0\1\x08" + DESTINATION + b"\0" + number(20_000) + b"t" * 20_000  # an Initial's, with its token
OVERLONG: dict[str, bytes] = {
    "alone": HEADER + number(40) + bytes(40),
    "coalesced": initial(crypto(HELLO), size=0) + HEADER + number(40) + bytes(40),
}


@pytest.mark.parametrize("datagram", OVERLONG.values(), ids=OVERLONG)
def test_headers_that_would_end_the_process_reach_nobody(datagram: bytes) -> None:
    flow = DatagramFlow()
    look = flow.feed(datagram)
    assert (look.kind, look.release) == (UNREADABLE, []), "not even under monitor"
    assert flow.answered(datagram) is False
    assert flow.answered(WHOLE) is True


@given(st.binary(max_size=1400))
def test_any_bytes_are_looked_at(datagram: bytes) -> None:
    flow = DatagramFlow()
    for content in (datagram, WHOLE[:6] + datagram, DTLS[:3] + datagram, DTLS[:13] + datagram, datagram):
        look = flow.feed(content)
        assert look.kind is not FOUND or look.protocol is not None
        flow.concerns(content)
        flow.answered(content)
        assert isinstance(look.refusal, bytes)


@given(st.data())
@settings(max_examples=50)
def test_however_a_hello_is_cut_nothing_goes_on_before_its_name_is_known(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(HELLO) - 1), max_size=6)))
    pieces = list(pairwise([0, *cuts, len(HELLO)]))
    order = data.draw(st.permutations(pieces + data.draw(st.lists(st.sampled_from(pieces), max_size=3))))
    flow, missing = DatagramFlow(), set(pieces)
    for count, (start, end) in enumerate(order):
        look = flow.feed(initial(crypto(HELLO[start:end], start), packet=count))
        missing.discard((start, end))
        if missing:
            assert (look.kind, look.release) == (HELD, [])
        else:
            assert (look.kind, look.names, len(look.release)) == (FOUND, BANNED, count + 1)
            return


@given(st.integers(0, 1199), st.integers(1, 255))
@settings(max_examples=50)
def test_a_changed_byte_makes_nothing_plain_of_an_initial(position: int, change: int) -> None:
    """Save where it is no packet of a version that is read any more."""
    changed = bytearray(WHOLE)
    changed[position] ^= change
    look = DatagramFlow().feed(bytes(changed))
    if look.kind is PLAIN:
        assert not any(packet.kind == INITIAL for packet in packets(bytes(changed)))
    else:
        assert look.kind in (UNREADABLE, NEGOTIATE, HELD)


CONCERNS: dict[str, tuple[bytes, bool]] = {
    "an Initial": (WHOLE, True),
    "any long header of a version that is read": (with_long_header(2, version=V1), True),
    "a version that exists": (unknown_version(0xFF00001D), True),
    "DTLS": (DTLS, True),
    "a short header": (SHORT, False),
    "RTP": (b"\x80\x60" + bytes(range(100, 200)), False),
    "text": (b"ping", False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("datagram", "concerns"), CONCERNS.values(), ids=CONCERNS)
def test_concerns(datagram: bytes, concerns: bool) -> None:
    assert DatagramFlow().concerns(datagram) is concerns
