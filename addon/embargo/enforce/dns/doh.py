"""DNS over HTTPS seen inside HTTP: its question is judged as any other, and refused with an answer of DNS.

The question is judged before anything of the request goes upstream; a body that mitmproxy streams is held back until
it is judged. The answer is judged by where it leads.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http

from embargo.core.decision import Decision
from embargo.core.dns_message import LONGEST, parse
from embargo.enforce.connection import Connection
from embargo.enforce.dns.answer import refusal, unreadable
from embargo.enforce.dns.doh_answer import LONGEST_JSON, Unread, read, to_json
from embargo.enforce.dns.doh_request import JSON, MESSAGE, Carried, Form, has_query_body, in_body, in_url, must_be_query
from embargo.enforce.dns.questions import Asked, Questions
from embargo.enforce.gate import Gate, close
from embargo.enforce.refusals import answer, can_answer

_TRANSPORT = "tcp"


class Doh:
    """Judges the DNS that HTTP carries."""

    def __init__(self, gate: Gate, questions: Questions) -> None:
        self._gate = gate
        self._questions = questions
        self._asked: WeakKeyDictionary[http.HTTPFlow, list[Asked]] = WeakKeyDictionary()
        self._bodies: WeakKeyDictionary[http.HTTPFlow, bool] = WeakKeyDictionary()  # whether the body is held in parts
        self._tasks: set[asyncio.Future[None]] = set()

    def headers(self, flow: http.HTTPFlow, connection: Connection) -> None:
        """The head of a request that is not refused is there: judge the question in its URL, wait for one behind."""
        if self._judge(flow, connection, in_url(flow.request)):
            return
        if has_query_body(flow.request):
            length = flow.request.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length[:16]) > LONGEST:  # no message is that long
                if must_be_query(flow.request):
                    self._judge(flow, connection, [Carried(Form.MESSAGE, b"")])
                return
            held = bool(flow.request.stream) or (not length and bool(ctx.options.stream_large_bodies))
            self._bodies[flow] = held
            if held:
                flow.request.stream = self._hold(flow, self._judge_held, LONGEST)

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
            self._judge(flow, connection, in_body(flow.request, body), whole=True)

    def response_headers(self, flow: http.HTTPFlow) -> None:
        """The head of an answer is there: what would be streamed is held until it is judged."""
        response = flow.response
        if flow not in self._asked or response is None or flow in self._gate.refused:
            return
        if response.stream or (ctx.options.stream_large_bodies and "content-length" not in response.headers):
            response.stream = self._hold(flow, self._judge_held_answer, LONGEST_JSON)

    def response(self, flow: http.HTTPFlow) -> None:
        """An answer is there: judge where it leads."""
        if flow not in self._asked or flow.response is None or flow in self._gate.refused or flow.response.stream:
            return
        refused = self._answered(flow, flow.response.get_content(strict=False) or b"")
        if refused is not None:
            form, asked = refused
            self._gate.refused[flow] = asked.decision
            flow.response = _refusal(form, asked, b"")

    # -- bodies that are held in parts

    def _hold(
        self, flow: http.HTTPFlow, judge: Callable[[tuple[http.HTTPFlow, bytes]], None], longest: int
    ) -> Callable[..., Any]:
        held: bytearray | None = bytearray()

        def feed(data: bytes) -> list[bytes]:
            """What of the body goes on: nothing before its end, or what is too long for DNS; then all or nothing."""
            nonlocal held
            if flow in self._gate.refused:
                return []
            if held is None:
                return [data] if data else []
            held.extend(data)
            if data and len(held) <= longest:
                return []
            waiting = self._gate.run(judge, (flow, bytes(held)), self._refuse_held, _peer)
            if waiting is not None:
                task = asyncio.ensure_future(waiting)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            whole = [] if flow in self._gate.refused else [bytes(held)]
            held = None
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
        for carried in in_body(flow.request, content if len(body) <= LONGEST else b""):
            asked = self._ask(flow, connection, carried, None)
            if asked.decision.blocked:
                self._refuse_held(data, asked.decision)
                return

    def _judge_held_answer(self, data: tuple[http.HTTPFlow, bytes]) -> None:
        flow, body = data
        assert flow.response is not None, "its body has come"
        flow.response.data.content = body
        content = flow.response.get_content(strict=False) or b""
        flow.response.data.content = None
        refused = self._answered(flow, content)
        if refused is not None:
            self._refuse_held(data, refused[1].decision)

    def _refuse_held(self, data: tuple[http.HTTPFlow, bytes], decision: Decision) -> None:
        """The head has gone already, so no answer can be given: the connection is closed."""
        flow, _ = data
        self._gate.refused[flow] = decision
        close(flow.client_conn)

    # -- judging

    def _judge(self, flow: http.HTTPFlow, connection: Connection, found: list[Carried], *, whole: bool = False) -> bool:
        """Judge questions and refuse the first that is blocked; whether one is. *whole*: the body is there."""
        for carried in found:
            status = 200 if whole or can_answer(flow.request) else None
            asked = self._ask(flow, connection, carried, status)
            if asked.decision.blocked:
                self._gate.refused[flow] = asked.decision
                response = _refusal(carried.form, asked, carried.query)
                if whole:
                    flow.response = response
                else:
                    answer(flow, response if status is not None else None)
                return True
        return False

    def _ask(self, flow: http.HTTPFlow, connection: Connection, carried: Carried, status: int | None) -> Asked:
        """Judge a question; *status* is that of the answer, where it can be refused with one."""
        data = flow.request.data
        asked = self._questions.ask(
            connection,
            carried.query,
            _TRANSPORT,
            scheme=data.scheme.decode("ascii", "replace"),
            host=flow.request.pretty_host,
            target=data.path.decode("utf-8", "replace"),
            method=data.method.decode("ascii", "replace"),
            status=status,
        )
        others = (other for other in self._asked.get(flow, ()) if other.message != asked.message)  # may be asked again
        self._asked[flow] = [*others, asked]
        return asked

    def _answered(self, flow: http.HTTPFlow, body: bytes) -> tuple[Form, Asked] | None:
        """Judge an answer by what it is, whatever was wanted; its form and the verdict where it is blocked."""
        assert flow.response is not None, "an answer has come"
        found = read(flow.response.headers.get("content-type", ""), body)
        if found is None:
            return None  # an error page, or nothing that a client of DNS would read
        form, message = found
        connection = self._gate.connection(flow.client_conn)
        for question in self._asked[flow]:
            if isinstance(message, Unread):
                asked = self._questions.unread_answer(connection, question, message.error, _TRANSPORT)
            else:
                asked = self._questions.judge_answer(connection, question, message, _TRANSPORT)
            if asked.decision.blocked:
                return form, asked
        return None


def _peer(data: tuple[http.HTTPFlow, bytes]) -> Any:
    return data[0].client_conn


def _refusal(form: Form, asked: Asked, query: bytes) -> http.Response:
    body = unreadable(query) if asked.message is None else refusal(asked.message, asked.decision, asked.incident)
    kind = MESSAGE
    if form is Form.JSON:
        body, kind = to_json(parse(body)), JSON
    return http.Response.make(200, body, {"content-type": kind, "cache-control": "no-store"})
