"""The next protocol of a connection: nothing is classified before it is known, TLS is judged by its SNI.

Runs before mitmproxy's own `NextLayer`, which takes a split ClientHello for raw TCP (measured), and makes
the choice itself wherever the verdict depends on it.
"""

from mitmproxy import tls
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import ClientTLSLayer, HttpLayer, TCPLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.tls import HTTP_ALPNS

from embargo.core import dns_framing
from embargo.core.decision import Decision
from embargo.core.proxy_protocol import begins, may_begin
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.unread import nameless, unread
from embargo.enforce.connection import Connection
from embargo.enforce.datagrams.datagram import Datagrams
from embargo.enforce.gate import Gate, now
from embargo.enforce.gather import raw_request, tls_request
from embargo.enforce.identity.proxy_protocol import Balancers
from embargo.enforce.refusals import refuse_layer
from embargo.enforce.streams.raw_stream import RawStream
from embargo.enforce.tls.decrypt import can_block_inside, must_open
from embargo.enforce.tls.first_bytes import Kind, read
from embargo.enforce.tls.layers import ClosedTLS, DnsMessages, SecondHello
from embargo.enforce.tls.surroundings import (
    can_be_opened,
    drop_leading_lines,
    is_dns,
    is_first_of_explicit_proxy,
    may_be_dns,
    opening,
    reverse_scheme,
    server_tls,
)
from embargo.enforce.tls.undecided import EndlessHead, Undecided
from embargo.enforce.uninspected import Uninspected, why_closed, why_unread


class NextProtocol:
    """Chooses the layer above a tunnel or a raw connection."""

    def __init__(self, gate: Gate, datagrams: Datagrams, balancers: Balancers) -> None:
        self._gate = gate
        self._datagrams = datagrams
        self._balancers = balancers

    def next_layer(self, data: layer.NextLayer) -> None:
        """Hold, judge, choose. Raises AddonHalt while there is not enough to know."""
        context = data.context
        if context.client.transport_protocol != "tcp":
            self._datagrams.next_layer(data)
            return
        if is_first_of_explicit_proxy(data):
            self._own(data)
            return
        connection = self._gate.connection(context.client)
        if context.client.alpn in HTTP_ALPNS and isinstance(context.layers[-1], ClientTLSLayer):
            # Whatever tcp_hosts or ignore_hosts say, and whoever speaks first: over HTTP/2 that is the server.
            data.layer = HttpLayer(context, HTTPMode.transparent)
            return
        if connection.page is None and is_dns(data):
            data.layer = DnsMessages(context)  # sends nothing on that it cannot read
            return
        client_bytes, server_bytes = data.data_client(), data.data_server()
        if not client_bytes:
            if server_bytes:
                self._raw(data, connection)
            return
        if connection.page is None and may_be_dns(data):
            match dns_framing.framing(client_bytes):
                case dns_framing.Framing.QUERY:
                    data.layer = DnsMessages(context)
                    return
                case dns_framing.Framing.WAIT:
                    self._wait(data, connection)
                    return
        reading = read(client_bytes)
        match reading.kind:
            case Kind.WAIT:
                self._wait(data, connection)
            case Kind.TLS:
                self._tls(data, connection, reading.names)
            case Kind.HTTP if reverse_scheme(data) in ("tcp", "tls"):
                self._raw(data, connection)  # bytes, in the operator's words; the names in them are judged all the same
            case Kind.HTTP:
                drop_leading_lines(data)
                server = server_tls(data)
                http = HttpLayer(context, HTTPMode.transparent)
                if server is not None:
                    server.child_layer = http
                data.layer = server or http
            case Kind.RAW:
                self._raw(data, connection)
            case Kind.MALFORMED:
                self._refuse_unread(data, connection)

    def endless_head(self, data: EndlessHead) -> None:
        """A request head that does not end within its bounds."""
        connection = self._gate.connection(data.context.client)
        data.refused = self._undecided(connection, data.context.server.address, data.error)

    def clienthello(self, data: tls.ClientHelloData) -> None:
        """After mitmproxy's own choice: a tunnel that only shows the page has no server to ask first."""
        data.ignore_connection = False  # what may stay closed never comes here, so another script would blind us
        if self._gate.connection(data.context.client).page is not None:
            data.establish_server_tls_first = False
        if data.context.client.transport_protocol == "udp":
            self._datagrams.clienthello(data)

    def start_server(self, data: tls.TlsData) -> None:
        """No handshake goes upstream for a tunnel that only shows the page."""
        if self._gate.connection(data.context.client).page is not None:
            raise AddonHalt

    def failed_client(self, data: tls.TlsData) -> None:
        """The client would not take our certificate."""
        if self._gate.rejections.failed(self._gate.connection(data.context.client), data.conn.error or "", now()):
            self._gate.uninspected(Uninspected.PINNED)

    def _tls(self, data: layer.NextLayer, connection: Connection, server_names: tuple[str, ...]) -> None:
        context = data.context
        address = context.server.address
        port = address[1] if address else None
        if connection.page is not None:
            self._page(data, [Name.parse(Source.SNI, name, port) for name in server_names])
            return
        connection.snis = tuple(Name.parse(Source.SNI, name, port) for name in server_names)
        request = self._gate.named(tls_request(connection, address, now()))
        decision = self._gate.decide(request)
        policy = self._gate.policy
        is_server = reverse_scheme(data) in ("http", "https")  # the proxy is, so it is nobody else's TLS
        wanted = policy is not None and must_open(policy, request)
        opened = policy is None or decision.blocked or is_server or self._gate.ca.opens(policy, request, wanted)
        if nameless(request):
            decision = unread(policy, request, decision, opened=opened)
        if opened and not decision.blocked and not all(map(can_be_opened, connection.snis or request.names)):
            needed = is_server or policy is None or can_block_inside(policy, request)
            if needed and self._undecided(connection, address, "a server name for which TLS cannot be opened"):
                refuse_layer(data, alert=True)
                return
            opened = False  # nothing inside can be blocked, or monitor
        self._record(connection, request, decision)
        if decision.blocked:
            refuse_layer(data, alert=True)
            return
        connection.tunnel_request = request
        if not opened:
            connection.sealed = True
            self._gate.uninspected(why_closed(policy, request, wanted=wanted))
            # Byte for byte, with the origin's own certificate. A server of DNS may skip what is none, and go on behind.
            data.layer = (
                self._raw_layer(data, connection, RawStream(tls=True)) if may_be_dns(data) else ClosedTLS(context)
            )
        else:
            data.layer = opening(data)  # whatever ignore_hosts, allow_hosts and tcp_hosts say: the verdict needs it

    def _own(self, data: layer.NextLayer) -> None:
        """The client's own conversation with the proxy is HTTP, whatever it begins with; balancers were read before."""
        client_bytes = data.data_client()
        if begins(client_bytes):
            self._balancers.refuse_stranger(data.context.client)
            refuse_layer(data, alert=False)
        elif client_bytes and may_begin(client_bytes):
            if not isinstance(data, Undecided):
                data.layer = Undecided(data.context)
            elif not data.overdue:
                raise AddonHalt

    def _page(self, data: layer.NextLayer, snis: list[Name]) -> None:
        """Open a tunnel that only shows the page, unless its server name is another one that cannot be signed for."""
        if all(self._gate.ca.permits(name.host) for name in snis):
            data.layer = opening(data)
        else:
            refuse_layer(data, alert=True)

    def second_hello(self, data: SecondHello) -> None:
        """A server asked for another ClientHello: what it says is judged like the first."""
        connection = self._gate.connection(data.context.client)
        first = connection.snis
        address = data.context.server.address
        names = (Name.parse(Source.SNI, name, address[1] if address else None) for name in data.names)
        connection.snis = tuple(dict.fromkeys((*first, *names)))
        request = tls_request(connection, address, now())
        decision = self._gate.decide(request)
        if not decision.blocked and (data.error is not None or connection.snis != first):
            error = data.error or "a second ClientHello with another name than the first"
            decision = self._gate.undecided(error, connection.tunnel)
        self._record(connection, request, decision)
        data.refused = decision.blocked
        if not decision.blocked:
            connection.tunnel_request = request

    def _raw(self, data: layer.NextLayer, connection: Connection) -> None:
        context = data.context
        address = context.server.address
        if connection.page is not None:
            refuse_layer(data, alert=False)
            return
        request = self._gate.named(raw_request(connection, address, now()))
        decision = self._gate.decide_unread(request)
        self._record(connection, request, decision)
        if decision.blocked:
            refuse_layer(data, alert=False)
            return
        connection.tunnel_request = request
        self._gate.uninspected(why_unread(request))
        self._relay(data, connection, RawStream())

    def _wait(self, data: layer.NextLayer, connection: Connection) -> None:
        """Hold what is there until there is more, or until the wait is over."""
        if not isinstance(data, Undecided):
            data.layer = Undecided(data.context)
        elif not data.overdue:
            raise AddonHalt
        elif self._undecided(connection, data.context.server.address, "bytes that became no protocol in time"):
            refuse_layer(data, alert=True)
        else:
            self._relay(data, connection, RawStream(begun=True))  # monitor: nothing is held for ever

    def _refuse_unread(self, data: layer.NextLayer, connection: Connection) -> None:
        """What looks like TLS or HTTP and cannot be read: a server may read it all the same."""
        error = "a ClientHello or request head that cannot be read"
        if self._undecided(connection, data.context.server.address, error):
            refuse_layer(data, alert=True)

    def _undecided(self, connection: Connection, address: tuple[str, int] | None, error: str) -> bool:
        """Record that a connection cannot be judged; whether it is refused."""
        decision = self._gate.undecided(error, connection.tunnel)
        self._record(connection, tls_request(connection, address, now()), decision)
        return decision.blocked

    def _relay(self, data: layer.NextLayer, connection: Connection, stream: RawStream) -> None:
        server = server_tls(data)
        raw = self._raw_layer(data, connection, stream)
        if server is not None:
            server.child_layer = raw
        data.layer = server or raw

    def _raw_layer(self, data: layer.NextLayer, connection: Connection, stream: RawStream) -> TCPLayer:
        raw = TCPLayer(data.context)
        assert raw.flow is not None
        connection.raw[raw.flow.id] = stream
        return raw

    def _record(self, connection: Connection, request: Request, decision: Decision) -> None:
        self._gate.record(
            decision,
            request.surface,
            connection,
            request=request,
            asked=next(iter(request.names), None),
            protocol="tls" if request.surface is Surface.TLS else None,
        )
