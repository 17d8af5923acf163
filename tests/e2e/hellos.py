"""ClientHellos as other stacks write them, made from their published structure: no key of theirs is used.

What differs from OpenSSL's is the order of extensions, GREASE (RFC 8701), padding (RFC 7685), ECH GREASE
(RFC 9849), key shares of several kilobytes (X25519MLKEM768), a missing session id. A server that takes one
answers with a ServerHello or a HelloRetryRequest; more is not needed here.
"""

import contextlib
import os
import socket

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

GREASE = 0x0A0A
X25519, P256, MLKEM = 0x001D, 0x0017, 0x11EC
SUITES_13 = (0x1301, 0x1302, 0x1303)
SUITES_12 = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014)
ML_KEM_KEY = bytes(1152)  # coefficients of an ML-KEM-768 encapsulation key: each below 3329, as OpenSSL 3.5 checks


def vector(content: bytes, size: int) -> bytes:
    """*content* behind its length in *size* bytes."""
    return len(content).to_bytes(size) + content


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def extension(kind: int, content: bytes = b"") -> bytes:
    return kind.to_bytes(2) + vector(content, 2)


def server_name(name: str) -> bytes:
    return extension(0, vector(b"\0" + vector(name.encode(), 2), 2))


def alpn(*protocols: str) -> bytes:
    return extension(16, vector(b"".join(vector(each.encode(), 1) for each in protocols), 2))


def key_shares(*groups: int) -> bytes:
    """A share of each group; that of P-256 is no point of the curve, and no server here asks for it."""
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    keys = {X25519: public, P256: os.urandom(65), MLKEM: ML_KEM_KEY + os.urandom(32) + public, GREASE: b"\0"}
    return extension(51, vector(b"".join(group.to_bytes(2) + vector(keys[group], 2) for group in groups), 2))


def versions(*values: int) -> bytes:
    return extension(43, vector(numbers(*values), 1))


def groups(*values: int) -> bytes:
    return extension(10, vector(numbers(*values), 2))


SIGNATURES = extension(13, vector(numbers(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601), 2))
POINTS = extension(11, b"\x01\x00")
PSK_MODES = extension(45, b"\x01\x01")
STATUS = extension(5, b"\x01\0\0\0\0")
ECH_GREASE = 0xFE0D


def ech_grease() -> bytes:
    """An encrypted hello that nobody can open: kind, suite, config id, enc, payload (RFC 9849, 6.2)."""
    payload = b"\0" + numbers(1, 1) + os.urandom(1) + vector(os.urandom(32), 2) + vector(os.urandom(208), 2)
    return extension(ECH_GREASE, payload)


def hello(suites: tuple[int, ...], *extensions: bytes, session: int = 32, pad_to: int = 0) -> bytes:
    """One record with a ClientHello; *session* bytes of a session id; padded to *pad_to* bytes where shorter."""
    content = b"".join(extensions)
    head = b"\x03\x03" + os.urandom(32) + vector(os.urandom(session), 1) + vector(numbers(*suites), 2) + b"\x01\x00"
    missing = pad_to - 4 - len(head) - 2 - len(content) - 4
    if missing > 0:
        content += extension(21, bytes(missing))
    message = b"\x01" + vector(head + vector(content, 2), 3)
    return b"\x16\x03\x01" + vector(message, 2)


def go(name: str) -> bytes:
    """crypto/tls of Go 1.24: no GREASE, ML-KEM first."""
    return hello(
        (*SUITES_12, *SUITES_13), server_name(name), STATUS, groups(MLKEM, X25519, P256), POINTS, SIGNATURES,
        extension(0xFF01, b"\0"), extension(23), alpn("h2", "http/1.1"), extension(18), versions(0x0304, 0x0303),
        key_shares(MLKEM, X25519),
    )  # fmt: skip


def go_without_tls_13(name: str) -> bytes:
    """MaxVersion: TLS 1.2, no session id."""
    return hello(
        SUITES_12, server_name(name), STATUS, groups(X25519, P256), POINTS, SIGNATURES, extension(0xFF01, b"\0"),
        extension(18), session=0,
    )  # fmt: skip


def firefox(name: str) -> bytes:
    """NSS: record size limit, delegated credentials, ECH GREASE last, padding in older ones."""
    return hello(
        (*SUITES_13, *SUITES_12), server_name(name), extension(23), extension(0xFF01, b"\0"),
        groups(MLKEM, X25519, P256, 0x0018, 0x0019, 0x0100, 0x0101), POINTS, extension(35), alpn("h2", "http/1.1"),
        STATUS, extension(34, vector(numbers(0x0403, 0x0503, 0x0603, 0x0203), 2)), extension(18),
        key_shares(MLKEM, X25519, P256), versions(0x0304, 0x0303), SIGNATURES, PSK_MODES, extension(28, b"\x40\x01"),
        ech_grease(),
    )  # fmt: skip


def chrome(name: str) -> bytes:
    """BoringSSL: GREASE in suites, groups, versions, shares and at both ends; the name far behind; ALPS."""
    return hello(
        (GREASE, *SUITES_13, *SUITES_12), extension(GREASE), ech_grease(), key_shares(GREASE, MLKEM, X25519), PSK_MODES,
        extension(0x44CD, vector(vector(b"h2", 1), 2)), SIGNATURES, extension(35), STATUS, extension(18),
        extension(27, b"\x02\x00\x02"), groups(GREASE, MLKEM, X25519, P256, 0x0018), alpn("h2", "http/1.1"),
        versions(GREASE, 0x0304, 0x0303), POINTS, extension(23), server_name(name), extension(0xFF01, b"\0"),
        extension(0x1A1A, b"\0"),
    )  # fmt: skip


def safari(name: str) -> bytes:
    """Secure Transport: GREASE, TLS 1.0 still offered, padded to 512 bytes."""
    return hello(
        (GREASE, *SUITES_13, *SUITES_12, 0x009D, 0x009C, 0x0035, 0x002F), extension(GREASE), server_name(name),
        extension(23), extension(0xFF01, b"\0"), groups(GREASE, X25519, P256, 0x0018, 0x0019), POINTS,
        alpn("h2", "http/1.1"), STATUS, SIGNATURES, extension(18), key_shares(GREASE, X25519), PSK_MODES,
        versions(GREASE, 0x0304, 0x0303, 0x0302, 0x0301), extension(27, b"\x02\x00\x01"), extension(0x2A2A, b"\0"),
        pad_to=512,
    )  # fmt: skip


def rustls(name: str) -> bytes:
    """Few extensions, in random order from one connection to the next; here the name last."""
    return hello(
        (*SUITES_13, *SUITES_12[:6], 0x00FF), extension(23), PSK_MODES, key_shares(X25519), versions(0x0304, 0x0303),
        SIGNATURES, extension(35), STATUS, POINTS, groups(X25519, P256, 0x0018), server_name(name),
    )  # fmt: skip


def with_a_share_that_is_not_wanted(name: str) -> bytes:
    """Only a share of P-256 that is no point, and X25519 offered: a server asks for a second hello."""
    return hello(
        SUITES_13, server_name(name), groups(X25519), SIGNATURES, versions(0x0304), extension(51, b"\0\0"), PSK_MODES
    )


HELLOS = {
    "Go": go,
    "Go, TLS 1.2": go_without_tls_13,
    "Firefox": firefox,
    "Chrome": chrome,
    "Safari": safari,
    "rustls": rustls,
    "no share": with_a_share_that_is_not_wanted,
}


def server_answers(connection: socket.socket) -> bool:
    """Whether a ServerHello comes, or what asks for a second hello: a handshake record, no alert."""
    data = b""
    with contextlib.suppress(OSError):
        while len(data) < 6:
            piece = connection.recv(6 - len(data))
            if not piece:
                break
            data += piece
    return data[:1] == b"\x16" and data[5:6] == b"\x02"
