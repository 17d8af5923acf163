"""A DNS question with EDNS, and what its answer says: a refusal of ours names itself (RFC 8914, and its SOA)."""

import re
import secrets
import struct
from dataclasses import dataclass

from embargo.core.dns_message import HEADER, IN, Type

_RD = 0x0100
_EDE = 15  # option code (RFC 8914)
_OPT = b"\0" + struct.pack("!HHIH", Type.OPT, 1232, 0, 0)
_RECORD = struct.Struct("!HHIH")
_INCIDENT = re.compile(rb"\([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\)")
_OUR_SERVER = b"\7embargo\7invalid\0"  # whom the SOA of a refusal names
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says of the question."""

    code: int
    info: int | None  # info code of the extended error, where there is one
    ours: bool  # embargo made it: its SOA, or an extended error with an incident

    @property
    def text(self) -> str:
        """The response code as it is written."""
        return CODES.get(self.code, f"RCODE {self.code}")


def query(name: str) -> bytes:
    """A question for the address of *name* (ASCII)."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", Type.A, IN)
    return HEADER.pack(secrets.randbelow(65_536), _RD, 1, 0, 0, 1) + question + _OPT


def read(answer: bytes, asked: bytes) -> Answer | None:
    """What *answer* says; None where it does not belong to the query *asked*, or cannot be read."""
    if len(answer) < HEADER.size or answer[:2] != asked[:2] or not answer[2] & 0x80:
        return None
    _, flags, questions, *records = HEADER.unpack_from(answer)
    info, ours = None, False
    try:
        position = HEADER.size
        for _ in range(questions):
            position = _behind_name(answer, position) + 4
        for _ in range(sum(records)):
            position = _behind_name(answer, position)
            kind, _, _, length = _RECORD.unpack_from(answer, position)
            position += _RECORD.size
            data = answer[position : position + length]
            position += length
            if kind == Type.SOA and data.startswith(_OUR_SERVER):
                ours = True
            if kind == Type.OPT and (error := _extended_error(data)) is not None:
                info = error[0]
                ours = ours or _INCIDENT.search(error[1]) is not None
    except (IndexError, struct.error):
        return None
    return Answer(flags & 0x0F, info, ours)


def _behind_name(data: bytes, position: int) -> int:
    while size := data[position]:
        if size >= 0xC0:
            return position + 2
        position += 1 + size
    return position + 1


def _extended_error(options: bytes) -> tuple[int, bytes] | None:
    while len(options) >= 4:
        kind, length = struct.unpack_from("!HH", options)
        value, options = options[4 : 4 + length], options[4 + length :]
        if kind == _EDE and len(value) >= 2:
            return int.from_bytes(value[:2]), value[2:]
    return None
