"""Datagrams: QUIC and DTLS are judged by the names in their ClientHellos, all else over UDP by its destination."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from mitmproxy import tls
from mitmproxy.proxy import layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientQuicLayer, HttpLayer, ServerQuicLayer, UDPLayer, modes
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.tls import HTTP_ALPNS

from embargo.core import dns_framing
from embargo.core.decision import Decision
from embargo.core.quic_hellos import is_late
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Decrypt, Mode
from embargo.core.unread import nameless, unread
from embargo.enforce.connection import Connection
from embargo.enforce.datagrams.datagram_flow import DatagramFlow, Kind, Look, Protocol
from embargo.enforce.datagrams.datagram_layer import Datagram, JudgedDatagrams, outlive
from embargo.enforce.gate import Gate, close, now
from embargo.enforce.gather import datagram_request
from embargo.enforce.tls.decrypt import must_open, never_opened
from embargo.enforce.tls.layers import DnsMessages
from embargo.enforce.uninspected import why_closed, why_unread

_QUIC_PORTS = (443, 8443)  # where what looks like QUIC is QUIC
_NOT_DNS = "QUIC or DTLS at a port of DNS, where no query passes unread"
_MOST_NAMES = 64  # server names on one flow
_MOST_REMEMBERED = 4096  # flows, and addresses of QUIC servers: a few hundred bytes each

type _Flow = tuple[object, object]  # a client's address and port, and the server's


class Datagrams:
    """Judges what comes over UDP."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        # mitmproxy forgets a flow after a minute without a datagram; QUIC may go on, and says no name again.
        self._passed: OrderedDict[_Flow, Request] = OrderedDict()
        self._servers: OrderedDict[object, None] = OrderedDict()  # addresses at which QUIC has been spoken

    def next_layer(self, data: layer.NextLayer) -> None:
        """Put our layer before all others of a flow; what is inside of opened QUIC is HTTP where it says so."""
        context = data.context
        if isinstance(context.layers[-1], ClientQuicLayer):
            if context.client.alpn in HTTP_ALPNS:
                data.layer = HttpLayer(context, HTTPMode.transparent)
        elif len(context.layers) == 1 and isinstance(context.layers[0], modes.TransparentProxy | modes.ReverseProxy):
            if _is_dns(context) and not DatagramFlow().concerns(data.data_client()):
                data.layer = DnsMessages(context)  # sends nothing on that is no DNS message
                return
            connection = self._gate.connection(context.client)
            if not connection.watched:  # else it is our layer itself that asks what comes next
                connection.watched = True
                self._gate.carriers[(context.client.peername, context.client.sockname)] = connection
                data.layer = JudgedDatagrams(context)

    def judge(self, datagram: Datagram) -> None:
        """What becomes of a client's datagram."""
        policy = self._gate.policy
        monitors = policy is not None and policy.settings.mode is Mode.MONITOR
        if monitors:
            datagram.release = [datagram.content]  # also should judging fail
        connection = self._gate.connection(datagram.context.client)
        look = datagram.flow.feed(datagram.content)
        datagram.release = []
        match look.kind:
            case Kind.HELD:
                return
            case Kind.PLAIN if datagram.begun:
                datagram.release = look.release
            case Kind.PLAIN:
                self._begin(datagram, connection, look)
            case Kind.HELLO:
                self._hello(datagram, connection, look)
            case Kind.NEGOTIATE if monitors:
                self._pass(datagram, look)
            case Kind.NEGOTIATE:
                datagram.refusal = look.refusal  # the client comes again with a version that is read
            case Kind.UNREADABLE:
                self._undecided(datagram, connection, look, look.error)

    def clienthello(self, data: tls.ClientHelloData) -> None:
        """QUIC that another way than ours has led here: the last gate knows its name, and the client is cut off."""
        connection = self._gate.connection(data.context.client)
        sni = data.client_hello.sni
        if sni is None or any(name.text == sni for name in connection.snis):
            return
        address = data.context.server.address
        connection.snis = (*connection.snis, Name.parse(Source.SNI, sni, address[1] if address else None))
        request = datagram_request(connection, address, now(), Surface.QUIC, connection.snis)
        decision = self._gate.decide(request)
        self._gate.record(decision, Surface.QUIC, connection, request=request, protocol="quic")
        if decision.blocked:
            close(data.context.client)
        else:
            connection.tunnel_request = request

    # -- what our layer asks

    def _begin(self, datagram: Datagram, connection: Connection, look: Look) -> None:
        """A flow whose first datagram names nothing."""
        context = datagram.context
        address = context.server.address
        request = self._gate.named(datagram_request(connection, address, now(), Surface.UDP, ()))
        past = self._passed.get(_flow(context))
        if past is not None:
            request = replace(past, time=request.time, client=request.client, user=request.user)
        elif self._may_be_quic(address) and is_late(datagram.content):
            self._undecided(datagram, connection, look, "a QUIC connection whose beginning was not seen")
            return
        if _is_dns(context) and look.protocol is not None:
            self._undecided(datagram, connection, look, _NOT_DNS)
            return
        decision = self._gate.decide(request) if _is_dns(context) else self._gate.decide_unread(request)
        self._record(connection, request, decision, look)
        if decision.blocked:
            return
        if request.surface is Surface.QUIC:
            if self._gate.policy is not None and not self._gate.ca.can_stay_closed(self._gate.policy, request):
                self._undecided(datagram, connection, look, "a QUIC connection that has to be opened")
                return
            connection.sealed = True
        connection.snis = tuple(name for name in request.names if name.source is Source.SNI)
        connection.tunnel_request = request
        self._pass(datagram, look, request)

    def _may_be_quic(self, address: tuple[str, int] | None) -> bool:
        return address is not None and (address[1] in _QUIC_PORTS or address in self._servers)

    def _hello(self, datagram: Datagram, connection: Connection, look: Look) -> None:
        """A ClientHello, with those before it on the same flow where they passed."""
        address = datagram.context.server.address
        passed, names = connection.snis, names_of(look, address)
        connection.snis = names
        request = self._gate.named(datagram_request(connection, address, now(), surface_of(look), names))
        decision = self._decide(request, look)
        self._record(connection, request, decision, look)
        if decision.blocked:
            connection.snis = passed
            self._refuse(datagram, look)
            return
        connection.snis = tuple(dict.fromkeys((*passed, *names)))
        error = self._reason_to_refuse(datagram, connection, request, look)
        if error is not None:
            self._undecided(datagram, connection, look, error)
            if not datagram.release:
                connection.snis = passed
            return
        if address is not None and look.protocol is Protocol.QUIC:
            _remember(self._servers, address, None)
        connection.tunnel_request = replace(
            request, names=(*request.names, *(name for name in passed if name not in request.names))
        )
        self._pass(datagram, look, request)
        if connection.sealed or look.protocol is Protocol.DTLS:
            _remember(self._passed, _flow(datagram.context), connection.tunnel_request)

    def _decide(self, request: Request, look: Look) -> Decision:
        policy, decision = self._gate.policy, self._gate.decide(request)
        if not nameless(request):
            return decision
        opened = policy is None or (
            look.protocol is Protocol.QUIC and must_open(policy, request) and self._gate.ca.may_open(request)
        )
        return unread(policy, request, decision, opened=opened)

    def _reason_to_refuse(self, datagram: Datagram, connection: Connection, request: Request, look: Look) -> str | None:
        if _is_dns(datagram.context):
            return _NOT_DNS
        if look.changed:
            return "a second ClientHello with another name than the first"
        if len(connection.snis) > _MOST_NAMES:
            return "more server names than one flow may have"
        policy = self._gate.policy
        closed = datagram.begun and connection.sealed and look.protocol is Protocol.QUIC
        if closed and policy is not None and not self._gate.ca.can_stay_closed(policy, request):
            return "a QUIC connection that has to be opened, on a flow that is closed"
        return None

    def _undecided(self, datagram: Datagram, connection: Connection, look: Look, error: str) -> None:
        request = datagram_request(
            connection, datagram.context.server.address, now(), surface_of(look), connection.snis
        )
        decision = self._gate.undecided(error)
        self._record(connection, request, decision, look)
        if decision.blocked:
            self._refuse(datagram, look)
        else:
            self._pass(datagram, look)

    def _refuse(self, datagram: Datagram, look: Look) -> None:
        datagram.flow.refused(look)
        datagram.release, datagram.refusal = [], look.refusal

    def _pass(self, datagram: Datagram, look: Look, request: Request | None = None) -> None:
        datagram.release = look.release
        if not datagram.begun:
            datagram.child = self._child(datagram.context, look, request)
            if datagram.child is _closed:
                outlive(datagram.context.client)
            if datagram.child is not _closed and look.protocol is Protocol.QUIC:
                # mitmproxy gives a connection up whose first datagram is early data
                datagram.release = [content for content in look.release if not is_late(content)]

    def _child(self, context: Context, look: Look, request: Request | None) -> Callable[[Context], layer.Layer]:
        """What carries a flow on: nothing is opened that the policy leaves closed."""
        policy = self._gate.policy
        decrypt = policy.settings.decrypt if policy is not None else Decrypt.ALL
        connection = self._gate.connection(context.client)
        if look.protocol is Protocol.QUIC and look.kind is Kind.HELLO and policy is not None and request is not None:
            wanted = must_open(policy, request)
            if self._gate.ca.opens(policy, request, wanted):
                return layer.NextLayer if decrypt is Decrypt.ALL else _opened
            connection.sealed = True
            self._gate.uninspected(why_closed(policy, request, wanted=wanted))
            return _closed
        if request is not None and request.surface is Surface.QUIC:
            return _closed  # resumed
        if look.protocol is not None:
            closed = policy is not None and request is not None and never_opened(policy, request)
            closed = closed or (request is not None and not self._gate.ca.may_open(request))
            if decrypt is Decrypt.ALL and not closed:
                return layer.NextLayer
            if request is not None:
                self._gate.uninspected(why_closed(policy, request, wanted=False))
            return _closed
        if _is_dns(context):
            return DnsMessages
        if isinstance(context.layers[0], modes.ReverseProxy):
            return layer.NextLayer
        if request is not None:
            self._gate.uninspected(why_unread(request))
        return UDPLayer  # mitmproxy takes all that goes to port 443 for QUIC, and ends it

    def _record(self, connection: Connection, request: Request, decision: Decision, look: Look) -> None:
        self._gate.record(
            decision,
            request.surface,
            connection,
            request=request,
            asked=next(iter(request.names), None),
            protocol=look.protocol.value if look.protocol is not None else None,
        )


def surface_of(look: Look) -> Surface:
    """Where what *look* saw is judged."""
    return Surface.QUIC if look.protocol is Protocol.QUIC else Surface.UDP


def names_of(look: Look, address: tuple[str, int] | None) -> tuple[Name, ...]:
    """The server names that *look* saw."""
    return tuple(Name.parse(Source.SNI, name, address[1] if address else None) for name in look.names)


def _flow(context: Context) -> _Flow:
    return (context.client.peername, context.server.address)


def _remember[K, V](memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MOST_REMEMBERED:
        memory.popitem(last=False)


def _is_dns(context: Context) -> bool:
    mode, address = context.client.proxy_mode, context.server.address
    return getattr(mode, "scheme", None) == "dns" or (address is not None and address[1] in dns_framing.PORTS)


def _opened(context: Context) -> layer.Layer:
    server = ServerQuicLayer(context)
    server.child_layer = ClientQuicLayer(context)
    return server


def _closed(context: Context) -> layer.Layer:
    return UDPLayer(context, ignore=True)
