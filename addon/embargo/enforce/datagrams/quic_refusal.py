"""What tells a client of QUIC that its connection is refused: it turns to TCP at once, where silence costs seconds."""

import os

from embargo.core.quic_hellos import Attempt
from embargo.core.quic_packet import INITIAL, TYPES, VERSIONS, InitialCipher, Packet, connection_ids, version_of

CONNECTION_REFUSED = 0x02  # RFC 9000, 20.1: the server refuses a new connection
_CLOSE = 0x1C  # frame type
_TAG = 16  # octets of the authentication tag


def refusal(attempt: Attempt) -> bytes:
    """What tells the client of *attempt* that it is refused; empty where no Initial of it was read."""
    return connection_close(attempt.packet, attempt.first) if attempt.packet is not None else b""


def connection_close(packet: Packet, first: bytes) -> bytes:
    """A server's Initial packet that refuses the connection of a client's *packet*.

    Clients turn to TCP at once, where silence would cost them seconds. *first*: as for `InitialKeys`.
    """
    frame = bytes((_CLOSE, CONNECTION_REFUSED, 0, 0))  # code, frame type, length of the reason
    payload = frame + bytes(16)  # PADDING: header protection takes a sample of what follows
    own = os.urandom(8)
    length = 1 + len(payload) + _TAG
    header = bytes([0xC0 | TYPES[packet.version].index(INITIAL) << 4])
    header += packet.version.to_bytes(4)
    header += bytes([len(packet.source)]) + packet.source + bytes([len(own)]) + own
    header += b"\0" + (0x4000 | length).to_bytes(2)  # no token; the length in two octets
    return InitialCipher(first, packet.version, b"server in").encipher(header + b"\0", payload, 0)


def version_negotiation(datagram: bytes) -> bytes:
    """What a server answers to a version that it does not know (RFC 8999, 6); empty where no id can be read."""
    ids = connection_ids(datagram, 0)
    if ids is None or version_of(datagram) is None:
        return b""
    destination, source, _ = ids
    head = bytes([0x80 | os.urandom(1)[0]]) + bytes(4)
    head += bytes([len(source)]) + source + bytes([len(destination)]) + destination
    return head + b"".join(version.to_bytes(4) for version in VERSIONS)
