"""The PROXY protocol, versions 1 and 2: the head with which a balancer says whose connection it passes on. Pure.

Source: HAProxy's "The PROXY protocol", revision 2020/03/05, sections 2.1 and 2.2. A head is read piece by piece, and
never a byte beyond it: what follows belongs to the client.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from embargo.core.address import Address, plain

SIGNATURE_1 = b"PROXY "
SIGNATURE_2 = b"\r\n\r\n\0\r\nQUIT\n"
LONGEST_1 = 107  # bytes with the line's end (section 2.1)
LONGEST_2 = 4096  # bytes; receivers have to take 536, and the field's own bound of 65,551 serves no balancer
_FIXED_2 = 16  # bytes: signature, version and command, family, length
_SHORTEST_1 = len(b"PROXY UNKNOWN\r\n")
_LINE = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})\r\n")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_LOCAL, _PROXY = 0x0, 0x1  # commands
_SIZES = {0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}  # bytes of the addresses, by family


class MalformedHead(ValueError):
    """What was sent is no head of the PROXY protocol, and never becomes one."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection."""

    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A head that may go on."""

    more: int  # bytes, at least 1, that it has for certain still to come


@dataclass(frozen=True, slots=True)
class Head:
    """A whole head."""

    client: Endpoint | None  # None: the balancer's own connection (a health check), or one of unknown origin
    destination: Endpoint | None  # what the client had connected to


def parse(data: bytes) -> Head | Incomplete:
    """The head that *data* is, or how much is missing. Raises MalformedHead, also for what follows a head.

    Whoever reads no more than `Incomplete.more` bytes at a time never meets what follows.
    """
    if not data:
        return Incomplete(_SHORTEST_1)  # of either version the shortest
    if data[: len(SIGNATURE_2)] == SIGNATURE_2[: len(data)]:
        return _parse_2(data)
    if data[: len(SIGNATURE_1)] == SIGNATURE_1[: len(data)]:
        return _parse_1(data)
    raise MalformedHead("it begins with neither signature")


def may_begin(data: bytes) -> bool:
    """Whether *data*, the first bytes of a connection, begins a head or may still do so."""
    return any(data[: len(signature)] == signature[: len(data)] for signature in (SIGNATURE_1, SIGNATURE_2))


def begins(data: bytes) -> bool:
    """Whether *data*, the first bytes of a connection, begins a head."""
    return data.startswith((SIGNATURE_1, SIGNATURE_2))


def _parse_1(data: bytes) -> Head | Incomplete:
    end = data.find(b"\n")
    if end < 0:
        if len(data) >= LONGEST_1:
            raise MalformedHead(f"a line of more than {LONGEST_1} bytes")
        if len(data) < _SHORTEST_1:
            return Incomplete(_SHORTEST_1 - len(data))
        return Incomplete(1 if data.endswith(b"\r") else 2)
    if end + 1 < len(data):
        raise MalformedHead("bytes behind the line")
    if _UNKNOWN.fullmatch(data):
        return Head(None, None)
    found = _LINE.fullmatch(data)
    if found is None:
        raise MalformedHead("a line that cannot be read")
    family = IPv4Address if found[1] == b"TCP4" else IPv6Address
    return Head(*(_endpoint_1(family, found[number], found[number + 2]) for number in (2, 3)))


def _endpoint_1(family: type[IPv4Address | IPv6Address], address: bytes, port: bytes) -> Endpoint:
    try:
        literal = family(address.decode("ascii"))
    except ValueError:
        raise MalformedHead("an address that is none of its family") from None
    number = int(port)
    if number > 65_535 or (port[:1] == b"0" and port != b"0"):
        raise MalformedHead("a port that is none")
    return Endpoint(plain(literal), number)


def _parse_2(data: bytes) -> Head | Incomplete:
    if len(data) < _FIXED_2:
        return Incomplete(_FIXED_2 - len(data))
    version, command = data[12] >> 4, data[12] & 0xF
    if version != 2:
        raise MalformedHead(f"version {version}")
    if command not in (_LOCAL, _PROXY):
        raise MalformedHead(f"command {command}")
    family = data[13]
    whole = _FIXED_2 + int.from_bytes(data[14:16])
    if whole > LONGEST_2:
        raise MalformedHead(f"{whole} bytes, more than {LONGEST_2}")
    if len(data) < whole:
        return Incomplete(whole - len(data))
    if len(data) > whole:
        raise MalformedHead("bytes behind it")
    if command == _LOCAL:
        return Head(None, None)  # family and addresses have to be ignored
    if family >> 4 > 3 or family & 0xF > 2:
        raise MalformedHead(f"address family 0x{family:02x}")
    size = _SIZES.get(family, 0)
    if whole - _FIXED_2 < size:
        raise MalformedHead("too short for its addresses")
    block = data[_FIXED_2 : _FIXED_2 + size]  # behind it stand extensions (TLVs), none of which matters here
    match family:
        case 0x11:
            return Head(*_endpoints_2(IPv4Address, 4, block))
        case 0x21:
            return Head(*_endpoints_2(IPv6Address, 16, block))
        case _:
            return Head(None, None)  # unspecified, or carried over datagrams or a local socket: of unknown origin


def _endpoints_2(family: type[IPv4Address | IPv6Address], size: int, block: bytes) -> tuple[Endpoint, Endpoint]:
    ports = block[2 * size :]
    return (
        Endpoint(plain(family(block[:size])), int.from_bytes(ports[:2])),
        Endpoint(plain(family(block[size : 2 * size])), int.from_bytes(ports[2:])),
    )
