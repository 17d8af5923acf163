"""Whether a stream carries DNS over TCP (RFC 1035, 4.2.2; RFC 7766), and the queries in one that may.

On a DNS port anything may be spoken. What begins like DNS is given to mitmproxy's DNS layer, which sends on nothing
but what it could read; in all else queries are looked for, since a server may skip what is none.
"""

from enum import Enum, auto

from embargo.core.dns_message import HEADER, MOST_QUESTIONS, Reader
from embargo.core.dns_wire import LONGEST_WIRE_NAME, MalformedMessage

PORTS = frozenset({53, 5353})  # DNS and multicast DNS
TLS_PORT = 853  # DNS over TLS (RFC 7858, 3.1)
_OPCODES = frozenset({0, 1, 2, 4, 5, 6})  # those that are assigned (IANA, DNS OpCodes)


class Framing(Enum):
    """Whether a stream begins with a DNS query."""

    WAIT = auto()  # so far it may
    QUERY = auto()
    OTHER = auto()


def framing(data: bytes) -> Framing:
    """Whether *data* begins like DNS over TCP (RFC 1035, 4.2.2): a length, and a query's header and question."""
    length = int.from_bytes(data[:2])
    if len(data) >= 2 and length < HEADER.size:
        return Framing.OTHER
    flags = int.from_bytes(data[4:6].ljust(2, b"\0"))
    if flags & 0x8000 or flags >> 11 & 0xF not in _OPCODES or flags & 0x0040:  # a response; unassigned; Z, always zero
        return Framing.OTHER
    if len(data) < 2 + HEADER.size:
        return Framing.WAIT
    _, _, *counts = HEADER.unpack_from(data, 2)
    if counts[0] > MOST_QUESTIONS or HEADER.size + 5 * counts[0] + 11 * sum(counts[1:]) > length:
        return Framing.OTHER
    if not counts[0] and length > 512:
        return Framing.OTHER  # what has no question is short: stateful operations, cookies (RFC 8490, RFC 7873)
    try:
        if counts[0]:
            Reader(data[2 : 2 + length]).question()
    except MalformedMessage:
        return Framing.WAIT if len(data) < min(2 + length, 2 + HEADER.size + LONGEST_WIRE_NAME + 4) else Framing.OTHER
    return Framing.QUERY


class Frames:
    """The messages of one direction of DNS over TCP, put together from its pieces."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole with *data*. No more than one unfinished message of 64 KiB is held."""
        self._held += data
        whole = []
        position = 0
        while len(self._held) - position >= 2:
            end = position + 2 + int.from_bytes(self._held[position : position + 2])
            if end > len(self._held):
                break
            whole.append(self._held[position + 2 : end])
            position = end
        self._held = self._held[position:]
        return whole


def carries_dns(port: int | None, begun: bytes) -> bool:
    """Whether DNS over TCP is looked for in a stream to *port* that begins with *begun*: at its ports whatever that
    is (what is read at that of DNS over TLS was opened), at others where it may be a query.
    """
    return port in PORTS or port == TLS_PORT or framing(begun) is not Framing.OTHER
