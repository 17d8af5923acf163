"""A ClientHello by hand (RFC 8446, 4.1.2), for names that a TLS library would refuse to send.

It opens no session: its key share is random, so whoever answers learns nothing and can establish nothing.
"""

import os

RECORD_VERSION = b"\x03\x01"  # as clients send it (RFC 8446, 5.1)
_HANDSHAKE, _CLIENT_HELLO = 0x16, 0x01
_CIPHERS = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030)  # TLS 1.3, then ECDHE with AES-GCM
_CIPHERS_OF_QUIC = (0x1301, 0x1302, 0x1303)
_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURES, _ALPN = 0, 10, 11, 13, 16
_MASTER_SECRET, _VERSIONS, _KEY_EXCHANGES, _KEY_SHARE, _TRANSPORT_PARAMETERS = 23, 43, 45, 51, 57
_X25519, _SECP256R1 = 0x001D, 0x0017
_SIGNATURE_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0807)


def client_hello(name: str, *, protocols: tuple[bytes, ...] = (b"http/1.1",), quic: bytes | None = None) -> bytes:
    """The handshake message with *name* (ASCII) as server name; *quic*: the client's connection id over QUIC."""
    ciphers = _CIPHERS if quic is None else _CIPHERS_OF_QUIC
    host = name.encode("ascii")
    extensions = [
        _extension(_SERVER_NAME, _long(b"\0" + _long(host))),
        _extension(_GROUPS, _long(_numbers(_X25519, _SECP256R1))),
        _extension(_SIGNATURES, _long(_numbers(*_SIGNATURE_SCHEMES))),
        _extension(_ALPN, _long(b"".join(map(_short, protocols)))),
        _extension(_KEY_EXCHANGES, _short(b"\1")),
        _extension(_KEY_SHARE, _long(_numbers(_X25519) + _long(os.urandom(32)))),
    ]
    if quic is None:
        extensions += [
            _extension(_VERSIONS, _short(_numbers(0x0304, 0x0303))),
            _extension(_POINT_FORMATS, _short(b"\0")),
            _extension(_MASTER_SECRET, b""),
        ]
    else:
        extensions += [
            _extension(_VERSIONS, _short(_numbers(0x0304))),
            _extension(_TRANSPORT_PARAMETERS, _transport_parameters(quic)),
        ]
    session = os.urandom(32) if quic is None else b""  # QUIC has no middlebox to please (RFC 9001, 8.4)
    body = b"\x03\x03" + os.urandom(32) + _short(session)
    body += _long(_numbers(*ciphers)) + _short(b"\0") + _long(b"".join(extensions))
    return bytes([_CLIENT_HELLO]) + len(body).to_bytes(3) + body


def record(message: bytes, version: bytes = RECORD_VERSION) -> bytes:
    """*message* as one TLS record."""
    return bytes([_HANDSHAKE]) + version + _long(message)


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2) + _long(content)


def _long(content: bytes) -> bytes:
    return len(content).to_bytes(2) + content


def _short(content: bytes) -> bytes:
    return len(content).to_bytes(1) + content


def _numbers(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2) for number in numbers)


def _transport_parameters(source: bytes) -> bytes:
    """What a client must say of itself (RFC 9000, 18.2): limits, and the connection id that it chose."""
    limits = {0x04: 65_536, 0x05: 32_768, 0x06: 32_768, 0x07: 32_768, 0x08: 3, 0x09: 3}
    said = b"".join(bytes([kind, 4]) + (0x80000000 | value).to_bytes(4) for kind, value in limits.items())
    return said + b"\x0f" + _short(source)
