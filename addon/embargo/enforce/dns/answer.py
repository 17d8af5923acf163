"""What a refused DNS client gets, as the bytes of a message.

NXDOMAIN and NODATA carry an SOA, without which stubs do not cache them and ask again at once (RFC 2308, 3 and 5).
Where the query carried EDNS the answer says why (RFC 8914).
"""

import struct

from embargo.core.decision import Decision, Reason
from embargo.core.dns_message import HEADER, IN, Message, Question, Type
from embargo.core.pattern import Kind
from embargo.core.request import Surface
from embargo.core.rules import Respond
from embargo.enforce.answers import client_message

TTL = 60  # seconds that an answer of ours may be kept: a lifted ban shows within a minute
PAYLOAD = 1232  # octets that a datagram holds without being cut in pieces (DNS flag day 2020)
_LONGEST_TEXT = 200  # octets of the extra text, which should be short (RFC 8914, 2)
_LONGEST_ZONE = 128  # octets: with a longer one an answer could outgrow a datagram of 512 octets (RFC 1035, 4.2.1)

_RESPONSE, _RECURSION_AVAILABLE = 0x8000, 0x0080
_COPIED = 0x7910  # opcode, RD (RFC 1035, 4.1.1) and CD (RFC 4035, 3.2.2)
_DO = 0x8000  # of OPT: copied from the query (RFC 3225, 3)
_EDE = 15  # option code
_NOERROR, _FORMERR, _SERVFAIL, _NXDOMAIN, _REFUSED = 0, 1, 2, 3, 5
_OTHER, _NOT_READY, _BLOCKED, _CENSORED = 0, 14, 15, 16  # info codes (RFC 8914, 4)
_UNREADABLE = frozenset({Reason.MALFORMED, Reason.NAMELESS, Reason.UNDECIDED})
_ZONE_TRANSFERS = frozenset({Type.AXFR, Type.IXFR})
_NULL = {Type.A: bytes(4), Type.AAAA: bytes(16)}
_RECORD = struct.Struct("!HHIH")
# The primary server and mailbox that a SOA names, in a domain that never exists (RFC 6761, 6.4); then serial,
# refresh, retry, expire (of use to secondary servers alone) and, as the last, how long a "no" is kept.
_SOA = b"\7embargo\7invalid\0" + b"\12hostmaster\7embargo\7invalid\0" + struct.pack("!5I", 1, 3600, 600, 86_400, TTL)


def refusal(query: Message, decision: Decision, incident: str | None) -> bytes:
    """The answer to *query*, which *decision* blocks; *incident* is the id of its record.

    `respond` chooses between NXDOMAIN (the usual one), REFUSED and a null address. A zone transfer, an update, what
    asks nothing and what cannot be read are answered REFUSED whatever it says, what cannot be judged now SERVFAIL.
    """
    code = _code(query, decision)
    answers = authorities = b""
    answer_count = authority_count = 0
    if code == _NOERROR:
        for question in query.questions:
            if question.class_ == IN and (address := _NULL.get(question.type)) is not None:  # type: ignore[call-overload]
                answers += _record(question.wire, question.type, IN, TTL, address)
                answer_count += 1
    if code == _NXDOMAIN or (code == _NOERROR and not answer_count):
        authorities = _record(_zone(query.questions, decision), Type.SOA, IN, TTL, _SOA)
        authority_count = 1
    additionals = b""
    if (asked := query.edns) is not None:
        option = struct.pack("!H", _info_code(decision)) + _extra_text(decision, incident)
        data = struct.pack("!HH", _EDE, len(option)) + option
        additionals = _record(b"\0", Type.OPT, PAYLOAD, asked.ttl & _DO, data)
    return b"".join(
        (
            HEADER.pack(
                query.id,
                _RESPONSE | _RECURSION_AVAILABLE | (query.flags & _COPIED) | code,
                len(query.questions),
                answer_count,
                authority_count,
                1 if additionals else 0,
            ),
            *(question.wire + struct.pack("!HH", question.type, question.class_) for question in query.questions),
            answers,
            authorities,
            additionals,
        )
    )


def unreadable(data: bytes) -> bytes:
    """The answer to *data*, in which no question could be read: FORMERR, with its id where it has one."""
    identifier = int.from_bytes(data[:2]) if len(data) >= 2 else 0
    return HEADER.pack(identifier, _RESPONSE | _RECURSION_AVAILABLE | _FORMERR, 0, 0, 0, 0)


def _code(query: Message, decision: Decision) -> int:
    if decision.reason in (Reason.NO_POLICY, Reason.ERROR):
        return _SERVFAIL
    if decision.reason in _UNREADABLE or query.opcode or not query.questions:
        return _REFUSED
    if any(question.type in _ZONE_TRANSFERS for question in query.questions):
        return _REFUSED
    match decision.response_on(Surface.DNS):
        case Respond.REFUSED:
            return _REFUSED
        case Respond.NULL_ADDRESS:
            return _NOERROR
        case _:
            return _NXDOMAIN


def _info_code(decision: Decision) -> int:
    """Blocked is the operator's own policy, Censored what is imposed on the operator, as 451 is beside 403."""
    if decision.reason is Reason.NO_POLICY:
        return _NOT_READY
    if decision.reason in _UNREADABLE or decision.reason is Reason.ERROR:
        return _OTHER
    return _CENSORED if decision.lawful else _BLOCKED


def _extra_text(decision: Decision, incident: str | None) -> bytes:
    """What the client is told, and the incident, which is never cut."""
    tail = f" ({incident})".encode() if incident else b""
    text = client_message(decision)[0].encode(errors="replace")
    return text[: _LONGEST_TEXT - len(tail)].decode(errors="ignore").encode() + tail


def _zone(questions: tuple[Question, ...], decision: Decision) -> bytes:
    """The zone whose SOA says no: the banned domain above the question, else the question's own name."""
    question = questions[0]
    endpoint = decision.endpoint
    if endpoint is not None and endpoint.pattern.kind is Kind.DOMAIN:
        wire = b"".join(bytes([len(label)]) + label.encode() for label in endpoint.pattern.text.split(".")) + b"\0"
        for asked in questions:
            if asked.wire.lower().endswith(wire):
                return asked.wire[-len(wire) :]
    return question.wire if len(question.wire) <= _LONGEST_ZONE else b"\0"


def _record(owner: bytes, kind: int, class_: int, ttl: int, data: bytes) -> bytes:
    return owner + _RECORD.pack(kind, class_, ttl, len(data)) + data
