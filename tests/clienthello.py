"""Real ClientHellos, as OpenSSL writes them, and ways to cut and disguise them."""

import contextlib
import ssl


def client_hello(name: str | None = "www.alipay.com", alpn: tuple[str, ...] = ()) -> bytes:
    """One TLS record with a ClientHello for *name*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def in_records_of(size: int, hello: bytes) -> bytes:
    """The handshake message of *hello* in records that hold *size* bytes each."""
    message = hello[5:]
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


def with_version(version: bytes, hello: bytes) -> bytes:
    """*hello* with another version on its record."""
    return hello[:1] + version + hello[3:]


def behind_empty_record(hello: bytes) -> bytes:
    """*hello* behind a handshake record without content, which OpenSSL skips (measured)."""
    return b"\x16\x03\x01\x00\x00" + hello


def with_server_names(hello: bytes, *names: bytes) -> bytes:
    """*hello* (one record) with these names in its server_name extension, legal or not."""
    message = hello[9:]
    position = 2 + 32
    position += 1 + message[position]
    position += 2 + int.from_bytes(message[position : position + 2])
    position += 1 + message[position]
    head, extensions = message[:position], message[position + 2 :]
    kept = b""
    while extensions:
        length = 4 + int.from_bytes(extensions[2:4])
        if extensions[:2] != b"\0\0":
            kept += extensions[:length]
        extensions = extensions[length:]
    entries = b"".join(b"\0" + len(name).to_bytes(2) + name for name in names)
    content = len(entries).to_bytes(2) + entries
    extensions = b"\0\0" + len(content).to_bytes(2) + content + kept
    body = head + len(extensions).to_bytes(2) + extensions
    handshake = b"\x01" + len(body).to_bytes(3) + body
    return hello[:3] + len(handshake).to_bytes(2) + handshake
