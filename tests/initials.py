"""Real first datagrams of QUIC, as aioquic writes them, of DTLS, as OpenSSL does, and ways to cut and disguise them."""

import contextlib
import os

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion
from OpenSSL import SSL

from clienthello import client_hello

V1, V2 = QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2
DESTINATION, SOURCE = bytes.fromhex("8394c8f03e515708"), bytes.fromhex("c1c2c3c4")  # the first as in RFC 9001, A
PADDING, PING = b"\0", b"\1"


def first_datagrams(
    name: str | None = "www.banned.test", *, version: int = V1, protocols: tuple[str, ...] = ("h3",)
) -> list[bytes]:
    """What a client sends first; with many long *protocols*, more than one datagram."""
    configuration = QuicConfiguration(
        is_client=True, server_name=name, alpn_protocols=list(protocols), original_version=version
    )
    connection = QuicConnection(configuration=configuration)
    connection.connect(("192.0.2.1", 443), now=0.0)
    return [data for data, _ in connection.datagrams_to_send(now=0.0)]


LONG = tuple(f"{'p' * 240}{number}" for number in range(5))  # protocols that fill a second datagram


def hello(name: str | None = "www.banned.test") -> bytes:
    """A ClientHello as a handshake message."""
    return client_hello(name)[5:]


def number(value: int) -> bytes:
    """A variable-length integer of four octets (RFC 9000, 16)."""
    return (0x80000000 | value).to_bytes(4)


def crypto(content: bytes, offset: int = 0) -> bytes:
    return b"\x06" + number(offset) + number(len(content)) + content


def initial(
    frames: bytes,
    *,
    destination: bytes = DESTINATION,
    keys: bytes | None = None,
    version: int = V1,
    packet: int = 0,
    token: bytes = b"",
    size: int = 1200,
    bits: int = 0xC0,
) -> bytes:
    """An Initial packet of a client with *frames*, padded to *size*; *keys*: the id from which they follow."""
    pair = CryptoPair()
    pair.setup_initial(keys if keys is not None else destination, is_client=True, version=version)
    kind = 1 if version == V2 else 0
    header = bytes([bits | kind << 4 | 1]) + int(version).to_bytes(4)
    header += bytes([len(destination)]) + destination + bytes([len(SOURCE)]) + SOURCE
    header += number(len(token)) + token
    assert size <= 1500, "aioquic enciphers no more"
    frames += PADDING * max(0, size - len(header) - 4 - 2 - 16 - len(frames))
    header += number(2 + len(frames) + 16) + (packet & 0xFFFF).to_bytes(2)
    return pair.encrypt_packet(header, frames, packet)


def with_long_header(kind: int, *, destination: bytes = DESTINATION, version: int = V1, content: int = 40) -> bytes:
    """A packet of another type, whose content nobody on the way can read."""
    header = bytes([0xC0 | kind << 4]) + int(version).to_bytes(4)
    header += bytes([len(destination)]) + destination + bytes([len(SOURCE)]) + SOURCE
    return header + number(content) + os.urandom(content)


def early(**options: object) -> bytes:
    """0-RTT of version 1."""
    return with_long_header(1, **options)  # type: ignore[arg-type]


SHORT = b"\x41" + bytes(range(0x80, 0xC0))  # a packet with a short header


def unknown_version(version: int, size: int = 1200) -> bytes:
    """The first datagram of a version that only its makers know."""
    header = b"\xc3" + version.to_bytes(4) + bytes([len(DESTINATION)]) + DESTINATION + bytes([len(SOURCE)]) + SOURCE
    return header + b"\x55" * (size - len(header))


def dtls_hello(name: str | None = "www.banned.test") -> bytes:
    """One datagram with a DTLS ClientHello."""
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD), None)
    connection.set_connect_state()
    if name is not None:
        connection.set_tlsext_host_name(name.encode())
    with contextlib.suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(65_535)


def dtls_record(message: bytes) -> bytes:
    return b"\x16\xfe\xff" + bytes(8) + len(message).to_bytes(2) + message


def in_fragments_of(size: int, datagram: bytes) -> list[bytes]:
    """The handshake message of *datagram* in datagrams that hold *size* bytes of it each."""
    header, body = datagram[13:25], datagram[25:]
    return [
        dtls_record(header[:6] + start.to_bytes(3) + len(piece).to_bytes(3) + piece)
        for start in range(0, len(body), size)
        for piece in [body[start : start + size]]
    ]
