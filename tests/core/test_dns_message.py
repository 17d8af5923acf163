"""DNS messages as their bytes have them, broken ones included."""

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dns_writing import AAAA, CNAME, DNAME, HTTPS, MX, SRV, SVCB, A, query, record, wire
from embargo.core.dns_message import parse, questions, type_name
from embargo.core.dns_wire import MalformedMessage

NAMES = {  # case: (name on the wire, its text form)
    "plain": (wire("www.banned.test"), "www.banned.test"),
    "in mixed case": (wire("wWw.Test"), "wWw.Test"),
    "the root": (b"\0", ""),
    "white space": (b"\3a b\4test\0", "a b.test"),
    "a dot within a label": (b"\3a.b\4test\0", "a\\046b.test"),
    "a backslash": (b"\4a\\99\4test\0", "a\\09299.test"),
    "letters of UTF-8": (b"\x07b\xc3\xbccher\4test\0", "bücher.test"),
    "octets of no text": (b"\2\xff\0\4test\0", "\\255\\000.test"),
}


@pytest.mark.parametrize(("name", "text"), NAMES.values(), ids=NAMES)
def test_names(name: bytes, text: str) -> None:
    (question,) = parse(query(name)).questions
    assert (question.name, question.wire, question.type, question.class_) == (text, name, A, 1)


def answer(*records: bytes, additional: tuple[bytes, ...] = ()) -> bytes:
    head = struct.pack("!6H", 1, 0x8180, 1, len(records), 0, len(additional))
    return head + wire("asked.test") + b"\0\1\0\1" + b"".join(records + additional)


def address(owner: bytes, text: str) -> bytes:
    return record(owner, AAAA if ":" in text else A, socket.inet_pton(10 if ":" in text else 2, text))


POINTER = b"\xc0\x0c"  # to the question
LEADS = {  # case: (message, where its answers lead)
    "an address": (answer(address(POINTER, "192.0.2.1")), ["asked.test", "192.0.2.1"]),
    "an IPv6 address": (answer(address(POINTER, "2001:db8::1")), ["asked.test", "2001:db8::1"]),
    "an IPv4-mapped address": (answer(address(POINTER, "::ffff:192.0.2.1")), ["asked.test", "192.0.2.1"]),
    "an alias": (answer(record(POINTER, CNAME, wire("to.test"))), ["asked.test", "to.test"]),
    "a compressed alias": (answer(record(POINTER, CNAME, b"\2to\xc0\x12")), ["asked.test", "to.test"]),
    "a delegated tree": (answer(record(POINTER, DNAME, wire("to.test"))), ["asked.test", "to.test"]),
    "a mail server": (answer(record(POINTER, MX, b"\0\1" + wire("to.test"))), ["asked.test", "to.test"]),
    "a service": (answer(record(POINTER, SRV, b"\0\1\0\1\0\1" + wire("to.test"))), ["asked.test", "to.test"]),
    "a service binding": (answer(record(POINTER, SVCB, b"\0\1" + wire("to.test"))), ["asked.test", "to.test"]),
    "an HTTPS record with hints": (
        answer(
            record(
                POINTER,
                HTTPS,
                b"\0\1\0\0\1\0\3\2h2\0\4\0\4\xc0\0\2\1\0\6\0\x10" + socket.inet_pton(10, "2001:db8::2"),
            )
        ),
        ["asked.test", "192.0.2.1", "2001:db8::2"],
    ),
    "an additional address of a target": (
        answer(record(POINTER, MX, b"\0\1" + wire("To.test")), additional=(address(wire("tO.test"), "192.0.2.1"),)),
        ["asked.test", "To.test", "192.0.2.1"],
    ),
    "an additional address of a name server": (
        answer(address(POINTER, "192.0.2.1"), additional=(address(wire("ns.test"), "192.0.2.2"),)),
        ["asked.test", "192.0.2.1"],
    ),
    "an address of a wrong length": (answer(record(POINTER, A, b"\1\2\3")), ["asked.test"]),
    "text": (answer(record(POINTER, 16, b"\3abc")), ["asked.test"]),
    "what comes before a break": (
        answer(address(POINTER, "192.0.2.1"), address(POINTER, "192.0.2.2"))[:-7],
        ["asked.test", "192.0.2.1"],
    ),
    "octets behind the message": (answer(address(POINTER, "192.0.2.1")) + b"x", ["asked.test", "192.0.2.1"]),
}


@pytest.mark.parametrize(("message", "leads"), LEADS.values(), ids=LEADS)
def test_where_answers_lead(message: bytes, leads: list[str]) -> None:
    assert [str(where) for where in parse(message).leads()] == leads


def test_questions_alone() -> None:
    message = query("a.test", "b.test")
    assert questions(message) == parse(message).questions
    for malformed in MALFORMED.values():
        with pytest.raises(MalformedMessage):
            questions(malformed)


def test_what_a_header_says() -> None:
    asked = parse(query("a.test", "b.test", id=77, edns=True, flags=5 << 11))
    assert (asked.id, asked.is_query, asked.opcode, len(asked.questions)) == (77, True, 5, 2)
    assert asked.edns is not None
    assert asked.edns.ttl == 0x8000
    assert parse(query("a.test")).edns is None
    assert not parse(answer()).is_query


MALFORMED = {
    "nothing": b"",
    "half a header": query("a.test")[:11],
    "half a name": query("a.test")[:15],
    "no type": query("a.test")[:-4],
    "a label of an unknown kind": query(b"\x40aa\0"),
    "a name that points to itself": query(b"\xc0\x0c"),
    "a pointer to behind the message": query(b"\xc3\xff"),
    "half a pointer": query(b"\1a\xc0")[:-4],
    "a name of 256 octets": query(b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 3 + b"\0"),
    "65 questions": query(*["a.test"] * 65),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_malformed(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(message)


@given(st.binary(max_size=300))
def test_no_octets_do_anything_but_be_read_or_refused(data: bytes) -> None:
    """Whatever comes, it is a message or a MalformedMessage, and reading it ends."""
    with contextlib.suppress(MalformedMessage):
        parse(data).leads()


def test_type_names() -> None:
    assert [type_name(number) for number in (1, 65, 65280)] == ["A", "HTTPS", "TYPE65280"]
