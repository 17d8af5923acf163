"""Names of DNS as a message has them, compressed by pointers to one another (RFC 1035, 4.1.4)."""

from typing import NamedTuple

LONGEST_WIRE_NAME = 255  # octets (RFC 1035, 2.3.4)
_MOST_POINTERS = 127  # compression pointers in one name: it has no more labels (RFC 1035, 2.3.4)
_FURTHEST = 0x3FFF  # where a pointer can lead
_PLAIN = frozenset(range(0x21, 0x7F)) - frozenset(b".\\")


class MalformedMessage(ValueError):
    """Bytes that are no DNS message."""


class WireName(NamedTuple):
    """A name, or the rest of one, as it stands at some position."""

    wire: bytes  # uncompressed
    text: str  # without trailing dot, as it was spelled; what stands for no character is escaped (RFC 1035, 5.1)
    pointers: int  # that were followed from there on

    def behind(self, label: bytes) -> "WireName":
        """With *label* before it; an empty one stands for a pointer."""
        if not label:
            return self._replace(pointers=self.pointers + 1)
        text = f"{_label(label)}.{self.text}" if self.text else _label(label)
        return WireName(bytes([len(label)]) + label + self.wire, text, self.pointers)


_ROOT = WireName(b"\0", "", 0)


class Names:
    """The names in one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        # What stands where. It is read once, or a message of 64 KiB could take seconds (measured).
        self._known: dict[int, WireName] = {}

    def at(self, position: int) -> tuple[WireName, int]:
        """The name at *position*, uncompressed, and where what follows it begins."""
        data, tail = self._data, _ROOT
        steps: list[tuple[int, bytes]] = []  # position and label; of a pointer an empty one
        size, pointers, after = 0, 0, 0  # after: what follows the first pointer; 0 where none has come
        while True:
            if after and (known := self._known.get(position)) is not None:
                tail = known
                break
            if position >= len(data):
                raise MalformedMessage("a name that breaks off")
            length = data[position]
            if length >= 0xC0:
                if position + 2 > len(data):
                    raise MalformedMessage("a name that breaks off")
                steps.append((position, b""))
                after = after or position + 2
                position = int.from_bytes(data[position : position + 2]) & _FURTHEST
                pointers += 1
                if pointers > _MOST_POINTERS:
                    break
                continue
            if length > 63:
                raise MalformedMessage("a label of an unknown kind")
            if not length:
                after = after or position + 1
                break
            label = data[position + 1 : position + 1 + length]
            if len(label) != length:
                raise MalformedMessage("a name that breaks off")
            steps.append((position, label))
            position += 1 + length
            size += 1 + length
            if size >= LONGEST_WIRE_NAME:
                break
        if pointers + tail.pointers > _MOST_POINTERS:
            raise MalformedMessage("a name that points to itself")
        if size + len(tail.wire) > LONGEST_WIRE_NAME:
            raise MalformedMessage("a name of more than 255 octets")
        for at, label in reversed(steps):
            tail = tail.behind(label)
            if at <= _FURTHEST:
                self._known[at] = tail
        return tail, after


def _label(label: bytes) -> str:
    if _PLAIN.issuperset(label):
        return label.decode("ascii")
    if b"\\" not in label and b"." not in label and not label.isascii():
        try:
            return label.decode()  # as multicast DNS spells it (RFC 6762, 16)
        except UnicodeDecodeError:
            pass
    return "".join(chr(octet) if octet in _PLAIN or octet == 0x20 else f"\\{octet:03d}" for octet in label)
