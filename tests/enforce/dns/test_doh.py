"""DNS inside HTTP, on flows as mitmproxy makes them; `e2e/test_dns.py` has it on the wire."""

import asyncio
import base64
import gzip
import json

import pytest
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons, tflow

from dns_reading import read
from dns_writing import CNAME, HTTPS, A, query, record, wire
from embargo.core.rules import Mode, Policy
from embargo.enforce.dns.doh import Doh
from embargo.enforce.dns.doh_request import JSON, MESSAGE
from embargo.enforce.dns.questions import Questions
from embargo.enforce.gate import Gate
from sample import app, policy, rule
from sink import Sink

APPS = [app("bad", "banned.test", "cidr:203.0.113.0/24")]
POLICY = policy(APPS, [rule("ban", "block")])
MONITOR = policy(APPS, [rule("ban", "block")], mode=Mode.MONITOR)


class Surface:
    """The hooks in the order in which mitmproxy runs them."""

    def __init__(self, rules: Policy = POLICY) -> None:
        self.gate = Gate()
        self.gate.policy, self.taken = rules, Sink()
        self.gate.journal = self.taken
        self.doh = Doh(self.gate, Questions(self.gate))

    def ask(self, flow: http.HTTPFlow) -> None:
        asyncio.run(self._ask(flow))

    async def _ask(self, flow: http.HTTPFlow) -> None:
        with taddons.context(Proxyserver()):
            self.doh.headers(flow, self.gate.connection(flow.client_conn))
            if flow.response is None and flow.error is None:
                self.doh.complete(flow)

    def answer(self, flow: http.HTTPFlow, kind: str, body: bytes) -> None:
        flow.response = http.Response.make(200, body, {"content-type": kind})
        with taddons.context(Proxyserver()):
            self.doh.response_headers(flow)
            self.doh.response(flow)


def get(target: str) -> http.HTTPFlow:
    made = tflow.tflow()
    made.request.method, made.request.path = "GET", target
    return made


def get_message(message: bytes) -> http.HTTPFlow:
    return get("/dns-query?dns=" + base64.urlsafe_b64encode(message).decode())


def post(body: bytes, kind: str = MESSAGE, **headers: str) -> http.HTTPFlow:
    made = tflow.tflow()
    made.request.method, made.request.path = "POST", "/dns-query"
    made.request.headers = http.Headers(
        [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        + [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    )
    made.request.data.content = body
    return made


REFUSED = {  # case: (flow, code of the answer)
    "a message in the URL": (lambda: get_message(query("www.banned.test")), 3),
    "a message in the body": (lambda: post(query("www.banned.test")), 3),
    "a compressed body": (lambda: post(gzip.compress(query("www.banned.test")), content_encoding="gzip"), 3),
    "a body in an encoding that is none": (lambda: post(query("innocent.test"), content_encoding="gzip"), 1),
    "a body that is no message": (lambda: post(b"\0\1"), 1),
    "a body too long to be one": (lambda: post(query("innocent.test", trailing=bytes(70_000))), 1),
    "a message in the URL that is none": (lambda: get("/dns-query?dns=AAAA"), 1),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(make, code: int) -> None:
    surface, flow = Surface(), make()
    surface.ask(flow)
    assert flow.response is not None
    assert (flow.response.status_code, flow.response.headers["content-type"]) == (200, "application/dns-message")
    assert flow.response.headers["cache-control"] == "no-store"
    assert read(flow.response.content or b"").code == code
    (event,) = surface.taken.judged
    assert (str(event.surface), event.status, str(event.decision.verdict)) == ("dns", 200, "block")
    monitored = Surface(MONITOR)
    flow = make()
    monitored.ask(flow)
    assert flow.response is None
    assert [event.decision.held_back for event in monitored.taken.judged] == [True]


@pytest.mark.parametrize("make", [lambda: get_message(query("innocent.test")), lambda: post(query("innocent.test"))])
def test_innocent(make) -> None:
    surface, flow = Surface(), make()
    surface.ask(flow)
    answer = query("innocent.test", flags=0x8180)
    surface.answer(flow, "application/dns-message", answer)
    assert flow.response is not None
    assert flow.response.content == answer
    assert surface.taken.judged == []


def test_json() -> None:
    surface, flow = Surface(), get("/resolve?name=www.banned.test&type=AAAA")
    surface.ask(flow)
    assert flow.response is not None
    assert flow.response.headers["content-type"] == "application/dns-json"
    document = json.loads(flow.response.content or b"")
    assert document["Status"] == 3
    assert document["Question"] == [{"name": "www.banned.test.", "type": 28}]
    (event,) = surface.taken.judged
    assert (event.question, event.question_type) == ("www.banned.test", "AAAA")


def entries(*found: tuple[str, int, str]) -> bytes:
    keys = ("name", "type", "data")
    return json.dumps({"Status": 0, "Answer": [dict(zip(keys, entry, strict=True)) for entry in found]}).encode()


JSON_ANSWERS = {  # case: (body, whether it is refused)
    "an address": (entries(("innocent.test.", A, "192.0.2.1")), False),
    "a banned address": (entries(("innocent.test.", A, "203.0.113.9")), True),
    "an alias": (entries(("innocent.test.", CNAME, "cdn.banned.test.")), True),
    "a service binding": (entries(("innocent.test.", HTTPS, "1 edge.banned.test. alpn=h2")), True),
    "an address hint": (entries(("innocent.test.", HTTPS, '1 . ipv4hint="192.0.2.1,203.0.113.9"')), True),
    "text": (entries(("innocent.test.", 16, "banned.test")), False),
    "no address": (entries(("innocent.test.", A, "x")), False),
    "no document": (b"<html>", False),
    "nested without end": (b"[" * 100_000, False),
    "another document": (b"[1]", False),
    "no answers": (b'{"Status": 3}', False),
    "more than any answer holds": (b" " * 600_000 + entries(("innocent.test.", A, "192.0.2.1")), True),
    "answers that are none": (b'{"Answer": [1, {"name": 2}]}', False),
}


@pytest.mark.parametrize(("body", "refused"), JSON_ANSWERS.values(), ids=JSON_ANSWERS)
def test_json_answers(body: bytes, refused: bool) -> None:
    surface, flow = Surface(), get("/resolve?name=innocent.test")
    surface.ask(flow)
    surface.answer(flow, "application/json", body)
    assert flow.response is not None
    assert (flow.response.content != body) is refused
    if refused:
        assert json.loads(flow.response.content or b"")["Status"] in (3, 5)


def test_answers() -> None:
    surface, flow = Surface(), post(query("innocent.test"))
    surface.ask(flow)
    message = bytearray(query("innocent.test", flags=0x8180))
    message[7] = 1
    surface.answer(
        flow, "application/dns-message", bytes(message) + record(b"\xc0\x0c", CNAME, wire("cdn.banned.test"))
    )
    assert flow.response is not None
    assert (read(flow.response.content or b"").code, flow.response.status_code) == (3, 200)
    (event,) = surface.taken.judged
    assert event.question == "innocent.test"


BOTH = "&name=innocent.test"
ALIAS = bytearray(query("innocent.test", flags=0x8180))
ALIAS[7] = 1
ALIAS += record(b"\xc0\x0c", CNAME, wire("cdn.banned.test"))
JSON_ALIAS = entries(("innocent.test.", CNAME, "cdn.banned.test."))
AS_THEY_ARE = {  # case: (request, type of the answer, the answer)
    "both forms asked": (lambda: get(get_message(query("innocent.test")).request.path + BOTH), MESSAGE, ALIAS),
    "both forms asked, JSON": (lambda: get(get_message(query("innocent.test")).request.path + BOTH), JSON, JSON_ALIAS),
    "the draft's type": (lambda: get_message(query("innocent.test")), "application/dns-udpwireformat", ALIAS),
    "no type": (lambda: get_message(query("innocent.test")), "application/octet-stream", ALIAS),
    "a message where JSON was asked": (lambda: get("/resolve?name=innocent.test"), MESSAGE, ALIAS),
    "JSON where a message was asked": (lambda: get_message(query("innocent.test")), JSON, JSON_ALIAS),
}


@pytest.mark.parametrize(("make", "kind", "body"), AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_answers_are_judged_by_what_they_are(make, kind: str, body: bytes) -> None:
    surface, flow = Surface(), make()
    surface.ask(flow)
    surface.answer(flow, kind, bytes(body))
    assert flow.response is not None
    refused = flow.response.content or b""
    assert (json.loads(refused)["Status"] if flow.response.headers["content-type"] == JSON else read(refused).code) == 3
    assert (flow.response.headers["content-type"] == JSON) is (kind == JSON)


LOOKALIKES = {  # case: request that an innocent site may be sent
    "an option": lambda: get("/resolve?dns=true&url=x"),
    "an address": lambda: get("/api/dns-query?dns=8.8.8.8&name=example.test"),
    "JSON": lambda: post(b'{"name": "example.test"}', "application/json"),
    "a form": lambda: post(b"user=John", "application/x-www-form-urlencoded"),
    "an upload": lambda: post(bytes(70_000), "image/png"),
}


@pytest.mark.parametrize("make", LOOKALIKES.values(), ids=LOOKALIKES)
def test_what_only_looks_like_dns_passes(make) -> None:
    surface, flow = Surface(), make()
    surface.ask(flow)
    assert flow.response is flow.error is None
    surface.answer(flow, "text/html", bytes(700_000))
    assert flow.response is not None
    assert flow.response.content == bytes(700_000)
    assert surface.taken.judged == []


def test_a_query_whose_body_does_not_end_is_not_answered() -> None:
    """An answer could be sent only behind it."""
    for length in ("2000000", None):
        surface, flow = Surface(), get_message(query("www.banned.test"))
        flow.request.method, flow.request.http_version = "POST", "HTTP/1.1"
        flow.request.headers = (
            http.Headers(content_length=length) if length else http.Headers(transfer_encoding="chunked")
        )
        surface.ask(flow)
        assert flow.response is None
        assert flow.error is not None
        assert [event.status for event in surface.taken.judged] == [None]


def streamed_answer(kind: str, body: bytes) -> tuple[Surface, http.HTTPFlow, bytes]:
    """What of an answer that mitmproxy streams goes on."""
    surface, flow = Surface(), get("/resolve?name=innocent.test")
    surface.ask(flow)
    flow.response = http.Response.make(200, b"", {"content-type": kind})
    flow.response.stream = True
    with taddons.context(Proxyserver()):
        surface.doh.response_headers(flow)
        feed = flow.response.stream
        assert callable(feed)
        pieces = [body[start : start + 16_384] for start in range(0, len(body), 16_384)]
        return surface, flow, b"".join(piece for data in (*pieces, b"") for piece in feed(data))


def test_a_streamed_answer_may_be_as_long_as_json_is() -> None:
    body = entries(*[("innocent.test.", A, "192.0.2.1")] * 2000)
    assert len(body) > 100_000
    assert streamed_answer("application/json", body)[2] == body
    page = b"<html>" + bytes(1_000_000)
    assert streamed_answer("text/html", page)[2] == page
    surface, flow, passed = streamed_answer("application/json", b"{" + b" " * 600_000)
    assert (passed, flow in surface.gate.refused) == (b"", True)


def test_other_answers_pass() -> None:
    surface, flow = Surface(), post(query("innocent.test"))
    surface.ask(flow)
    surface.answer(flow, "text/html", b"not a resolver")
    assert flow.response is not None
    assert flow.response.content == b"not a resolver"
    assert surface.taken.judged == []


def test_a_streamed_body_is_held_and_judged() -> None:
    for name, whole in (("innocent.test", True), ("banned.test", False)):
        surface, flow = Surface(), post(b"")
        flow.request.stream = True
        with taddons.context(Proxyserver()):
            surface.doh.headers(flow, surface.gate.connection(flow.client_conn))
            feed = flow.request.stream
            assert callable(feed)
            message = query(name)
            assert feed(message[:9]) == feed(message[9:]) == []
            assert feed(b"") == ([message] if whole else [])
        assert (flow in surface.gate.refused) is not whole


def test_a_streamed_body_that_does_not_end_is_refused() -> None:
    surface, flow = Surface(), post(b"")
    flow.request.stream = True
    with taddons.context(Proxyserver()):
        surface.doh.headers(flow, surface.gate.connection(flow.client_conn))
        feed = flow.request.stream
        assert callable(feed)
        assert [feed(bytes(40_000)), feed(bytes(40_000)), feed(bytes(40_000)), feed(b"")] == [[], [], [], []]
    assert flow in surface.gate.refused
    assert len(surface.taken.judged) == 1
