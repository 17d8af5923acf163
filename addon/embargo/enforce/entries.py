"""The gate's two entries in mitmproxy's chain of addons: before all others, and after them.

First, so that no other script's `AddonHalt` or failure skips us; last, so that no later addon undoes what
we did, and the user that proxy authentication found is known. They stand in the chain on their own, so a
touch, a syntax error or the loss of the script that named them leaves them where they are (measured).
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from mitmproxy import connection as mitm
from mitmproxy import http, tcp, tls
from mitmproxy.proxy import layer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from embargo.enforce.connect import Connect
from embargo.enforce.gate import Gate
from embargo.enforce.http import Http
from embargo.enforce.identity import Identity
from embargo.enforce.refusals import Refusals
from embargo.enforce.server import Server
from embargo.enforce.stream import Stream
from embargo.enforce.tls import NextProtocol

if TYPE_CHECKING:
    from embargo.enforce.addon import Runtime

type Wait = Awaitable[None] | None  # what mitmproxy has to wait for: room in the journal


class Surfaces:
    """One object for each family of surfaces, all behind one gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.refusals = Refusals(gate)
        identity = Identity(gate)
        self.connect = Connect(gate, self.refusals, identity)
        self.http = Http(gate, self.refusals, identity)
        self.next_protocol = NextProtocol(gate, self.connect)
        self.stream = Stream(gate)
        self.server = Server(gate)


class First:
    """Before all other addons."""

    name = "embargo-first"

    def __init__(self, runtime: "Runtime") -> None:
        self.runtime = runtime
        self._surfaces = runtime.surfaces
        self._run = runtime.gate.run

    def http_connect(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.connect.first, flow, surfaces.refusals.failed_connect, flow.client_conn)

    def requestheaders(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.http.first, flow, surfaces.refusals.failed_http, flow.client_conn)

    def next_layer(self, data: layer.NextLayer) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.next_protocol.next_layer, data, surfaces.refusals.failed_layer, data.context.client)

    def tls_start_server(self, data: tls.TlsData) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.next_protocol.start_server, data, surfaces.refusals.failed_tls, data.context.client)

    def server_connect(self, data: ServerConnectionHookData) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.server.connect, data, surfaces.refusals.failed_server, data.client)

    def tcp_start(self, flow: tcp.TCPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.stream.start, flow, surfaces.refusals.failed_tcp, flow.client_conn)


class Last:
    """After all other addons."""

    name = "embargo-last"

    def __init__(self, runtime: "Runtime") -> None:
        self.runtime = runtime
        self._surfaces = runtime.surfaces
        self._run = runtime.gate.run

    def http_connect(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.connect.last, flow, surfaces.refusals.failed_connect, flow.client_conn)

    def requestheaders(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.http.last, flow, surfaces.refusals.failed_http, flow.client_conn)

    def request(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.http.complete, flow, surfaces.refusals.failed_http, flow.client_conn)

    def websocket_message(self, flow: http.HTTPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.http.websocket_message, flow, surfaces.refusals.failed_websocket, flow.client_conn)

    def tls_clienthello(self, data: tls.ClientHelloData) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.next_protocol.clienthello, data, surfaces.refusals.failed_tls, data.context.client)

    def tls_failed_client(self, data: tls.TlsData) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.next_protocol.failed_client, data, surfaces.refusals.failed_tls, data.context.client)

    def server_connect(self, data: ServerConnectionHookData) -> Wait:
        surfaces = self._surfaces
        if data.server.error is not None:
            return None
        return self._run(surfaces.server.connect, data, surfaces.refusals.failed_server, data.client)

    def tcp_message(self, flow: tcp.TCPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.stream.message, flow, surfaces.refusals.failed_tcp, flow.client_conn)

    def tcp_end(self, flow: tcp.TCPFlow) -> Wait:
        surfaces = self._surfaces
        return self._run(surfaces.stream.end, flow, surfaces.refusals.failed_tcp, flow.client_conn)

    def tcp_error(self, flow: tcp.TCPFlow) -> Wait:
        return self.tcp_end(flow)

    def configure(self, updated: set[str]) -> None:
        self.runtime.configure(updated)

    def running(self) -> None:
        self.runtime.running()

    def done(self) -> None:
        self.runtime.done()

    def client_disconnected(self, client: mitm.Client) -> None:
        self._surfaces.gate.forget(client)
