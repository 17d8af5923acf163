"""A ClientHello as it lies in the records of a TLS connection (RFC 8446, 5.1), whole or in pieces."""

from typing import NamedTuple

HANDSHAKE = 0x16  # record type
LONGEST = 65_536  # octets that are put together; a ClientHello is a hundredth of that
_RECORD_HEADER = 5  # octets: type, version, length
_MESSAGE_HEADER = 4  # octets: type, length
_CLIENT_HELLO = 0x01  # handshake type


class Hello(NamedTuple):
    """A whole ClientHello."""

    message: bytes  # without its handshake header, as `server_names` takes it
    end: int  # where the record ends that holds its last octet


def client_hello(data: bytes) -> Hello | None:
    """The ClientHello with which *data* begins; None while it is not whole. Raises ValueError where none begins."""
    message, wanted, position = b"", _MESSAGE_HEADER, 0
    while len(message) < wanted:
        header = data[position : position + _RECORD_HEADER]
        if (header[:1] and header[0] != HANDSHAKE) or (header[1:2] and header[1] != 3):
            raise ValueError("no ClientHello")
        if len(header) < _RECORD_HEADER:
            break
        length = int.from_bytes(header[3:])
        if not length:
            raise ValueError("a handshake record without content")
        message += data[position + _RECORD_HEADER : position + _RECORD_HEADER + length]
        if message[:1] and message[0] != _CLIENT_HELLO:
            raise ValueError("another message than a ClientHello")
        position += _RECORD_HEADER + length
        if position > len(data):
            break
        if len(message) >= _MESSAGE_HEADER:
            wanted = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER])
    else:
        return Hello(message[_MESSAGE_HEADER:wanted], position)
    if len(data) >= LONGEST:
        raise ValueError("a ClientHello that does not end")
    return None
