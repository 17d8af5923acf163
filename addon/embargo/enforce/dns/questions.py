"""DNS: each question is judged before it goes on, and each answer by where it leads.

mitmproxy keeps one flow a transaction id and client socket, with the answer that it was given before (measured), so
every query begins with a clean flow. Judged are the bytes that mitmproxy would send, which it packs anew, not those
that it was sent.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import dns

from embargo.core.decide import monitored
from embargo.core.decision import PASS, Decision, Reason, Verdict
from embargo.core.dns_message import Message, Question, parse
from embargo.core.dns_names import name_asked, names_led_to
from embargo.core.dns_wire import MalformedMessage
from embargo.core.request import Name, Request, Source, Surface
from embargo.enforce.connection import Connection
from embargo.enforce.dns.answer import refusal, unreadable
from embargo.enforce.gate import Gate, now

_SERVFAIL = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it was judged."""

    message: Message | None  # None where it cannot be read
    decision: Decision  # the strictest on its questions
    incident: str | None  # id of the record of that


class Questions:
    """Judges and records queries and answers, whatever carries them."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def ask(self, connection: Connection, data: bytes, transport: str, **facts: Any) -> Asked:
        """Judge the query in *data*: each of its questions by itself, and the strictest verdict stands.

        *facts* are further fields of the records; `status` is for a refusal alone.
        """
        time = now()
        try:
            message = parse(data)
        except MalformedMessage as error:
            decision = self._unreadable(f"a DNS query that cannot be read: {error}")
            incident = self._record(decision, connection, _request(connection, (), time, transport), **facts)
            return Asked(None, decision, incident)
        strictest, incident = PASS, None
        questions: tuple[Question | None, ...] = message.questions or (None,)
        for question in questions:
            name = name_asked(question) if question is not None else None
            if question is not None and name is None:
                self._gate.count(PASS, Surface.DNS)  # of the root: it is no host, and nothing is below it in particular
                continue
            names = [name] if name is not None else []
            if not message.is_query or message.opcode:  # an update or announcement says what names are
                names += names_led_to(message)
            request = _request(connection, tuple(names), time, transport)
            decision = self._gate.decide(request)
            identifier = self._record(decision, connection, request, question, **facts)
            if decision.verdict > strictest.verdict:
                strictest, incident = decision, identifier
        return Asked(message, strictest, incident)

    def answered(self, connection: Connection, asked: Asked, data: bytes, transport: str) -> Asked:
        """Judge the answer in *data* to *asked* by the names and addresses to which it leads; learn what passes.

        A lone question that a rule allows is not held up by its aliases: whoever allowed the name knew it.
        """
        try:
            message = parse(data)
        except MalformedMessage as error:
            return self.unread_answer(connection, asked, str(error), transport)
        return self.judge_answer(connection, asked, message, transport)

    def unread_answer(self, connection: Connection, asked: Asked, error: str, transport: str) -> Asked:
        """As `answered`, of an answer that cannot be read."""
        decision = self._unreadable(f"a DNS answer that cannot be read: {error}")
        incident = self._record(decision, connection, _request(connection, (), now(), transport))
        return replace(asked, decision=decision, incident=incident)

    def judge_answer(self, connection: Connection, asked: Asked, message: Message, transport: str) -> Asked:
        """As `answered`, of an answer that has been read."""
        query = asked.message
        if query is None or not query.questions:
            return asked
        time = now()
        decision, request = PASS, None
        if not _exempts(asked.decision, query, message):
            request = self._answer_request(connection, query, message, time)
            decision = self._gate.decide(request) if request.names else PASS
        worse = decision.verdict > asked.decision.verdict or (decision.held_back and not asked.decision.held_back)
        if worse:
            assert request is not None, "only a request has another verdict"
            request = replace(request, names=_telling(request, decision), transport=transport)
            incident = self._record(decision, connection, request, query.questions[0])
            if decision.blocked:
                return Asked(query, decision, incident)
        self._learn(connection, query, message, time)
        return asked

    def _answer_request(self, connection: Connection, query: Message, message: Message, time: datetime) -> Request:
        names: dict[str, Name] = {}  # by host
        asked = (name_asked(question) for question in (*query.questions, *message.questions))
        for name in (*asked, *names_led_to(message)):
            if name is not None and name.host is not None:
                names.setdefault(name.host.text, name)
        # No transport: a cidr that is banned for one alone says nothing of the question.
        return _request(connection, tuple(names.values()), time, "")

    def _learn(self, connection: Connection, query: Message, message: Message, time: datetime) -> None:
        if connection.client is None or len(query.questions) != 1:
            return
        name = name_asked(query.questions[0])
        addresses = [address for record in message.answers for address in record.addresses]
        if name is not None and name.host is not None and addresses:
            ttl = min(record.ttl for record in message.answers)
            self._gate.resolved.learn(connection.client, name.host.text, addresses, ttl, time)

    def _unreadable(self, error: str) -> Decision:
        return monitored(
            self._gate.policy, Decision(verdict=Verdict.BLOCK, reason=Reason.UNDECIDED, error=error[:1024])
        )

    def _record(
        self,
        decision: Decision,
        connection: Connection,
        request: Request,
        question: Question | None = None,
        **facts: Any,
    ) -> str | None:
        if question is not None:
            facts |= {"question": question.name or ".", "question_type": question.type_name}
        led_to = decision.name.host if decision.name is not None and decision.name.source is Source.ANSWER else None
        if led_to is not None and led_to.address is not None:  # a name stands among `embargo.names`
            facts["destination_address"] = led_to.text
        if not decision.blocked:
            facts.pop("status", None)
        return self._gate.record(
            decision, Surface.DNS, connection, request=request, asked=_asked(request), protocol="dns", **facts
        )


class Dns:
    """Judges what mitmproxy reads as DNS."""

    def __init__(self, gate: Gate, questions: Questions) -> None:
        self._gate = gate
        self._questions = questions
        self._asked: WeakKeyDictionary[dns.DNSFlow, tuple[object, Asked]] = WeakKeyDictionary()
        self._refused: WeakKeyDictionary[dns.DNSFlow, dns.DNSMessage] = WeakKeyDictionary()

    def first(self, flow: dns.DNSFlow) -> None:
        """`dns_request` before all other addons."""
        flow.response = flow.error = None  # of an earlier query with this id
        self._gate.refused.pop(flow, None)
        self._refused.pop(flow, None)
        self._asked.pop(flow, None)
        self._judge(flow)

    def last(self, flow: dns.DNSFlow) -> None:
        """`dns_request` after all others: what they changed is judged again, what they let go refused again."""
        if flow not in self._gate.refused:
            known = self._asked.get(flow)
            if known is None or known[0] != _state(flow.request):
                self._judge(flow)
        self._insist(flow)

    def response(self, flow: dns.DNSFlow) -> None:
        """`dns_response` after all others: judged by where it leads."""
        self._insist(flow)
        if flow in self._gate.refused or flow.response is None:
            return
        known = self._asked.get(flow)
        if known is None:
            flow.response = None  # a server's answer to what nobody asked
            return
        connection = self._gate.connection(flow.client_conn)
        transport = flow.client_conn.transport_protocol
        data = _packed(flow.response)
        asked = self._questions.answered(connection, known[1], data or b"", transport)
        if asked.decision.blocked:
            self._refuse(flow, asked, b"")

    def failed(self, flow: dns.DNSFlow, decision: Decision) -> None:
        """What could not be judged is answered SERVFAIL, so that a resolver asks again or elsewhere."""
        self._gate.refused[flow] = decision
        request = getattr(flow, "request", None)  # a server's answer to what nobody asked has none
        flow.response = request.fail(_SERVFAIL) if request is not None else None
        if flow.response is not None:
            if _packed(flow.response) is None:
                flow.response.questions = []
            self._refused[flow] = flow.response

    def _judge(self, flow: dns.DNSFlow) -> None:
        connection = self._gate.connection(flow.client_conn)
        data = _packed(flow.request)
        asked = self._questions.ask(connection, data or b"", flow.client_conn.transport_protocol)
        self._asked[flow] = (_state(flow.request), asked)
        if asked.decision.blocked:
            self._refuse(flow, asked, data or b"")

    def _refuse(self, flow: dns.DNSFlow, asked: Asked, data: bytes) -> None:
        if asked.message is not None:
            answer = refusal(asked.message, asked.decision, asked.incident)
        else:
            answer = unreadable(data or flow.request.id.to_bytes(2))
        self._gate.refused[flow] = asked.decision
        self._refused[flow] = flow.response = dns.DNSMessage.unpack(answer, timestamp=now().timestamp())

    def _insist(self, flow: dns.DNSFlow) -> None:
        """Another addon may have put an answer of its own in place of ours, or taken ours away."""
        if flow in self._gate.refused and flow.response is not self._refused[flow]:
            flow.response = self._refused[flow]


def _state(message: dns.DNSMessage) -> object:
    """What of a query its verdict depends on."""
    counts = len(message.answers), len(message.authorities), len(message.additionals)
    questions = [(question.name, question.type, question.class_) for question in message.questions]
    return (id(message), message.query, message.op_code, questions, counts)


def _packed(message: dns.DNSMessage) -> bytes | None:
    """*message* as mitmproxy would send it; None where it cannot (a label that holds a dot or is too long)."""
    try:
        packed: bytes = message.packed
    except (ValueError, OverflowError):
        return None
    return packed


def _request(connection: Connection, names: tuple[Name, ...], time: datetime, transport: str) -> Request:
    return Request(
        surface=Surface.DNS,
        time=time,
        names=names,
        client=connection.client,
        user=connection.user,
        transport=transport,
    )


def _exempts(decision: Decision, query: Message, answer: Message) -> bool:
    """Whether *decision* on *query* frees *answer*: a rule allowed the one question, and none but it is answered."""
    if decision.verdict is not Verdict.ALLOW or decision.reason is not Reason.RULE or len(query.questions) != 1:
        return False
    return {_key(question) for question in answer.questions} <= {_key(query.questions[0])}


def _key(question: Question) -> tuple[bytes, int, int]:
    return question.wire.lower(), question.type, question.class_


def _telling(request: Request, decision: Decision) -> tuple[Name, ...]:
    """What a record tells of an answer, which may hold thousands of names: what was asked, and what decided."""
    asked = tuple(name for name in request.names if name.source is Source.QUESTION)
    return asked if decision.name is None or decision.name in asked else (*asked, decision.name)


def _asked(request: Request) -> Name | None:
    """The name that the client asked for, be the deciding one an alias of it."""
    return next((name for name in request.names if name.source is Source.QUESTION), None)
