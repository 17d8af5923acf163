"""DNS messages read by the letter of RFC 1035, independently of the proxy: what does not add up fails."""

import struct
from dataclasses import dataclass, field

OPT = 41


@dataclass(frozen=True)
class Rr:
    """One resource record."""

    owner: str
    type: int
    class_: int
    ttl: int
    data: bytes


@dataclass
class Read:
    """A whole message."""

    id: int
    flags: int
    questions: list[tuple[str, int, int]] = field(default_factory=list)
    sections: list[list[Rr]] = field(default_factory=lambda: [[], [], []])

    @property
    def code(self) -> int:
        return self.flags & 0xF

    @property
    def answers(self) -> list[Rr]:
        return self.sections[0]

    @property
    def authority(self) -> list[Rr]:
        return self.sections[1]

    @property
    def opt(self) -> Rr | None:
        return next((record for record in self.sections[2] if record.type == OPT), None)

    @property
    def error(self) -> tuple[int, str] | None:
        """The extended error (RFC 8914): info code and text."""
        data = self.opt.data if self.opt else b""
        while data:
            code, length = struct.unpack_from("!HH", data)
            value, data = data[4 : 4 + length], data[4 + length :]
            assert len(value) == length
            if code == 15:
                return int.from_bytes(value[:2]), value[2:].decode()
        return None


def read(message: bytes) -> Read:
    """*message*, which has to end where its last record does."""
    identifier, flags, *counts = struct.unpack_from("!6H", message)
    found, position = Read(identifier, flags), 12
    for _ in range(counts[0]):
        name, position = _name(message, position)
        found.questions.append((name, *struct.unpack_from("!HH", message, position)))
        position += 4
    for section, count in zip(found.sections, counts[1:], strict=True):
        for _ in range(count):
            owner, position = _name(message, position)
            kind, class_, ttl, length = struct.unpack_from("!HHIH", message, position)
            position += 10
            assert position + length <= len(message), "a record that breaks off"
            section.append(Rr(owner, kind, class_, ttl, message[position : position + length]))
            position += length
    assert position == len(message), "octets behind the message"
    return found


def names_in(data: bytes, count: int) -> tuple[list[str], bytes]:
    """The first *count* names in *data*, and what follows."""
    position, names = 0, []
    for _ in range(count):
        name, position = _name(data, position)
        names.append(name)
    return names, data[position:]


def _name(message: bytes, position: int) -> tuple[str, int]:
    labels, after = [], 0
    for _ in range(128):
        size = message[position]
        if size >= 0xC0:
            after = after or position + 2
            position = struct.unpack_from("!H", message, position)[0] & 0x3FFF
        elif size:
            labels.append(message[position + 1 : position + 1 + size].decode("latin-1"))
            position += 1 + size
        else:
            return ".".join(labels), after or position + 1
    raise AssertionError("a name without end")
