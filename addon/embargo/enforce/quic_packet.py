"""QUIC's packets as far as they are readable on the way: long headers, and the frames of Initial packets.

RFC 9000 (version 1) and RFC 9369 (version 2); RFC 8999 has what holds for all versions. Initial packets are
enciphered with keys that follow from the client's first connection id, so anyone on the way can read them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from aioquic._crypto import CryptoError
from aioquic.quic.crypto import CryptoPair

VERSION_1, VERSION_2 = 0x00000001, 0x6B3343CF
VERSIONS = (VERSION_1, VERSION_2)  # those that are read
SMALLEST_FIRST = 1200  # bytes: a server drops a first datagram below that (RFC 9000, 14.1)
SMALLEST_SHORT = 21  # bytes of the shortest packet with a short header (RFC 9000, 10.3)
CONNECTION_REFUSED = 0x02  # RFC 9000, 20.1: the server refuses a new connection

INITIAL, ZERO_RTT = "initial", "0-rtt"
_TYPES = {  # by the two type bits of the first byte
    VERSION_1: (INITIAL, ZERO_RTT, "handshake", "retry"),
    VERSION_2: ("retry", INITIAL, ZERO_RTT, "handshake"),
}
_LONGEST_ID = 20  # octets of a connection id in these versions
_DRAFTS = range(0xFF000000, 0xFF000100)  # of the IETF
_GOOGLE = (b"Q", b"T")  # Q043, Q050, T051, …: ASCII
_OTHERS = range(0xFACEB000, 0xFACEB010)  # mvfst
_DRAFT_2 = 0x709A50C4  # version 2, draft
_ACK_ECN, _CLOSE = 0x03, 0x1C  # frame types


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet with a long header, still enciphered."""

    version: int
    kind: str
    destination: bytes  # connection ids
    source: bytes
    start: int
    payload: int  # where the enciphered part begins, in the datagram
    end: int


def version_of(datagram: bytes) -> int | None:
    """The version that a datagram with a long header names; None for any other."""
    if len(datagram) < 7 or not datagram[0] & 0x80:
        return None
    return int.from_bytes(datagram[1:5])


def is_unread_version(datagram: bytes, *, first: bool) -> bool:
    """Whether *datagram* begins a QUIC connection in a version that is not read.

    Other protocols set the highest bit of their first byte too (RTP, enciphered ones now and then), so it takes the
    next bit, which all known versions set, and a version that exists; or, where it is the *first* of a flow, the
    length that the first datagram of a connection must have.
    """
    if datagram[9:10] in _GOOGLE and datagram[10:13].isdigit() and datagram[0] & 0x01:
        return True  # Google's until Q043: flags, connection id, version
    version = version_of(datagram)
    if version is None or version in VERSIONS or datagram[0] & 0xC0 != 0xC0:
        return False
    if is_reserved(version) or version in _DRAFTS or version in _OTHERS or version == _DRAFT_2:
        return True
    if datagram[1:2] in _GOOGLE and datagram[2:5].isdigit():
        return True
    return first and version != 0 and len(datagram) >= SMALLEST_FIRST and _ids(datagram, 0) is not None


def is_reserved(version: int) -> bool:
    """Whether *version* only asks the server which ones it knows (RFC 9000, 15)."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


def packets(datagram: bytes) -> Iterator[Packet]:
    """The packets with long headers of a version that is read, as far as they can be told apart.

    What follows one that is cut short, a Retry or a short header, no receiver tells apart either.
    """
    position = 0
    while position < len(datagram):
        packet = _packet(datagram, position)
        if packet is None:
            return
        yield packet
        position = packet.end


def _packet(datagram: bytes, start: int) -> Packet | None:
    version = version_of(datagram[start:])
    found = _ids(datagram, start)
    if version not in VERSIONS or found is None:
        return None
    assert version is not None
    destination, source, position = found
    kind = _TYPES[version][datagram[start] >> 4 & 0x03]
    if kind == "retry":
        return Packet(version, kind, destination, source, start, position, len(datagram))
    try:
        if kind == INITIAL:
            length, position = _number(datagram, position)
            position += length  # the token
        length, position = _number(datagram, position)
    except ValueError:
        return None
    end = position + length
    return Packet(version, kind, destination, source, start, position, end) if end <= len(datagram) else None


def _ids(datagram: bytes, start: int) -> tuple[bytes, bytes, int] | None:
    """Destination and source connection id, and where what follows them begins."""
    ids, position = [], start + 5
    for _ in range(2):
        if position >= len(datagram) or datagram[position] > _LONGEST_ID:
            return None
        end = position + 1 + datagram[position]
        if end > len(datagram):
            return None
        ids.append(datagram[position + 1 : end])
        position = end
    return ids[0], ids[1], position


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000, 16) and the position behind it. Raises ValueError where it is cut."""
    if position >= len(data):
        raise ValueError("a number that does not end")
    octets = 1 << (data[position] >> 6)
    if position + octets > len(data):
        raise ValueError("a number that does not end")
    value = int.from_bytes(data[position : position + octets]) & (1 << (octets * 8 - 2)) - 1
    return value, position + octets


class InitialKeys:
    """Deciphers the Initial packets of one connection."""

    def __init__(self, first: bytes) -> None:
        """*first*: the destination connection id of the client's first packet, or of the first after a Retry."""
        self._first = first
        self._pairs: dict[int, CryptoPair] = {}  # by version: it may change to the other one on the way (RFC 9368)
        self._expected = 0  # packet number

    def decipher(self, datagram: bytes, packet: Packet) -> bytes | None:
        """The frames of a client's Initial *packet*; None where these are not its keys."""
        pair = self._pairs.get(packet.version)
        if pair is None:
            pair = self._pairs[packet.version] = CryptoPair()
            pair.setup_initial(self._first, is_client=False, version=packet.version)
        content = datagram[packet.start : packet.end]
        try:
            _, payload, number = pair.decrypt_packet(content, packet.payload - packet.start, self._expected)
        except CryptoError:
            return None
        self._expected = max(self._expected, number + 1)
        return payload


def crypto_frames(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and content of each CRYPTO frame in an Initial packet. Raises ValueError for frames that may not be."""
    position = 0
    while position < len(payload):
        kind = payload[position]
        position += 1
        match kind:
            case 0x00 | 0x01:  # PADDING, PING
                continue
            case 0x02 | 0x03:  # ACK
                position = _behind_ack(payload, position, counts=kind == _ACK_ECN)
            case 0x06:  # CRYPTO
                offset, position = _number(payload, position)
                length, position = _number(payload, position)
                if position + length > len(payload):
                    raise ValueError("a CRYPTO frame that does not end")
                yield offset, payload[position : position + length]
                position += length
            case 0x1C:  # CONNECTION_CLOSE: nothing of interest can follow
                return
            case _:
                raise ValueError(f"a frame of type {kind:#x} in an Initial packet")


def _behind_ack(payload: bytes, position: int, *, counts: bool) -> int:
    """The position behind an ACK frame (RFC 9000, 19.3)."""
    for _ in range(2):  # largest, delay
        _, position = _number(payload, position)
    ranges, position = _number(payload, position)
    if ranges > len(payload):
        raise ValueError("an ACK frame that does not end")
    for _ in range(1 + 2 * ranges + 3 * counts):
        _, position = _number(payload, position)
    return position


def connection_close(packet: Packet, first: bytes) -> bytes:
    """A server's Initial packet that refuses the connection of a client's *packet*.

    Clients turn to TCP at once, where silence would cost them seconds. *first*: as for `InitialKeys`.
    """
    pair = CryptoPair()
    pair.setup_initial(first, is_client=False, version=packet.version)
    frame = bytes((_CLOSE, CONNECTION_REFUSED, 0, 0))  # code, frame type, length of the reason
    payload = frame + bytes(16)  # PADDING: header protection takes a sample of what follows
    own = os.urandom(8)
    length = 1 + len(payload) + pair.aead_tag_size
    header = bytes([0xC0 | _TYPES[packet.version].index(INITIAL) << 4])
    header += packet.version.to_bytes(4)
    header += bytes([len(packet.source)]) + packet.source + bytes([len(own)]) + own
    header += b"\0" + (0x4000 | length).to_bytes(2)  # no token; the length in two octets
    return pair.encrypt_packet(header + b"\0", payload, 0)  # packet number 0, in one octet


def version_negotiation(datagram: bytes) -> bytes | None:
    """What a server answers to a version that it does not know (RFC 8999, 6); None where no id can be read."""
    ids = _ids(datagram, 0)
    if ids is None or version_of(datagram) is None:
        return None
    destination, source, _ = ids
    head = bytes([0x80 | os.urandom(1)[0]]) + bytes(4)
    head += bytes([len(source)]) + source + bytes([len(destination)]) + destination
    return head + b"".join(version.to_bytes(4) for version in VERSIONS)
