"""DTLS ClientHellos are found, whole or in pieces."""

import pytest

from embargo.enforce.datagrams.dtls import Hellos, is_open
from initials import dtls_hello, dtls_record, in_fragments_of

HELLO = dtls_hello("www.banned.test")
NAMES = ("www.banned.test",)
PIECES = in_fragments_of(50, HELLO)

ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\0\2\1\0"
_OTHER = dtls_hello("other.test")
OTHER = in_fragments_of(150, _OTHER[:17] + b"\0\1" + _OTHER[19:])  # with the next sequence number


def with_cookie(datagram: bytes, cookie: bytes) -> bytes:
    """The second ClientHello, which returns the server's cookie."""
    position = 25 + 34 + 1 + datagram[25 + 34]
    body = datagram[25:position] + bytes([len(cookie)]) + cookie + datagram[position + 1 :]
    return dtls_record(b"\x01" + len(body).to_bytes(3) + b"\0\1" + bytes(3) + len(body).to_bytes(3) + body)


FED: dict[str, tuple[list[bytes], list[tuple[str, ...] | None]]] = {
    "one datagram": ([HELLO], [NAMES]),
    "no name": ([dtls_hello(None)], [()]),
    "pieces": (PIECES, [None] * (len(PIECES) - 1) + [NAMES]),
    "pieces, backwards": (PIECES[::-1], [None] * (len(PIECES) - 1) + [NAMES]),
    "pieces in one datagram": ([b"".join(PIECES)], [NAMES]),
    "pieces, one of them twice": ([PIECES[0], *PIECES], [None] * len(PIECES) + [NAMES]),
    "with a cookie": ([HELLO, with_cookie(dtls_hello("other.test"), b"c" * 20)], [NAMES, ("other.test",)]),
    "behind an alert": ([ALERT + HELLO], [NAMES]),
    "again": ([HELLO, HELLO], [NAMES, NAMES]),
    "behind another message": ([dtls_record(b"\x10" + bytes(11)) + HELLO], [NAMES]),
    "a whole one beside a piece": ([HELLO + OTHER[0], OTHER[1]], [None, (*NAMES, "other.test")]),
    "enciphered": ([HELLO[:3] + b"\0\1" + HELLO[5:]], [()]),
}


@pytest.mark.parametrize(("datagrams", "names"), FED.values(), ids=FED)
def test_fed(datagrams: list[bytes], names: list[tuple[str, ...] | None]) -> None:
    hellos = Hellos()
    assert [hellos.feed(datagram) for datagram in datagrams] == names


UNREADABLE: dict[str, list[bytes]] = {
    "a record cut short": [HELLO[:-1]],
    "a message cut short": [dtls_record(HELLO[13:40])],
    "a message header cut short": [dtls_record(b"\x01\0")],
    "pieces of different lengths": [PIECES[0], PIECES[1][:14] + b"\0\2\0" + PIECES[1][17:]],
    "pieces that contradict each other": [PIECES[0], PIECES[0][:-1] + b"\xff"],
    "an empty one": [dtls_record(b"\x01" + bytes(11))],
    "extensions that lie": [dtls_record(HELLO[13:-24] + b"\xff" * 24)],
    "ever more that do not end": [dtls_record(PIECES[0][13:17] + n.to_bytes(2) + PIECES[0][19:]) for n in range(20)],
}


@pytest.mark.parametrize("datagrams", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(datagrams: list[bytes]) -> None:
    hellos = Hellos()
    with pytest.raises(ValueError):
        for datagram in datagrams:
            assert hellos.feed(datagram) is None


OPEN = {
    "a hello": (HELLO, True),
    "TLS": (b"\x16\x03\x01" + HELLO[3:], False),
    "enciphered": (HELLO[:3] + b"\0\1" + HELLO[5:], False),
    "an alert before it": (ALERT + HELLO, True),
    "another protocol": (b"\x1a" + HELLO[1:], False),
    "too short": (HELLO[:13], False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize(("datagram", "is_one"), OPEN.values(), ids=OPEN)
def test_is_open(datagram: bytes, is_one: bool) -> None:
    assert is_open(datagram) is is_one
