"""QUIC's packets as far as they are readable on the way: long headers, and the frames of Initial packets.

RFC 9000 (version 1) and RFC 9369 (version 2); RFC 8999 has what holds for all versions. Initial packets are
enciphered with keys that follow from the client's first connection id, so anyone on the way can read them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aioquic.quic.crypto import INITIAL_SALT_VERSION_1, INITIAL_SALT_VERSION_2, derive_key_iv_hp
from aioquic.quic.packet import decode_packet_number
from aioquic.tls import CipherSuite, hkdf_expand_label, hkdf_extract
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import SHA256

VERSION_1, VERSION_2 = 0x00000001, 0x6B3343CF
VERSIONS = (VERSION_1, VERSION_2)  # those that are read
SMALLEST_FIRST = 1200  # bytes: a server drops a first datagram below that (RFC 9000, 14.1)
LONGEST_HEADER = 1400  # octets; all but the token fill 60, and a token has to leave room for a ClientHello
SMALLEST_SHORT = 21  # bytes of the shortest packet with a short header (RFC 9000, 10.3)

INITIAL, ZERO_RTT = "initial", "0-rtt"
TYPES = {  # of packets with long headers, by the two type bits of the first byte
    VERSION_1: (INITIAL, ZERO_RTT, "handshake", "retry"),
    VERSION_2: ("retry", INITIAL, ZERO_RTT, "handshake"),
}
_LONGEST_ID = 20  # octets of a connection id in these versions
_DRAFTS = range(0xFF000000, 0xFF000100)  # of the IETF
_GOOGLE = (b"Q", b"T")  # Q043, Q050, T051, …: ASCII
_OTHERS = range(0xFACEB000, 0xFACEB010)  # mvfst
_DRAFT_2 = 0x709A50C4  # version 2, draft
_SAMPLE = 16  # octets of what is enciphered, for header protection
_ACK_ECN = 0x03  # frame type


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
    return first and version != 0 and len(datagram) >= SMALLEST_FIRST and connection_ids(datagram, 0) is not None


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
    found = connection_ids(datagram, start)
    if version not in VERSIONS or found is None:
        return None
    assert version is not None
    destination, source, position = found
    kind = TYPES[version][datagram[start] >> 4 & 0x03]
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


def connection_ids(datagram: bytes, start: int) -> tuple[bytes, bytes, int] | None:
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


def is_overlong(datagram: bytes) -> bool:
    """Whether a packet in *datagram* has a header that no sane peer sends.

    aioquic 1.2 copies one above 1500 octets beyond its buffer, which ends the process (measured), so none may reach it.
    """
    return len(datagram) > LONGEST_HEADER and any(
        packet.payload - packet.start > LONGEST_HEADER for packet in packets(datagram)
    )


class InitialCipher:
    """The protection of one side's Initial packets (RFC 9001, 5).

    aioquic's own takes no packet above 1500 octets, and copies a header above that beyond its buffer.
    """

    def __init__(self, first: bytes, version: int, side: bytes) -> None:
        salt = INITIAL_SALT_VERSION_2 if version == VERSION_2 else INITIAL_SALT_VERSION_1
        secret = hkdf_expand_label(SHA256(), hkdf_extract(SHA256(), salt, first), side, b"", SHA256.digest_size)
        suite = CipherSuite.AES_128_GCM_SHA256
        key, self._iv, mask = derive_key_iv_hp(cipher_suite=suite, secret=secret, version=version)
        self._content, self._mask = AESGCM(key), mask

    def decipher(self, packet: bytes, offset: int, expected: int) -> tuple[bytes, int] | None:
        """Payload and number of *packet*, whose number is at *offset*; None where these are not its keys."""
        sample = packet[offset + 4 : offset + 4 + _SAMPLE]
        if len(sample) < _SAMPLE:
            return None
        first, *mask = self._masked(sample)
        header = bytearray(packet[: offset + 4])
        header[0] ^= first & 0x0F
        octets = 1 + (header[0] & 0x03)
        for position in range(octets):
            header[offset + position] ^= mask[position]
        number = decode_packet_number(int.from_bytes(header[offset : offset + octets]), octets * 8, expected)
        del header[offset + octets :]
        try:
            return self._content.decrypt(self._nonce(number), packet[len(header) :], bytes(header)), number
        except InvalidTag:
            return None

    def encipher(self, header: bytes, payload: bytes, number: int) -> bytes:
        """A packet; *header* ends in its number, in one octet."""
        content = self._content.encrypt(self._nonce(number), payload, header)
        first, mask, *_ = self._masked(content[3 : 3 + _SAMPLE])
        return bytes([header[0] ^ first & 0x0F]) + header[1:-1] + bytes([header[-1] ^ mask]) + content

    def _masked(self, sample: bytes) -> bytes:
        return Cipher(AES(self._mask), modes.ECB()).encryptor().update(sample)[:5]

    def _nonce(self, number: int) -> bytes:
        return (int.from_bytes(self._iv) ^ number).to_bytes(len(self._iv))


class InitialKeys:
    """Deciphers the Initial packets of one connection."""

    def __init__(self, first: bytes) -> None:
        """*first*: the destination connection id of the client's first packet, or of the first after a Retry."""
        self._first = first
        self._ciphers: dict[int, InitialCipher] = {}  # by version: it may change to the other one on the way (RFC 9368)
        self._expected = 0  # packet number

    def decipher(self, datagram: bytes, packet: Packet) -> bytes | None:
        """The frames of a client's Initial *packet*; None where these are not its keys."""
        cipher = self._ciphers.get(packet.version)
        if cipher is None:
            cipher = self._ciphers[packet.version] = InitialCipher(self._first, packet.version, b"client in")
        found = cipher.decipher(datagram[packet.start : packet.end], packet.payload - packet.start, self._expected)
        if found is None:
            return None
        payload, number = found
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
