"""SOCKS spoken inside a stream: whom the client asks a proxy on the other side to reach.

Only what is a request is held until it is whole; all else goes by unchanged (RFC 1928, RFC 1929, SOCKS 4 and 4a).
"""

from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address

_VERSION_4, _VERSION_5, _PASSWORD = 4, 5, 1
_COMMANDS = (1, 2, 3)  # CONNECT, BIND, UDP ASSOCIATE
_IPV4, _NAME, _IPV6 = 1, 3, 4  # address types of version 5
_LONGEST = 600  # octets of a request: a user and a name of 255 each, and what stands around them


class Step(Enum):
    """What is known of the bytes."""

    NOT = auto()  # not SOCKS
    GREETED = auto()  # SOCKS, with no request yet
    HOLD = auto()  # a request that is not whole
    ASKED = auto()  # a whole request


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a client's part of SOCKS has come."""

    step: Step
    host: str = ""  # whom it asks for
    end: int = 0  # bytes up to and with the request


NOT, GREETED, HOLD = Progress(Step.NOT), Progress(Step.GREETED), Progress(Step.HOLD)


def read_socks(data: bytes) -> Progress:
    """What a client that begins with *data* has asked for."""
    match data[:1]:
        case b"\x04":
            return _read_version_4(data)
        case b"\x05":
            return _read_version_5(data)
    return NOT


def _read_version_4(data: bytes) -> Progress:
    if len(data) < 2 or data[1] not in _COMMANDS[:2]:
        return GREETED if len(data) < 2 else NOT
    if len(data) > _LONGEST:
        return NOT
    user = data.find(b"\0", 8)
    if len(data) < 9 or user < 0:
        return HOLD
    if data[4:7] != b"\0\0\0" or data[7] == 0:
        return Progress(Step.ASKED, str(IPv4Address(data[4:8])), user + 1)
    name = data.find(b"\0", user + 1)
    if name < 0:
        return HOLD
    return Progress(Step.ASKED, data[user + 1 : name].decode("utf-8", "replace"), name + 1)


def _read_version_5(data: bytes) -> Progress:
    if len(data) < 2 or len(data) < 2 + data[1]:
        return GREETED
    rest = data[2 + data[1] :]
    if rest[:1] == bytes([_PASSWORD]):
        if len(rest) < 2 or len(rest) < 3 + rest[1] or len(rest) < 3 + rest[1] + rest[2 + rest[1]]:
            return GREETED
        rest = rest[3 + rest[1] + rest[2 + rest[1]] :]
    if not rest:
        return GREETED
    if rest[0] != _VERSION_5 or (len(rest) > 1 and rest[1] not in _COMMANDS):
        return NOT  # the octet behind is reserved, which servers read whatever it holds
    if len(rest) < 5:
        return HOLD
    sizes = {_IPV4: 4, _NAME: 1 + rest[4], _IPV6: 16}
    if rest[3] not in sizes:
        return NOT
    address = rest[4 : 4 + sizes[rest[3]]]
    if len(rest) < 4 + sizes[rest[3]] + 2:
        return HOLD
    match rest[3]:
        case 1:
            host = str(IPv4Address(address))
        case 4:
            host = str(IPv6Address(address))
        case _:
            host = address[1:].decode("utf-8", "replace")
    return Progress(Step.ASKED, host, len(data) - len(rest) + 4 + sizes[rest[3]] + 2)
