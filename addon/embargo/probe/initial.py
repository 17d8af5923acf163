"""The first datagram of a QUIC connection (RFC 9000, RFC 9001), and whether its answer is a refusal."""

import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from embargo.probe.hello import client_hello

CONNECTION_REFUSED = 0x02  # RFC 9000, 20.1
SMALLEST = 1200  # bytes of a first datagram (RFC 9000, 14.1)
_VERSION = bytes.fromhex("00000001")
_SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001, 5.2
_TAG = 16
_CLOSE = 0x1C


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client sends first, and the connection id from which both sides' keys follow."""

    datagram: bytes
    destination: bytes


def opening(name: str) -> Opening:
    """The first datagram of a connection to *name* (ASCII), as HTTP/3 begins."""
    destination, source = os.urandom(8), os.urandom(8)
    message = client_hello(name, protocols=(b"h3",), quic=source)
    frames = b"\x06" + _number(0) + _number(len(message)) + message
    header = b"\xc0" + _VERSION + bytes([8]) + destination + bytes([8]) + source + b"\0"
    room = SMALLEST - len(header) - 2 - 1 - _TAG  # two octets of length, one of the packet's number
    frames += bytes(max(0, room - len(frames)))  # PADDING
    header += (0x4000 | 1 + len(frames) + _TAG).to_bytes(2)
    keys = _Keys(destination, b"client in")
    content = keys.content.encrypt(keys.iv, frames, header + b"\0")
    mask = keys.mask(content[3:19])
    first = header[0] ^ mask[0] & 0x0F
    return Opening(bytes([first]) + header[1:] + bytes([mask[1]]) + content, destination)


def is_refusal(answer: bytes, opened: Opening) -> bool:
    """Whether *answer* is a server's Initial that closes the connection with CONNECTION_REFUSED."""
    if len(answer) < 7 or answer[0] & 0xF0 != 0xC0 or answer[1:5] != _VERSION:
        return False
    try:
        position = 5
        for _ in range(2):  # destination and source connection id
            position += 1 + answer[position]
        token, position = _read_number(answer, position)
        length, position = _read_number(answer, position + token)
        payload = _deciphered(answer[: position + length], position, _Keys(opened.destination, b"server in"))
    except (IndexError, InvalidTag):
        return False
    return payload[:2] == bytes((_CLOSE, CONNECTION_REFUSED))


class _Keys:
    """The protection of one side's Initial packets (RFC 9001, 5.2)."""

    def __init__(self, destination: bytes, side: bytes) -> None:
        common = hmac.digest(_SALT, destination, hashlib.sha256)
        secret = _expanded(common, side, 32)
        self.content = AESGCM(_expanded(secret, b"quic key", 16))
        self.iv = _expanded(secret, b"quic iv", 12)
        self._header = _expanded(secret, b"quic hp", 16)

    def mask(self, sample: bytes) -> bytes:
        """Five octets to cover a header with (RFC 9001, 5.4.3)."""
        return Cipher(AES(self._header), modes.ECB()).encryptor().update(sample)[:5]


def _expanded(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, 7.1) of at most one block, without context."""
    full = b"tls13 " + label
    info = length.to_bytes(2) + bytes([len(full)]) + full + b"\0"
    return hmac.digest(secret, info + b"\1", hashlib.sha256)[:length]


def _deciphered(packet: bytes, at: int, keys: _Keys) -> bytes:
    mask = keys.mask(packet[at + 4 : at + 20].ljust(16, b"\0"))
    octets = 1 + ((packet[0] ^ mask[0]) & 0x03)
    number = bytes(a ^ b for a, b in zip(packet[at : at + octets], mask[1:], strict=False))
    header = bytes([packet[0] ^ mask[0] & 0x0F]) + packet[1:at] + number
    nonce = (int.from_bytes(keys.iv) ^ int.from_bytes(number)).to_bytes(12)
    return keys.content.decrypt(nonce, packet[at + octets :], header)


def _number(value: int) -> bytes:
    """A variable-length integer of two octets (RFC 9000, 16)."""
    return (0x4000 | value).to_bytes(2)


def _read_number(data: bytes, position: int) -> tuple[int, int]:
    octets = 1 << (data[position] >> 6)
    value = int.from_bytes(data[position : position + octets]) & (1 << (octets * 8 - 2)) - 1
    return value, position + octets
