"""The last gate: no upstream connection opens to what the policy blocks, whichever surface asked for it.

Nor to embargo's own console, metrics and health (`own_services`), whatever the policy and its mode say: that is no ban,
but a wall around what decides who may do what.
"""

from typing import Any

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, cut, now
from embargo.enforce.gather import server_request
from embargo.enforce.process.pages import shown_address


class Server:
    """Judges upstream connections."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def last(self, data: ServerConnectionHookData) -> None:
        """After all other addons: judge again where one of them changed the address or took our error away."""
        if data.server.error is None and self._gate.connection(data.client).dialled != self._state(data):
            self.connect(data)

    def connect(self, data: ServerConnectionHookData) -> None:
        """Refuse by setting the connection's error; the text reaches the client, so it says nothing of why."""
        connection = self._gate.connection(data.client)
        if connection.page is not None:
            data.server.error = "refused by policy"
            return
        connection.dialled = None
        address = data.server.address
        if address is not None and self._gate.services.at(address[0], address[1]):
            data.server.error = "refused by policy"
            self._keep_out(data, connection, address)
            return
        request = server_request(connection, data, now())
        decision = self._gate.decide(request)
        if not decision.blocked:
            connection.dialled = self._state(data)
            return  # what passes or is logged was recorded where it was asked for
        data.server.error = "refused by policy"
        self._gate.record(decision, Surface.SERVER, connection, request=request)

    def connected(self, data: ServerConnectionHookData) -> None:
        """It is open, and nothing was sent yet: break it off where its name has led to a service of our own."""
        peer = data.server.peername
        if peer is not None and self._gate.services.at(peer[0], peer[1]):
            cut(data)
            self._keep_out(data, self._gate.connection(data.client), peer)

    def _keep_out(self, data: ServerConnectionHookData, connection: Connection, led_to: tuple[Any, ...]) -> None:
        decision = Decision(
            verdict=Verdict.BLOCK, reason=Reason.OWN_SERVICE, error=shown_address((str(led_to[0]), led_to[1]))
        )
        request = server_request(connection, data, now())
        self._gate.record(decision, Surface.SERVER, connection, request=request)

    def _state(self, data: ServerConnectionHookData) -> tuple[object, ...]:
        return (data.server.address, data.server.via, id(self._gate.policy))
