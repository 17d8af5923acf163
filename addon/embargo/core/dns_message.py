"""A DNS message as its bytes have it (RFC 1035, 4): what is asked, and where the answers lead.

Read leniently, since a server may read what another parser refuses: what follows the message is ignored, and a
message that breaks off still tells the names before the break.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from embargo.core.address import Address, plain
from embargo.core.dns_wire import MalformedMessage, Names

HEADER = struct.Struct("!HHHHHH")  # id, flags, and the counts of the four sections (RFC 1035, 4.1.1)
LONGEST = 65_535  # octets: what the length before a message over TCP can say (RFC 1035, 4.2.2)
IN = 1  # class
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, length of the data (RFC 1035, 4.1.3)
_QUESTION = struct.Struct("!HH")
MOST_QUESTIONS = 64  # more than any server answers (RFC 9619 allows one); a message of 64 KiB could hold 13,000
_IPV4_HINT, _IPV6_HINT = 4, 6  # SvcParamKeys (RFC 9460, 14.3.2)


class Type(IntEnum):
    """Record types that matter here (IANA, DNS Resource Record types); others are plain numbers."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    NAPTR = 35
    DNAME = 39
    OPT = 41
    DS = 43
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    ZONEMD = 63
    SVCB = 64
    HTTPS = 65
    TSIG = 250
    IXFR = 251
    AXFR = 252
    ANY = 255
    CAA = 257


_TARGET_AT: dict[int, int] = {  # where in the data the name stands to which a record leads
    Type.CNAME: 0,
    Type.DNAME: 0,
    Type.MX: 2,
    Type.SVCB: 2,
    Type.HTTPS: 2,
    Type.SRV: 6,
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    name: str  # text form without trailing dot, as it was spelled; "" is the root
    type: int
    class_: int
    wire: bytes = b""  # its name, uncompressed

    @property
    def type_name(self) -> str:
        """The type as it is written (RFC 3597, 5, where it has no name here)."""
        return type_name(self.type)


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record, as far as it leads somewhere."""

    owner: str
    type: int
    ttl: int  # seconds; of OPT: extended response code, version, flags
    target: str | None = None  # the name to which it leads
    addresses: tuple[Address, ...] = ()  # that it gives, hints of HTTPS and SVCB included


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a message says."""

    id: int
    flags: int
    questions: tuple[Question, ...]
    answers: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()

    @property
    def is_query(self) -> bool:
        """Whether it asks."""
        return not self.flags & 0x8000

    @property
    def opcode(self) -> int:
        """What kind of query it is; 0 is the ordinary one."""
        return self.flags >> 11 & 0xF

    @property
    def edns(self) -> Record | None:
        """Its OPT record (RFC 6891); None where the sender does not speak EDNS."""
        return next((record for record in self.additionals if record.type == Type.OPT), None)

    def leads(self) -> tuple[str | Address, ...]:
        """All names and addresses to which the answers lead, in their order, none twice.

        The authority section names servers that the owner of the question uses, and says nothing of where it is.
        Of the additional section only addresses of names count to which an answer leads.
        """
        found: dict[str | Address, None] = {}
        targets = set()
        for record in self.answers:
            if record.owner:
                found[record.owner] = None
            if record.target:
                found[record.target] = None
                targets.add(record.target.lower())
            found.update(dict.fromkeys(record.addresses))
        for record in self.additionals:
            if record.owner.lower() in targets:
                found.update(dict.fromkeys(record.addresses))
        return tuple(found)


def type_name(number: int) -> str:
    """The name of a record type (RFC 3597, 5, where it has none here)."""
    return Type(number).name if number in Type else f"TYPE{number}"


def parse(data: bytes) -> Message:
    """The message in *data*. Raises MalformedMessage where not even its header and questions can be read."""
    reader = Reader(data)
    identifier, flags, *counts = reader.header()
    asked = tuple(reader.question() for _ in range(counts[0]))
    sections: list[tuple[Record, ...]] = []
    whole = True
    for count in counts[1:]:
        records: list[Record] = []
        try:
            for _ in range(count if whole else 0):  # of 11 octets at least, so the message itself is the bound
                records.append(reader.record())
        except MalformedMessage:
            whole = False
        sections.append(tuple(records))
    return Message(
        id=identifier,
        flags=flags,
        questions=asked,
        answers=sections[0],
        additionals=sections[2],
    )


def questions(data: bytes) -> tuple[Question, ...]:
    """The questions alone of the message in *data*. Raises MalformedMessage as `parse` does."""
    reader = Reader(data)
    return tuple(reader.question() for _ in range(reader.header()[2]))


class Reader:
    """Reads a message piece by piece, from behind its header on. Raises MalformedMessage where it cannot."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = HEADER.size
        self._names = Names(data)

    def header(self) -> tuple[int, ...]:
        """The numbers of the header, which is read where it stands."""
        if len(self._data) < HEADER.size:
            raise MalformedMessage(f"{len(self._data)} octets, of which a header takes {HEADER.size}")
        numbers = HEADER.unpack_from(self._data)
        if numbers[2] > MOST_QUESTIONS:
            raise MalformedMessage(f"{numbers[2]} questions")
        return numbers

    def question(self) -> Question:
        """The next question."""
        name, self._position = self._names.at(self._position)
        kind, class_ = self._unpack(_QUESTION)
        return Question(name.text, kind, class_, name.wire)

    def record(self) -> Record:
        """The next record."""
        owner, self._position = self._names.at(self._position)
        kind, class_, ttl, length = self._unpack(_RECORD)
        start, end = self._position, self._position + length
        if end > len(self._data):
            raise MalformedMessage("a record that breaks off")
        self._position = end
        if kind in (Type.A, Type.AAAA):
            addresses = _addresses(self._data[start:end], 4 if kind == Type.A else 16)
            return Record(owner.text, kind, ttl, None, addresses)
        at = _TARGET_AT.get(kind)
        if at is None or class_ != IN or start + at >= end:
            return Record(owner.text, kind, ttl)
        target, after = self._names.at(start + at)
        hints = _hints(self._data[after:end]) if kind in (Type.SVCB, Type.HTTPS) else ()
        return Record(owner.text, kind, ttl, target.text, hints)

    def _unpack(self, form: struct.Struct) -> tuple[int, ...]:
        try:
            values: tuple[int, ...] = form.unpack_from(self._data, self._position)
        except struct.error as short:
            raise MalformedMessage("a message that breaks off") from short
        self._position += form.size
        return values


def _addresses(data: bytes, size: int) -> tuple[Address, ...]:
    if len(data) % size:
        return ()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return tuple(IPv4Address(piece) if size == 4 else plain(IPv6Address(piece)) for piece in pieces)


def _hints(parameters: bytes) -> tuple[Address, ...]:
    """The addresses that the parameters of an HTTPS or SVCB record hint at (RFC 9460, 7.3)."""
    found: list[Address] = []
    while len(parameters) >= 4:
        key, length = _QUESTION.unpack_from(parameters)
        value, parameters = parameters[4 : 4 + length], parameters[4 + length :]
        if key in (_IPV4_HINT, _IPV6_HINT):
            found += _addresses(value, 4 if key == _IPV4_HINT else 16)
    return tuple(found)
