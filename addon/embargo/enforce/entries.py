"""The gate's two entries in mitmproxy's chain of addons: before all others, and after them.

First, so that no other script's `AddonHalt` or failure skips us; last, so that no later addon undoes what
we did, and the user that proxy authentication found is known. They stand in the chain on their own, so a
touch, a syntax error or the loss of the script that named them leaves them where they are (measured).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mitmproxy import connection as mitm

from embargo.core.decision import Decision
from embargo.enforce.datagrams.datagram import Datagrams
from embargo.enforce.datagrams.udp import UdpFlows
from embargo.enforce.dns.doh import Doh
from embargo.enforce.dns.questions import Dns, Questions
from embargo.enforce.gate import Gate
from embargo.enforce.http.connect import Connect
from embargo.enforce.http.requests import Http
from embargo.enforce.identity.proxy_protocol import Balancers
from embargo.enforce.identity.users import Identity, check_proxyauth
from embargo.enforce.refusals import Refusals
from embargo.enforce.server import Server
from embargo.enforce.streams.messages import Stream
from embargo.enforce.tls.protocol import NextProtocol


@dataclass(frozen=True, slots=True)
class Hook:
    """One mitmproxy hook: who judges there, how what fails there is refused, whose connection it is."""

    name: str  # as mitmproxy calls it
    judge: Callable[[Any], None]
    refuse: Callable[[Any, Decision], None]
    peer: Callable[[Any], mitm.Client]


class Surfaces:
    """One object for each family of surfaces, all behind one gate, and the hooks at which they judge."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.refusals = refusals = Refusals(gate)
        self.identity = identity = Identity(gate)
        self.balancers = Balancers(gate)
        self.connect = connect = Connect(gate, refusals, identity)
        questions = Questions(gate)
        doh = Doh(gate, questions)
        http = Http(gate, refusals, identity, doh)
        datagrams = Datagrams(gate)
        udp = UdpFlows(gate)
        protocol = NextProtocol(gate, datagrams, self.balancers)
        stream = Stream(gate)
        server = Server(gate)
        dns = Dns(gate, questions)
        self.first = (
            Hook("http_connect", connect.first, refusals.failed_connect, _of_flow),
            Hook("http_connect_error", connect.ended, refusals.failed_connect, _of_flow),
            Hook("requestheaders", http.first, refusals.failed_http, _of_flow),
            Hook("request", http.resume, refusals.failed_http, _of_flow),
            Hook("error", http.failed, refusals.failed_http, _of_flow),
            Hook("next_layer", protocol.next_layer, refusals.failed_layer, _of_context),
            Hook("embargo_second_hello", protocol.second_hello, refusals.failed_question, _of_context),
            Hook("embargo_endless_head", protocol.endless_head, refusals.failed_question, _of_context),
            Hook("embargo_datagram", datagrams.judge, refusals.failed_datagram, _of_context),
            Hook("tls_start_server", protocol.start_server, refusals.failed_tls, _of_context),
            Hook("server_connect", server.connect, refusals.failed_server, _of_server),
            Hook("server_connected", server.connected, refusals.failed_connected, _of_server),
            Hook("tcp_start", stream.start, refusals.failed_messages, _of_flow),
            Hook("dns_request", dns.first, dns.failed, _of_flow),
            Hook("udp_start", udp.start, refusals.failed_messages, _of_flow),
        )
        self.last = (
            Hook("http_connect", connect.last, refusals.failed_connect, _of_flow),
            Hook("requestheaders", http.last, refusals.failed_http, _of_flow),
            Hook("request", http.complete, refusals.failed_http, _of_flow),
            Hook("responseheaders", doh.response_headers, refusals.failed_http, _of_flow),
            Hook("response", doh.response, refusals.failed_http, _of_flow),
            Hook("websocket_message", http.websocket_message, refusals.failed_websocket, _of_flow),
            Hook("tls_clienthello", protocol.clienthello, refusals.failed_tls, _of_context),
            Hook("tls_failed_client", protocol.failed_client, refusals.failed_tls, _of_context),
            Hook("server_connect", server.last, refusals.failed_server, _of_server),
            Hook("dns_request", dns.last, dns.failed, _of_flow),
            Hook("dns_response", dns.response, dns.failed, _of_flow),
            Hook("tcp_message", stream.message, refusals.failed_messages, _of_flow),
            Hook("tcp_end", stream.end, refusals.failed_messages, _of_flow),
            Hook("tcp_error", stream.end, refusals.failed_messages, _of_flow),
            Hook("udp_message", udp.message, refusals.failed_messages, _of_flow),
            Hook("udp_end", udp.end, refusals.failed_messages, _of_flow),
            Hook("udp_error", udp.end, refusals.failed_messages, _of_flow),
        )


class Entry:
    """An addon whose hooks are those of a table, each behind the gate."""

    def __init__(self, name: str, gate: Gate, hooks: Iterable[Hook], addons: Sequence[object] = ()) -> None:
        """*addons* run after this entry, as part of the same item of the chain."""
        self.name = name
        self.addons = list(addons)
        for hook in hooks:
            setattr(self, hook.name, _behind_gate(gate, hook))


class First(Entry):
    """The gate's first entry, which also meets each connection before mitmproxy reads a byte of it."""

    def __init__(self, name: str, surfaces: Surfaces, addons: Sequence[object] = ()) -> None:
        """As its parent."""
        super().__init__(name, surfaces.gate, surfaces.first, addons)
        self.client_connected = surfaces.balancers.admit
        self.configure = check_proxyauth


def _behind_gate(gate: Gate, hook: Hook) -> Callable[[Any], Awaitable[None] | None]:
    run, judge, refuse, peer = gate.run, hook.judge, hook.refuse, hook.peer
    return lambda data: run(judge, data, refuse, peer)


def _of_flow(flow: Any) -> mitm.Client:
    client: mitm.Client = flow.client_conn
    return client


def _of_context(data: Any) -> mitm.Client:
    client: mitm.Client = data.context.client
    return client


def _of_server(data: Any) -> mitm.Client:
    client: mitm.Client = data.client
    return client
