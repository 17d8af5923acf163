"""Refusals as a client reads them, by a reader of its own."""

import struct

import pytest

from dns_reading import names_in, read
from dns_writing import AAAA, HTTPS, A, query
from embargo.core.decide import decide
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.dns_message import parse
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Respond
from embargo.enforce.dns.answer import TTL, refusal, unreadable
from sample import NOW, app, policy, rule

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, REFUSED = 0, 1, 2, 3, 5


def blocked(respond: str = "", host: str = "www.banned.test", *, lawful: bool = False, message: str = "") -> Decision:
    criteria: dict[str, object] = {"respond": (Respond(respond),)} if respond else {}
    if message:
        criteria["message"] = {"": message}
    rules = policy([app("bad", "banned.test")], [rule("ban", "block", **criteria)])
    names = (Name.parse(Source.QUESTION, host),)
    return decide(rules, Request(surface=Surface.DNS, time=NOW, names=names))._replace(lawful=lawful)


def failed(reason: Reason) -> Decision:
    return Decision(verdict=Verdict.BLOCK, reason=reason)


CASES = {  # case: (query, decision, code, what the answers hold, whether there is an SOA)
    "the usual": (query("www.banned.test"), blocked(), NXDOMAIN, [], True),
    "nxdomain": (query("www.banned.test"), blocked("nxdomain"), NXDOMAIN, [], True),
    "refused": (query("www.banned.test"), blocked("refused"), REFUSED, [], False),
    "a page, which DNS has none of": (query("www.banned.test"), blocked("page"), NXDOMAIN, [], True),
    "null-address": (query("www.banned.test"), blocked("null-address"), NOERROR, [bytes(4)], False),
    "null-address for IPv6": (query("b.banned.test", type=AAAA), blocked("null-address"), NOERROR, [bytes(16)], False),
    "null-address for HTTPS": (query("www.banned.test", type=HTTPS), blocked("null-address"), NOERROR, [], True),
    "null-address for two": (query("b.banned.test", "banned.test"), blocked("null-address"), 0, [bytes(4)] * 2, False),
    "an update": (query("www.banned.test", flags=5 << 11), blocked("null-address"), REFUSED, [], False),
    "a zone transfer": (query("www.banned.test", type=252), blocked(), REFUSED, [], False),
    "no host": (query(b"\0"), failed(Reason.MALFORMED), REFUSED, [], False),
    "no question": (query(), failed(Reason.NAMELESS), REFUSED, [], False),
    "a response without a question": (query(flags=0x8400), blocked(), REFUSED, [], False),
    "no policy yet": (query("www.banned.test"), failed(Reason.NO_POLICY), SERVFAIL, [], False),
    "a fault": (query("www.banned.test"), failed(Reason.ERROR), SERVFAIL, [], False),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "decision", "code", "data", "soa"), CASES.values(), ids=CASES)
def test_refusal(asked: bytes, decision: Decision, code: int, data: list[bytes], soa: bool) -> None:
    answer = read(refusal(parse(asked), decision, "incident"))
    assert (answer.id, answer.code, answer.flags >> 15) == (0x1234, code, 1)
    assert answer.questions == read(asked).questions
    assert [(record.ttl, record.data) for record in answer.answers] == [(TTL, item) for item in data]
    assert [record.type for record in answer.authority] == ([6] if soa else [])
    assert answer.sections[2] == []


FLAGS = {  # case: (of the query, of the answer)
    "recursion desired": (0x0100, 0x8180),
    "no recursion": (0, 0x8080),
    "checking disabled": (0x0110, 0x8190),
    "authentic data": (0x0120, 0x8180),  # what is made up is never authentic
    "what a query has no business to set": (0x0740, 0x8180),
}


@pytest.mark.parametrize(("asked", "answered"), FLAGS.values(), ids=FLAGS)
def test_flags(asked: int, answered: int) -> None:
    assert read(refusal(parse(query("banned.test", flags=asked)), blocked(), None)).flags & ~0xF == answered


ZONES = {  # case: (question, host that decided, owner of the SOA)
    "the banned domain above": ("a.b.BANNED.test", "a.b.banned.test", "BANNED.test"),
    "the banned domain itself": ("banned.test", "banned.test", "banned.test"),
    "an alias of it": ("alias.test", "cdn.banned.test", "alias.test"),
    "an alias too long for a datagram": (".".join(["a" * 40] * 4), "cdn.banned.test", ""),
}


@pytest.mark.parametrize(("question", "host", "owner"), ZONES.values(), ids=ZONES)
def test_the_zone_that_says_no(question: str, host: str, owner: str) -> None:
    packed = refusal(parse(query(question)), blocked(host=host), None)
    (soa,) = read(packed).authority
    assert soa.owner == owner
    names, rest = names_in(soa.data, 2)
    assert all(name.endswith(".invalid") for name in names)
    assert struct.unpack("!5I", rest)[4] == soa.ttl == TTL <= 60
    assert len(packed) <= 512


ERRORS = {  # case: (decision, info code)
    "the company's policy": (blocked(), 15),
    "a legal demand": (blocked(lawful=True), 16),
    "no policy yet": (failed(Reason.NO_POLICY), 14),
    "a fault": (failed(Reason.ERROR), 0),
    "no host": (failed(Reason.MALFORMED), 0),
}


@pytest.mark.parametrize(("decision", "code"), ERRORS.values(), ids=ERRORS)
def test_the_extended_error(decision: Decision, code: int) -> None:
    answer = read(refusal(parse(query("banned.test", edns=True)), decision, "an-id"))
    assert answer.error is not None
    assert answer.error[0] == code
    assert answer.error[1].endswith(" (an-id)")
    assert answer.opt is not None
    assert (answer.opt.class_, answer.opt.ttl) == (1232, 0x8000)


def test_the_text_is_short_and_whole() -> None:
    answer = read(refusal(parse(query("banned.test", edns=True)), blocked(message="ü" * 500), "an-id"))
    assert answer.error is not None
    assert len(answer.error[1].encode()) <= 200
    assert answer.error[1].startswith("üü")
    assert answer.error[1].endswith("ü (an-id)")


UNREADABLE = {"with an id": (b"\x12\x34\xff", 0x1234), "without": (b"\x12", 0), "nothing": (b"", 0)}


@pytest.mark.parametrize(("data", "identifier"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(data: bytes, identifier: int) -> None:
    answer = read(unreadable(data))
    assert (answer.id, answer.code, answer.questions) == (identifier, FORMERR, [])


def test_a_question_keeps_its_type() -> None:
    assert read(refusal(parse(query("wWw.banned.test", type=A)), blocked(), None)).questions == [
        ("wWw.banned.test", A, 1)
    ]
