"""DNS over HTTPS seen inside HTTP: its question is judged as any other, and refused with an answer of DNS.

The question is judged before anything of the request goes upstream; a body that mitmproxy streams is held back until
it is judged. The answer is judged by where it leads.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http

from embargo.core.address import plain
from embargo.core.decision import Decision
from embargo.core.dns_message import IN, LONGEST, Message, Record, Type, parse
from embargo.enforce.connection import Connection
from embargo.enforce.dns.answer import refusal, unreadable
from embargo.enforce.dns.doh_request import JSON, MESSAGE, Carried, Form, has_query_body, in_url
from embargo.enforce.dns.questions import Asked, Questions
from embargo.enforce.gate import Gate, close

_TRANSPORT = "tcp"
_LONGEST_JSON = 8 * LONGEST  # octets: an address takes 16 of them in a message, some 64 in this form
_NAMES = frozenset({Type.CNAME, Type.DNAME})


@dataclass(frozen=True, slots=True)
class _Question:
    form: Form
    asked: Asked


class Doh:
    """Judges the DNS that HTTP carries."""

    def __init__(self, gate: Gate, questions: Questions) -> None:
        self._gate = gate
        self._questions = questions
        self._asked: WeakKeyDictionary[http.HTTPFlow, _Question] = WeakKeyDictionary()
        self._bodies: WeakKeyDictionary[http.HTTPFlow, bool] = WeakKeyDictionary()  # whether the body is held in parts
        self._tasks: set[asyncio.Future[None]] = set()

    def headers(self, flow: http.HTTPFlow, connection: Connection) -> None:
        """The head of a request that is not refused is there: judge the question in its URL, wait for one behind."""
        for carried in in_url(flow.request):
            if self._judge(flow, connection, carried):
                return
        if has_query_body(flow.request):
            length = flow.request.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length[:16]) > LONGEST:
                self._judge(flow, connection, Carried(Form.MESSAGE, b""))  # no message is that long
                return
            held = bool(flow.request.stream) or (not length and bool(ctx.options.stream_large_bodies))
            self._bodies[flow] = held
            if held:
                flow.request.stream = self._hold(flow, self._judge_held)

    def complete(self, flow: http.HTTPFlow) -> None:
        """The body of a request is there, unless it was held in parts and is judged already."""
        if self._bodies.get(flow) is not False:
            return
        try:
            body = flow.request.get_content(strict=True) or b""
        except ValueError:
            body = b""  # in an encoding that cannot be read
        if body or flow.request.raw_content:
            connection = self._gate.connection(flow.client_conn)
            self._judge(flow, connection, Carried(Form.MESSAGE, body if len(body) <= LONGEST else b""))

    def response_headers(self, flow: http.HTTPFlow) -> None:
        """The head of an answer is there: what would be streamed is held until it is judged."""
        response = flow.response
        if flow not in self._asked or response is None or flow in self._gate.refused:
            return
        if response.stream or (ctx.options.stream_large_bodies and "content-length" not in response.headers):
            response.stream = self._hold(flow, self._judge_held_answer)

    def response(self, flow: http.HTTPFlow) -> None:
        """An answer is there: judge where it leads."""
        question = self._asked.get(flow)
        if question is None or flow.response is None or flow in self._gate.refused or flow.response.stream:
            return
        asked = self._answered(flow, question, flow.response.get_content(strict=False) or b"")
        if asked.decision.blocked:
            self._gate.refused[flow] = asked.decision
            flow.response = _answer(_Question(question.form, asked), b"")

    # -- bodies that are held in parts

    def _hold(self, flow: http.HTTPFlow, judge: Callable[[tuple[http.HTTPFlow, bytes]], None]) -> Callable[..., Any]:
        held = bytearray()

        def feed(data: bytes) -> list[bytes]:
            """What of the body goes on: nothing before its end, and then all or nothing."""
            if flow in self._gate.refused:
                return []
            held.extend(data)
            if data and len(held) <= LONGEST:
                return []
            waiting = self._gate.run(judge, (flow, bytes(held)), self._refuse_held, _peer)
            if waiting is not None:
                task = asyncio.ensure_future(waiting)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            whole = [] if flow in self._gate.refused else [bytes(held)]
            held.clear()
            return whole

        return feed

    def _judge_held(self, data: tuple[http.HTTPFlow, bytes]) -> None:
        flow, body = data
        flow.request.data.content = body
        content = b""
        try:
            content = flow.request.get_content(strict=True) or b""
        except ValueError:
            pass  # in an encoding that cannot be read
        finally:
            flow.request.data.content = None
        connection = self._gate.connection(flow.client_conn)
        carried = Carried(Form.MESSAGE, content if len(body) <= LONGEST else b"")
        question = self._ask(flow, connection, carried)
        if question.asked.decision.blocked:
            self._refuse_held(data, question.asked.decision)

    def _judge_held_answer(self, data: tuple[http.HTTPFlow, bytes]) -> None:
        flow, body = data
        assert flow.response is not None, "its body has come"
        flow.response.data.content = body
        content = flow.response.get_content(strict=False) or b""
        flow.response.data.content = None
        asked = self._answered(flow, self._asked[flow], content)
        if asked.decision.blocked:
            self._refuse_held(data, asked.decision)

    def _refuse_held(self, data: tuple[http.HTTPFlow, bytes], decision: Decision) -> None:
        """The head has gone already, so no answer can be given: the connection is closed."""
        flow, _ = data
        self._gate.refused[flow] = decision
        close(flow.client_conn)

    # -- judging

    def _judge(self, flow: http.HTTPFlow, connection: Connection, carried: Carried) -> bool:
        """Judge a question and refuse it where it is blocked; whether it is."""
        question = self._ask(flow, connection, carried)
        if not question.asked.decision.blocked:
            return False
        self._gate.refused[flow] = question.asked.decision
        if flow.request.stream:
            flow.kill()
        else:
            flow.response = _answer(question, carried.query)
        return True

    def _ask(self, flow: http.HTTPFlow, connection: Connection, carried: Carried) -> _Question:
        data = flow.request.data
        asked = self._questions.ask(
            connection,
            carried.query,
            _TRANSPORT,
            scheme=data.scheme.decode("ascii", "replace"),
            host=flow.request.pretty_host,
            target=data.path.decode("utf-8", "replace"),
            method=data.method.decode("ascii", "replace"),
        )
        self._asked[flow] = question = _Question(carried.form, asked)
        return question

    def _answered(self, flow: http.HTTPFlow, question: _Question, body: bytes) -> Asked:
        assert flow.response is not None, "an answer has come"
        kind = flow.response.headers.get("content-type", "").lower()
        connection = self._gate.connection(flow.client_conn)
        if question.form is Form.MESSAGE and kind.startswith(MESSAGE):
            return self._questions.answered(connection, question.asked, body, _TRANSPORT)
        if question.form is Form.JSON and len(body) > _LONGEST_JSON:
            return self._questions.answered(connection, question.asked, b"", _TRANSPORT)  # refused as undecided
        if question.form is Form.JSON and (message := _from_json(body)) is not None:
            return self._questions.judge_answer(connection, question.asked, message, _TRANSPORT)
        return question.asked  # an error page, or nothing that a client of DNS would read


def _peer(data: tuple[http.HTTPFlow, bytes]) -> Any:
    return data[0].client_conn


def _answer(question: _Question, query: bytes) -> http.Response:
    asked = question.asked
    body = unreadable(query) if asked.message is None else refusal(asked.message, asked.decision, asked.incident)
    kind = MESSAGE
    if question.form is Form.JSON:
        body, kind = _to_json(parse(body)), JSON
    return http.Response.make(200, body, {"content-type": kind, "cache-control": "no-store"})


def _to_json(message: Message) -> bytes:
    """A refusal in the form of Google's and Cloudflare's JSON API."""
    document: dict[str, object] = {
        "Status": message.flags & 0xF,
        "TC": False,
        "RD": bool(message.flags & 0x0100),
        "RA": True,
        "AD": False,
        "CD": False,
        "Question": [{"name": f"{question.name}.", "type": question.type} for question in message.questions],
    }
    answers = [
        {"name": f"{record.owner}.", "type": record.type, "TTL": record.ttl, "data": str(address)}
        for record in message.answers
        for address in record.addresses
    ]
    if answers:
        document["Answer"] = answers
    document["Comment"] = "blocked by policy"
    return json.dumps(document).encode()


def _from_json(body: bytes) -> Message | None:
    """The answers of a JSON document, as far as they lead somewhere; None where it is no such document."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    entries = document.get("Answer") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    records = [record for entry in entries if (record := _record(entry)) is not None]
    return Message(id=0, flags=0x8000, questions=(), answers=tuple(records))


def _record(entry: object) -> Record | None:
    if not isinstance(entry, dict):
        return None
    owner, kind, data, ttl = (entry.get(key) for key in ("name", "type", "data", "TTL"))
    if not (isinstance(owner, str) and isinstance(kind, int) and isinstance(data, str)):
        return None
    seconds = ttl if isinstance(ttl, int) else 0
    owner = owner.removesuffix(".")
    if kind in (Type.A, Type.AAAA):
        try:
            return Record(owner, kind, IN, seconds, None, (plain(ip_address(data)),))
        except ValueError:
            return Record(owner, kind, IN, seconds)
    if kind in _NAMES or kind in (Type.MX, Type.SRV, Type.HTTPS, Type.SVCB):
        words = data.split()
        at = 0 if kind in _NAMES else (3 if kind == Type.SRV else 1)
        target = words[at].removesuffix(".") if len(words) > at else None
        return Record(owner, kind, IN, seconds, target or None, _hints(words))
    return Record(owner, kind, IN, seconds)


def _hints(words: list[str]) -> tuple[Any, ...]:
    """Addresses in the presentation form of an HTTPS record (RFC 9460, 2.1)."""
    found = []
    for word in words:
        key, _, value = word.partition("=")
        if key in ("ipv4hint", "ipv6hint"):
            for text in value.strip('"').split(","):
                try:
                    found.append(plain(ip_address(text)))
                except ValueError:
                    continue
    return tuple(found)
