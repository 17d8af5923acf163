"""The frames of a packet capture: pcap and pcapng files, read as they come, of any size.

draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. dpkt's own reader takes the first interface's link type and clock
for those of all (kbandla/dpkt#681), and ends at a block that is cut.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from embargo.core.seen import Unread
from embargo.traffic.compressed import ByteSource

LARGEST = 16 * 1024 * 1024  # bytes of a frame or block; what claims more is taken for broken
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PCAP = {  # magic: byte order, parts of a second, octets of a frame's header
    b"\xd4\xc3\xb2\xa1": ("<", 10**6, 16),
    b"\xa1\xb2\xc3\xd4": (">", 10**6, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9, 16),
    b"\xa1\xb2\x3c\x4d": (">", 10**9, 16),
    b"\x34\xcd\xb2\xa1": ("<", 10**6, 24),  # Kuznetzov's, of old Linux systems
    b"\xa1\xb2\xcd\x34": (">", 10**6, 24),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
MAGICS = (*_PCAP, _SECTION)
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6  # block types
_RESOLUTION, _OFFSET = 9, 14  # options of an interface


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet as it was captured."""

    number: int  # from 1, as Wireshark counts
    link: int  # LINKTYPE_…
    data: bytes  # what the capture kept of it
    ticks: int | None  # since 1970, in parts of a second; None where the capture has no time
    parts: int = 10**6  # of a second
    offset: int = 0  # seconds

    @property
    def time(self) -> datetime | None:
        """When it was captured (aware, UTC)."""
        if self.ticks is None:
            return None
        seconds, rest = divmod(self.ticks, self.parts)
        try:
            return _EPOCH + timedelta(seconds=seconds + self.offset, microseconds=rest * 10**6 // self.parts)
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    parts: int = 10**6
    offset: int = 0


def frames(source: ByteSource) -> Iterator[Frame | Unread]:
    """The frames of *source*, in their order; what cannot be read is told, and mostly ends the reading."""
    magic = _exactly(source, 4)
    if magic in _PCAP:
        yield from _of_pcap(source, *_PCAP[magic])
    elif magic == _SECTION:
        yield from _of_pcapng(source)
    else:
        yield Unread("the first bytes", "no pcap or pcapng file")


def _exactly(source: ByteSource, size: int) -> bytes:
    """*size* bytes, or as many as there are."""
    found = source.read(size)
    while len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


def _of_pcap(source: ByteSource, order: str, parts: int, header: int) -> Iterator[Frame | Unread]:
    rest = _exactly(source, 20)
    if len(rest) < 20:
        yield Unread("the file header", "the file is cut within it")
        return
    link = int(struct.unpack(f"{order}I", rest[16:])[0]) & 0xFFFF  # above are bits about a checksum at the end
    form = struct.Struct(f"{order}IIII")
    number = 0
    while head := _exactly(source, header):
        number += 1
        if len(head) < header:
            yield Unread(f"packet {number}", "the file is cut within its header")
            return
        seconds, fraction, kept, _ = form.unpack_from(head)
        if kept > LARGEST:
            yield Unread(f"packet {number}", f"{kept} bytes are claimed, so that nothing behind it can be read")
            return
        data = _exactly(source, kept)
        if len(data) < kept:
            yield Unread(f"packet {number}", "the file is cut within it")
            return
        yield Frame(number, link, data, seconds * parts + fraction, parts)


def _of_pcapng(source: ByteSource) -> Iterator[Frame | Unread]:
    order, number = "<", 0
    interfaces: list[_Interface] = []
    kind: bytes = _SECTION
    while kind:
        size = _exactly(source, 4)
        if kind == _SECTION:
            begun = _exactly(source, 4)
            if begun not in _ORDERS:
                yield Unread(f"behind packet {number}", "a section header that names no byte order")
                return
            order, interfaces = _ORDERS[begun], []
        read = 12 if kind == _SECTION else 8
        length = int(struct.unpack(f"{order}I", size)[0]) if len(size) == 4 else 0
        if length % 4 or not read + 4 <= length <= LARGEST:
            why = "the file is cut within a block" if len(size) < 4 else f"a block of {length} bytes"
            yield Unread(f"behind packet {number}", why)
            return
        body = _exactly(source, length - read)
        if len(body) < length - read:
            yield Unread(f"behind packet {number}", "the file is cut within a block")
            return
        block = int.from_bytes(kind, "little" if order == "<" else "big") if kind != _SECTION else 0
        if block == _INTERFACE:
            interfaces.append(_interface(order, body[:-4]))
        elif block in (_ENHANCED, _SIMPLE, _PACKET):
            number += 1
            yield _frame(number, block, order, body[:-4], interfaces)
        kind = _exactly(source, 4)
        if 0 < len(kind) < 4:
            yield Unread(f"behind packet {number}", "the file is cut within a block")
            return


def _interface(order: str, body: bytes) -> _Interface:
    link = int(struct.unpack_from(f"{order}H", body)[0]) if len(body) >= 2 else -1
    parts, offset, position = 10**6, 0, 8
    while position + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, position)
        value = body[position + 4 : position + 4 + length]
        if code == 0:
            break
        if code == _RESOLUTION and len(value) == 1:
            exponent = value[0] & 0x7F
            parts = 2 ** min(exponent, 62) if value[0] & 0x80 else 10 ** min(exponent, 18)
        elif code == _OFFSET and len(value) == 8:
            offset = int(struct.unpack(f"{order}q", value)[0])
        position += 4 + length + -length % 4
    return _Interface(link, parts, offset)


def _frame(number: int, block: int, order: str, body: bytes, interfaces: list[_Interface]) -> Frame | Unread:
    where = f"packet {number}"
    ticks: int | None = None
    try:
        if block == _SIMPLE:
            index, header = 0, 4
            kept = min(int(struct.unpack_from(f"{order}I", body)[0]), len(body) - header)
        elif block == _ENHANCED:
            index, high, low, kept = struct.unpack_from(f"{order}IIII", body)
            ticks, header = high << 32 | low, 20
        else:
            index, _, high, low, kept = struct.unpack_from(f"{order}HHIII", body)
            ticks, header = high << 32 | low, 20
    except struct.error:
        return Unread(where, "a block that is too short")
    if index >= len(interfaces):
        return Unread(where, f"interface {index}, which the file does not describe")
    if header + kept > len(body):
        return Unread(where, "a block that holds less than it says")
    interface = interfaces[index]
    return Frame(number, interface.link, body[header : header + kept], ticks, interface.parts, interface.offset)
