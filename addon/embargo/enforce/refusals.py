"""Carrying out a block: one function for each kind of thing that a hook holds."""

import asyncio
import weakref
from dataclasses import dataclass
from urllib.parse import urlsplit

from jinja2 import Template
from mitmproxy import connection as mitm
from mitmproxy import http, tcp, udp, websocket
from mitmproxy.net.http.http1 import expected_http_body_size
from mitmproxy.proxy import layer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.tls import ClientHelloData, TlsData

from embargo.core.address import is_loopback
from embargo.core.decision import Decision, Reason
from embargo.core.request import Surface
from embargo.core.rules import Respond
from embargo.enforce.answers import connect_answer, http_answer, is_grpc, load_template, refusal, status_of
from embargo.enforce.datagrams.datagram_layer import Datagram
from embargo.enforce.gate import Gate, close, cut
from embargo.enforce.tls.layers import ACCESS_DENIED, Refuse, SecondHello
from embargo.enforce.tls.undecided import EndlessHead

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
PATIENCE = 10.0  # seconds that a refused request's body may take before its connection is closed
READABLE_BODY = 1_048_576  # bytes: a refused request's body is read up to this, so that its client sees the answer


@dataclass(slots=True)
class Look:
    """How answers look: the template of the block page and the console's address."""

    template: Template
    console: str = ""

    def link_for(self, client: mitm.Client) -> str:
        """The console's address, where *client* can get there: one on loopback is for clients of this machine alone."""
        host = urlsplit(self.console).hostname or ""
        return self.console if not is_loopback(host) or is_loopback(client.peername[0]) else ""


class Refusals:
    """Turns a blocking decision into what the client gets."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._shipped = load_template("")
        self.look = Look(self._shipped)

    def connect(self, flow: http.HTTPFlow, decision: Decision, incident: str | None) -> None:
        """Refuse a CONNECT: nothing opens."""
        if decision.response_on(Surface.CONNECT) is Respond.RESET:
            flow.kill()
            return
        refused = refusal(self.gate.policy, decision, incident or "", console=self.look.link_for(flow.client_conn))
        flow.response = connect_answer(refused, flow.request, self._template(decision))

    def request(self, flow: http.HTTPFlow, decision: Decision, status: int | None, incident: str | None = None) -> None:
        """Refuse a request: an answer where its body is short enough to be read first, else a close, as *status* says.

        mitmproxy sends an answer that was set early only after the whole body, and a body that is streamed
        already cannot be answered (NotImplementedError in its core).
        """
        if status is None:
            answer(flow, None)
            return
        refused = refusal(
            self.gate.policy,
            decision,
            incident or "",
            accept_language=flow.request.headers.get("accept-language", ""),
            console=self.look.link_for(flow.client_conn),
        )
        answer(flow, http_answer(refused, flow.request, self._template(decision)))

    def status(self, flow: http.HTTPFlow, decision: Decision) -> int | None:
        """The HTTP status that `request` will answer with; None where it closes the connection."""
        if not _is_answered(flow, decision):
            return None
        return 200 if is_grpc(flow.request) else status_of(decision)

    def _template(self, decision: Decision) -> Template:
        """The operator's, save where the fault that is answered may lie in it."""
        return self._shipped if decision.reason is Reason.ERROR else self.look.template

    # -- what the gate calls when judging itself fails

    def failed_connect(self, flow: http.HTTPFlow, decision: Decision) -> None:
        """A CONNECT that could not be judged."""
        self.connect(flow, decision, self.gate.incident)

    def failed_http(self, flow: http.HTTPFlow, decision: Decision) -> None:
        """A request that could not be judged."""
        self.request(flow, decision, self.status(flow, decision), self.gate.incident)

    def failed_layer(self, data: layer.NextLayer, decision: Decision) -> None:
        """A connection whose next protocol could not be judged."""
        refuse_layer(data, alert=False)

    def failed_tls(self, data: ClientHelloData | TlsData, decision: Decision) -> None:
        """A handshake that could not be judged."""
        close(data.context.client)

    def failed_question(self, data: SecondHello | EndlessHead, decision: Decision) -> None:
        """What a layer of ours asked about could not be judged."""
        data.refused = True

    def failed_server(self, data: ServerConnectionHookData, decision: Decision) -> None:
        """An upstream connection that could not be judged."""
        data.server.error = "the destination could not be checked"

    def failed_connected(self, data: ServerConnectionHookData, decision: Decision) -> None:
        """An upstream connection of which it could not be told where it leads."""
        cut(data)

    def failed_messages(self, flow: tcp.TCPFlow | udp.UDPFlow, decision: Decision) -> None:
        """A raw stream, or a flow of datagrams, that could not be judged."""
        drop_message(flow)
        close(self.gate.connection(flow.client_conn).peer)

    def failed_datagram(self, data: Datagram, decision: Decision) -> None:
        """A datagram that could not be judged."""
        data.release, data.refusal = [], b""
        data.flow.start_again()

    def failed_websocket(self, flow: http.HTTPFlow, decision: Decision) -> None:
        """A WebSocket message that could not be judged."""
        if flow.websocket is not None and flow.websocket.messages:
            message: websocket.WebSocketMessage = flow.websocket.messages[-1]
            message.drop()
        close(flow.client_conn)


def refuse_layer(data: layer.NextLayer, *, alert: bool) -> None:
    """End the connection in place of its next protocol, with a TLS alert where its client speaks TLS."""
    if data.layer is not None and data.layer in data.context.layers:
        data.context.layers.remove(data.layer)  # another addon had made one: creating it registered it
    data.layer = Refuse(data.context, ACCESS_DENIED if alert else b"")


def drop_message(flow: tcp.TCPFlow | udp.UDPFlow) -> None:
    """Let the newest message carry nothing: flows of TCP and UDP cannot be killed."""
    if flow.messages:
        flow.messages[-1].content = b""


def can_answer(request: http.Request) -> bool:
    """Whether an answer to *request* can be given before its body is there, which has to be read first."""
    return not request.stream and _body_is_short(request)


def answer(flow: http.HTTPFlow, response: http.Response | None) -> None:
    """Give *response*, for which the body is waited for a while; or none, and close the connection."""
    flow.response = response
    if response is None:
        if flow.killable:
            flow.kill()
    elif _may_have_body(flow.request):
        asyncio.get_running_loop().call_later(PATIENCE, _end, weakref.ref(flow))


def _is_answered(flow: http.HTTPFlow, decision: Decision) -> bool:
    return decision.response_on(Surface.HTTP) is not Respond.RESET and can_answer(flow.request)


def _may_have_body(request: http.Request) -> bool:
    """Whether an answer may have to wait: over HTTP/2 that any request has no body is said in a frame unseen here."""
    if not request.http_version.startswith("HTTP/1"):
        return True
    return request.method not in ("GET", "HEAD", "OPTIONS") or "content-length" in request.headers


def _end(held: "weakref.ref[http.HTTPFlow]") -> None:
    """Close the connection of a refused request whose body has not ended: its answer cannot be sent before."""
    flow = held()
    if flow is not None and flow.live:
        close(flow.client_conn)


def _body_is_short(request: http.Request) -> bool:
    if request.http_version.startswith("HTTP/1"):
        try:
            size = expected_http_body_size(request)
        except ValueError:
            return False
        return size is not None and 0 <= size <= READABLE_BODY
    length = request.headers.get("content-length")
    if length is None:  # HTTP/2 marks a missing body in a frame that we do not see
        # A gRPC call never has a length, and needs its own answer; any other upload of unknown size may never end.
        return request.method in _WITHOUT_BODY or is_grpc(request)
    return length.isascii() and length.isdigit() and int(length[:16]) <= READABLE_BODY
