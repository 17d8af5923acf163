"""mitmproxy's UDP flows: those inside of DTLS and QUIC that it opened, which our own layer does not see."""

from mitmproxy import udp

from embargo.core.decision import Decision
from embargo.core.request import Request, Surface
from embargo.enforce.connection import Connection
from embargo.enforce.datagrams.datagram import names_of, surface_of
from embargo.enforce.datagrams.datagram_flow import DatagramFlow, Kind
from embargo.enforce.gate import Gate, close, now
from embargo.enforce.gather import datagram_request
from embargo.enforce.refusals import drop_message


class UdpFlows:
    """Judges mitmproxy's UDP flows."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._watched: dict[str, DatagramFlow] = {}  # by id of the flow

    def start(self, flow: udp.UDPFlow) -> None:
        """A flow that another way than ours carries (inside DTLS or QUIC) is judged by where it goes."""
        connection = self._gate.connection(flow.client_conn)
        if _is_carried(flow, connection):
            return
        self._watched[flow.id] = DatagramFlow()
        request = datagram_request(connection, flow.server_conn.address, now(), Surface.UDP, connection.snis)
        self._act(flow, connection, request, self._gate.decide(request))

    def message(self, flow: udp.UDPFlow) -> None:
        """Watch such a flow for what begins later; what waits is dropped, and comes again."""
        if not self._gate.keep_messages:
            del flow.messages[:-1]
        watched = self._watched.get(flow.id)
        message = flow.messages[-1]
        if watched is None:
            return
        if not message.from_client:
            watched.answered(message.content)
            return
        look = watched.feed(message.content)
        if look.kind is Kind.PLAIN:
            return
        connection, address = self._gate.connection(flow.client_conn), flow.server_conn.address
        request = datagram_request(connection, address, now(), surface_of(look), names_of(look, address))
        if look.kind is Kind.HELD:
            message.content = b""
            return
        decision = self._gate.decide(request)
        if not decision.blocked and look.kind is not Kind.HELLO:
            decision = self._gate.undecided(look.error or "a version of QUIC that is not read")
        if decision.blocked:
            watched.refused(look)
        self._act(flow, connection, request, decision)

    def end(self, flow: udp.UDPFlow) -> None:
        """The flow is over."""
        self._watched.pop(flow.id, None)

    def _act(self, flow: udp.UDPFlow, connection: Connection, request: Request, decision: Decision) -> None:
        self._gate.record(decision, request.surface, connection, request=request)
        if decision.blocked:
            drop_message(flow)
            close(connection.peer)
        else:
            connection.tunnel_request = connection.tunnel_request or request


def _is_carried(flow: udp.UDPFlow, connection: Connection) -> bool:
    """Whether our layer sees each datagram of *flow*: it does not see into what mitmproxy has opened."""
    return connection.watched and not flow.client_conn.tls
