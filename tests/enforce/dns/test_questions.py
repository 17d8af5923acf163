"""The DNS hooks on flows as mitmproxy makes them, other addons' doings included."""

from ipaddress import ip_address

import pytest
from mitmproxy import dns
from mitmproxy.flow import Error
from mitmproxy.test import taddons, tflow

from dns_writing import CNAME, TXT, A, query, record, wire
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.rules import Action, Mode, Policy
from embargo.enforce.dns.questions import Dns, Questions
from embargo.enforce.gate import Gate
from sample import app, policy, rule
from sink import Sink

APPS = [
    app("bad", "banned.test", "cidr:203.0.113.0/24"),
    app("seen", "watched.test"),
    app("known", "known.test"),
]
RULES = [rule("ban", "block", "bad"), rule("watch", "log", "seen"), rule("know", "allow", "known")]
POLICY = policy(APPS, RULES)
MONITOR = policy(APPS, RULES, mode=Mode.MONITOR)


class Surface:
    """The hooks in the order in which mitmproxy runs them."""

    def __init__(self, rules: Policy | None) -> None:
        self.gate = Gate()
        self.gate.policy, self.sink = rules, Sink()
        self.gate.journal = self.sink
        self.dns = Dns(self.gate, Questions(self.gate))

    def ask(self, flow: dns.DNSFlow, message: bytes) -> int | None:
        """The code of our answer; None where the query goes on."""
        flow.request = dns.DNSMessage.unpack(message)
        self.dns.first(flow)
        self.dns.last(flow)
        return flow.response.response_code if flow.response is not None else None

    def answer(self, flow: dns.DNSFlow, message: bytes) -> int | None:
        flow.response = dns.DNSMessage.unpack(message)
        self.dns.response(flow)
        return flow.response.response_code if flow.response is not None else None

    @property
    def verdicts(self) -> list[str]:
        return [str(event.decision.verdict) for event in self.sink.judged]


def new_flow() -> dns.DNSFlow:
    return tflow.tdnsflow()


def answered(name: str, *records: bytes) -> bytes:
    message = bytearray(query(name, flags=0x8180))
    message[7] = len(records)
    return bytes(message) + b"".join(records)


def alias(name: str, target: str) -> bytes:
    return answered(name, record(wire(name), CNAME, wire(target)))


def address(name: str, text: str) -> bytes:
    return answered(name, record(wire(name), A, ip_address(text).packed))


def announcement(name: str) -> bytes:
    """As multicast DNS has it: nothing is asked."""
    message = bytearray(query(flags=0x8400))
    message[7] = 1
    return bytes(message) + record(wire(name), A, ip_address("192.0.2.1").packed)


QUERIES = {  # case: (query, code of the refusal, verdicts recorded)
    "innocent": (query("innocent.test"), None, []),
    "banned": (query("www.banned.test"), 3, ["block"]),
    "logged": (query("watched.test"), None, ["log"]),
    "allowed": (query("known.test"), None, ["allow"]),
    "each of several": (query("watched.test", "banned.test", "innocent.test"), 3, ["log", "block"]),
    "no question": (query(), 5, ["block"]),
    "no name": (query(b"\0"), 5, ["block"]),
    "the root": (query(b"\0", type=2), None, []),
    "a label that holds a dot": (query(b"\x0bbanned.test\0"), 3, ["block"]),
    "a name that cannot be sent on": (query(b"\1.\4test\0"), 1, ["block"]),
    "an announcement": (announcement("www.banned.test"), 5, ["block"]),
    "a response that a client sends": (alias("innocent.test", "cdn.banned.test"), 3, ["block"]),
}


@pytest.mark.parametrize(("message", "code", "verdicts"), QUERIES.values(), ids=QUERIES)
def test_queries(message: bytes, code: int | None, verdicts: list[str]) -> None:
    surface, flow = Surface(POLICY), new_flow()
    assert surface.ask(flow, message) == code
    assert surface.verdicts == verdicts
    if flow.response is not None:
        dns.DNSMessage.unpack(flow.response.packed)  # it can be sent
        assert flow.response.id == flow.request.id


@pytest.mark.parametrize(("message", "code", "verdicts"), QUERIES.values(), ids=QUERIES)
def test_monitor(message: bytes, code: int | None, verdicts: list[str]) -> None:
    surface = Surface(MONITOR)
    assert surface.ask(new_flow(), message) is None
    assert surface.verdicts == ["log" if verdict == "block" else verdict for verdict in verdicts]
    assert [event.decision.would is Verdict.BLOCK for event in surface.sink.judged] == [
        verdict == "block" for verdict in verdicts
    ]


def test_without_a_policy_everything_is_refused() -> None:
    assert Surface(None).ask(new_flow(), query("innocent.test")) == 2


ANSWERS = {  # case: (name asked, answer, code, verdicts recorded)
    "innocent": ("innocent.test", address("innocent.test", "192.0.2.1"), 0, []),
    "an alias": ("innocent.test", alias("innocent.test", "cdn.banned.test"), 3, ["block"]),
    "an alias of a logged app": ("innocent.test", alias("innocent.test", "cdn.watched.test"), 0, ["log"]),
    "an alias of what is logged already": ("watched.test", alias("watched.test", "cdn.watched.test"), 0, ["log"]),
    "an alias of what is allowed": ("known.test", alias("known.test", "cdn.banned.test"), 0, ["allow"]),
    "a banned address": ("innocent.test", address("innocent.test", "203.0.113.9"), 3, ["block"]),
    "an answer to another question": ("innocent.test", address("www.banned.test", "192.0.2.1"), 3, ["block"]),
    "an empty answer": ("innocent.test", answered("innocent.test"), 0, []),
}


BY_DEFAULT = policy(
    [app("bad", "banned.test"), app("free", "free.test")], [rule("ban", "block", "bad")], default=Action.ALLOW
)
NOT_EXEMPT = {  # case: (policy, query, answer)
    "no rule allowed it": (BY_DEFAULT, query("free.test"), alias("free.test", "cdn.banned.test")),
    "another was asked too": (
        POLICY,
        query("known.test", "innocent.test"),
        alias("innocent.test", "cdn.banned.test"),
    ),
    "the answer is to another": (POLICY, query("known.test"), alias("innocent.test", "cdn.banned.test")),
}


@pytest.mark.parametrize(("rules", "asked", "message"), NOT_EXEMPT.values(), ids=NOT_EXEMPT)
def test_what_a_rule_allowed_alone_is_exempt(rules: Policy, asked: bytes, message: bytes) -> None:
    surface, flow = Surface(rules), new_flow()
    assert surface.ask(flow, asked) is None
    assert surface.answer(flow, message) == 3


def test_an_exemption_knows_a_name_in_mixed_case() -> None:
    surface, flow = Surface(POLICY), new_flow()
    assert surface.ask(flow, query("known.test")) is None
    assert surface.answer(flow, alias("Known.Test", "cdn.banned.test")) == 0


@pytest.mark.parametrize(("name", "message", "code", "verdicts"), ANSWERS.values(), ids=ANSWERS)
def test_answers(name: str, message: bytes, code: int, verdicts: list[str]) -> None:
    surface, flow = Surface(POLICY), new_flow()
    assert surface.ask(flow, query(name)) is None
    assert surface.answer(flow, message) == code
    assert surface.verdicts == verdicts
    assert {event.question for event in surface.sink.judged} <= {name}


def test_what_an_answer_leads_to_is_recorded() -> None:
    surface, flow = Surface(POLICY), new_flow()
    surface.ask(flow, query("innocent.test"))
    surface.answer(flow, alias("innocent.test", "cdn.banned.test"))
    (event,) = surface.sink.judged
    assert [f"{name.source}:{name.host}" for name in event.names] == [
        "question:innocent.test",
        "answer:cdn.banned.test",
    ]
    surface.ask(flow, query("innocent.test"))
    surface.answer(flow, address("innocent.test", "203.0.113.9"))
    assert surface.sink.judged[-1].destination_address == "203.0.113.9"


def test_a_name_behind_thousands_of_others_is_found_and_told_alone() -> None:
    surface, flow = Surface(POLICY), new_flow()
    surface.ask(flow, query("innocent.test"))
    address_of = ip_address("192.0.2.1").packed
    many = [record(b"\xc0\x0c", A, address_of[:2] + number.to_bytes(2)) for number in range(3000)]
    message = bytearray(query("innocent.test", flags=0x8180))
    message[6:8] = (len(many) + 1).to_bytes(2)
    last = record(wire("cdn.banned.test"), A, address_of)
    assert surface.answer(flow, bytes(message) + b"".join(many) + last) == 3
    assert [str(name.host) for name in surface.sink.judged[0].names] == ["innocent.test", "cdn.banned.test"]


def test_an_id_that_comes_again_begins_anew() -> None:
    surface, flow = Surface(POLICY), new_flow()
    assert surface.ask(flow, query("banned.test")) == 3
    assert surface.ask(flow, query("innocent.test")) is None
    assert surface.answer(flow, address("innocent.test", "192.0.2.1")) == 0
    flow.error = Error("the server did not answer")
    assert surface.ask(flow, query("banned.test", type=TXT)) == 3
    assert flow.error is None


def test_what_another_addon_asks_instead_is_judged() -> None:
    surface, flow = Surface(POLICY), new_flow()
    flow.request = dns.DNSMessage.unpack(query("innocent.test"))
    surface.dns.first(flow)
    flow.request.questions[0].name = "www.banned.test"
    surface.dns.last(flow)
    assert flow.response is not None
    assert flow.response.response_code == 3


def test_what_another_addon_lets_go_is_refused_again() -> None:
    surface, flow = Surface(POLICY), new_flow()
    flow.request = dns.DNSMessage.unpack(query("banned.test"))
    surface.dns.first(flow)
    flow.response = None
    surface.dns.last(flow)
    ours = flow.response
    flow.response = dns.DNSMessage.unpack(address("banned.test", "192.0.2.1"))
    surface.dns.response(flow)
    assert flow.response is ours is not None
    assert surface.verdicts == ["block"]


def test_an_answer_to_nothing_is_dropped() -> None:
    surface, flow = Surface(POLICY), new_flow()
    del flow.request  # as mitmproxy makes it
    assert surface.answer(flow, address("innocent.test", "192.0.2.1")) is None


def test_what_fails_is_answered() -> None:
    surface, flow = Surface(POLICY), new_flow()
    decision = Decision(verdict=Verdict.BLOCK, reason=Reason.ERROR)
    with taddons.context():
        flow.request = dns.DNSMessage.unpack(query(b"\1.\4test\0"))
        surface.dns.failed(flow, decision)
    assert flow.response is not None
    assert dns.DNSMessage.unpack(flow.response.packed).response_code == 2
    surface.dns.last(flow)
    assert flow.response.response_code == 2
    del flow.request
    surface.dns.failed(flow, decision)
    assert flow.response is None


def test_what_a_client_was_told_is_learnt() -> None:
    surface, flow = Surface(POLICY), new_flow()
    surface.ask(flow, query("watched.test"))
    surface.answer(flow, address("watched.test", "192.0.2.1"))
    client = surface.gate.connection(flow.client_conn).client
    assert client is not None
    event = surface.sink.judged[0]
    assert surface.gate.resolved.names(client, ip_address("192.0.2.1"), event.time) == ("watched.test",)


def test_a_network_banned_for_one_transport_says_nothing_of_a_question() -> None:
    """The question came over UDP; what is banned is UDP to that network."""
    rules = policy([app("bad", "cidr:203.0.113.0/24 udp")], [rule("ban", "block")])
    surface, flow = Surface(rules), new_flow()
    surface.ask(flow, query("innocent.test"))
    assert surface.answer(flow, address("innocent.test", "203.0.113.9")) == 0
