"""A captured frame as far as it is TCP or UDP over IP: who sends what to whom.

Headers are read by dpkt, whatever they are wrapped in: VLAN tags, MPLS, PPPoE, GRE, IP in IP, IPv6 extensions.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import dpkt

from embargo.core.address import Address, plain

FIN, SYN, RST = dpkt.tcp.TH_FIN, dpkt.tcp.TH_SYN, dpkt.tcp.TH_RST
_MOST_LAYERS = 16  # within one another, from the frame to TCP or UDP
_BROKEN = (
    dpkt.UnpackError,
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where a packet goes."""

    source: bytes  # address as it is sent, 4 or 16 octets
    source_port: int
    target: bytes
    target_port: int

    @property
    def back(self) -> "Way":
        """The way of the answers."""
        return Way(self.target, self.target_port, self.source, self.source_port)

    @property
    def client(self) -> Address:
        """Who sends."""
        return address(self.source)

    @property
    def server(self) -> str:
        """To whom, as HOST:PORT."""
        host = str(address(self.target))
        return f"[{host}]:{self.target_port}" if ":" in host else f"{host}:{self.target_port}"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of TCP."""

    way: Way
    sequence: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """UDP."""

    way: Way
    payload: bytes
    cut: bool = False  # its rest is in other fragments, or was not captured


class BrokenPacket(ValueError):
    """A frame whose headers contradict themselves."""


class UnknownLink(ValueError):
    """A kind of network whose frames are not read."""


def address(octets: bytes) -> Address:
    """The address in 4 or 16 octets; an IPv4-mapped one as IPv4."""
    return IPv4Address(octets) if len(octets) == 4 else plain(IPv6Address(octets))


def _raw(data: bytes) -> Any:
    return dpkt.ip6.IP6(data) if data[:1] >= b"\x60" and data[:1] < b"\x70" else dpkt.ip.IP(data)


_LINKS: dict[int, Callable[[bytes], Any]] = {  # https://www.tcpdump.org/linktypes.html
    0: dpkt.loopback.Loopback,  # NULL: BSD loopback
    1: dpkt.ethernet.Ethernet,
    9: dpkt.ppp.PPP,
    12: _raw,  # as some systems number it
    14: _raw,
    101: _raw,
    108: dpkt.loopback.Loopback,  # OpenBSD
    113: dpkt.sll.SLL,  # Linux, tcpdump -i any
    228: _raw,  # IPv4
    229: _raw,  # IPv6
    276: dpkt.sll2.SLL2,
}


def parse(link: int, data: bytes) -> Segment | Datagram | None:
    """What the frame *data* of a network of the kind *link* carries; None where that is neither TCP nor UDP.

    Raises BrokenPacket and UnknownLink.
    """
    try:
        first = _LINKS[link]
    except KeyError:
        raise UnknownLink(f"link type {link} is not read") from None
    try:
        return _transport(first(data))
    except _BROKEN as broken:
        raise BrokenPacket(f"{type(broken).__name__}: {broken}"[:120]) from broken


def _transport(layer: Any) -> Segment | Datagram | None:
    carrier: Any = None  # the innermost IP so far
    for _ in range(_MOST_LAYERS):
        if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6):
            carrier = layer
        elif isinstance(layer, dpkt.tcp.TCP) and carrier is not None:
            return Segment(_way(carrier, layer), layer.seq, layer.flags, bytes(layer.data))
        elif isinstance(layer, dpkt.udp.UDP) and carrier is not None:
            payload = bytes(layer.data)[: max(0, layer.ulen - 8)] if layer.ulen else bytes(layer.data)
            return Datagram(_way(carrier, layer), payload, cut=len(payload) < layer.ulen - 8)
        elif not isinstance(layer, dpkt.Packet):
            return None
        layer = layer.data
    return None


def _way(carrier: Any, layer: Any) -> Way:
    return Way(carrier.src, layer.sport, carrier.dst, layer.dport)
