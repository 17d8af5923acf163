"""Frames of a network and capture files, written by hand for the odd cases; `e2e/test_capture.py` has real ones."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

import dpkt

CLIENT, SERVER = "10.0.0.7", "192.0.2.80"
ETHERNET = b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2"
SYN, ACK, FIN, RST = dpkt.tcp.TH_SYN, dpkt.tcp.TH_ACK, dpkt.tcp.TH_FIN, dpkt.tcp.TH_RST


def packed(address: str) -> bytes:
    return ip_address(address).packed


def ip(payload: dpkt.Packet, source: str = CLIENT, target: str = SERVER) -> bytes:
    """*payload*, TCP or UDP, in IP of the addresses' version."""
    kind = 6 if isinstance(payload, dpkt.tcp.TCP) else 17
    if ":" in source:
        packet = dpkt.ip6.IP6(src=packed(source), dst=packed(target), nxt=kind, plen=len(payload), hlim=64)
        packet.data = payload
        packet.extension_hdrs = {}
        return bytes(packet)
    return bytes(dpkt.ip.IP(src=packed(source), dst=packed(target), p=kind, data=payload, len=20 + len(payload)))


def ethernet(packet: bytes, *tags: int) -> bytes:
    """*packet* in an Ethernet frame, behind VLAN *tags*."""
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return ETHERNET + b"".join(b"\x81\0" + tag.to_bytes(2) for tag in tags) + kind + packet


def tcp(
    payload: bytes = b"",
    sequence: int = 1,
    *,
    flags: int = ACK,
    source_port: int = 40000,
    port: int = 443,
    source: str = CLIENT,
    target: str = SERVER,
) -> bytes:
    """A segment in an Ethernet frame."""
    segment = dpkt.tcp.TCP(sport=source_port, dport=port, seq=sequence % 2**32, flags=flags, data=payload)
    return ethernet(ip(segment, source, target))


def udp(
    payload: bytes, *, source_port: int = 40000, port: int = 443, source: str = CLIENT, target: str = SERVER
) -> bytes:
    """A datagram in an Ethernet frame."""
    datagram = dpkt.udp.UDP(sport=source_port, dport=port, data=payload, ulen=8 + len(payload))
    return ethernet(ip(datagram, source, target))


def pcap(frames: Iterable[bytes], *, link: int = 1, order: str = "<", nanoseconds: bool = False) -> bytes:
    """A capture file; frame N was captured N seconds and a half after 2026-11-24T12:00Z."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    found = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    half = 500_000_000 if nanoseconds else 500_000
    for number, frame in enumerate(frames):
        found += struct.pack(f"{order}IIII", BEGIN + number, half, len(frame), len(frame)) + frame
    return found


BEGIN = 1795521600  # 2026-11-24T12:00Z


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, order: str = "<", options: bytes = b"") -> bytes:
    return block(1, struct.pack(f"{order}HHI", link, 0, 262144) + options, order)


def enhanced(frame: bytes, ticks: int = BEGIN * 10**6, number: int = 0, order: str = "<") -> bytes:
    """A packet of interface *number*."""
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


def pcapng(frames: Iterable[bytes], link: int = 1) -> bytes:
    return section() + interface(link) + b"".join(map(enhanced, frames))
