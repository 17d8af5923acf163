"""DNS messages as clients and servers write them, those that none should write included."""

import struct

A, CNAME, PTR, MX, TXT, AAAA, SRV, DNAME, SVCB, HTTPS = 1, 5, 12, 15, 16, 28, 33, 39, 64, 65


def wire(name: str) -> bytes:
    """*name* as its labels."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def query(
    *names: str | bytes, type: int = A, id: int = 0x1234, edns: bool = False, flags: int = 0x0100, trailing: bytes = b""
) -> bytes:
    """A query with a question for each of *names* (bytes: the name as it goes on the wire)."""
    message = struct.pack("!6H", id, flags, len(names), 0, 0, 1 if edns else 0)
    for name in names:
        message += (wire(name) if isinstance(name, str) else name) + struct.pack("!2H", type, 1)
    if edns:
        message += b"\0" + struct.pack("!HHIH", 41, 1232, 0x8000, 0)
    return message + trailing


def framed(message: bytes) -> bytes:
    """*message* as it goes over TCP."""
    return struct.pack("!H", len(message)) + message


def record(owner: bytes, type: int, data: bytes, ttl: int = 300) -> bytes:
    return owner + struct.pack("!HHIH", type, 1, ttl, len(data)) + data
