"""The last gate: no upstream connection opens to what the policy blocks, whichever surface asked for it."""

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from embargo.core.request import Surface
from embargo.enforce.gate import Gate, now
from embargo.enforce.gather import server_request


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
        request = server_request(connection, data, now())
        decision = self._gate.decide(request)
        if not decision.blocked:
            connection.dialled = self._state(data)
            return  # what passes or is logged was recorded where it was asked for
        data.server.error = "refused by policy"
        self._gate.record(decision, Surface.SERVER, connection, request=request)

    def _state(self, data: ServerConnectionHookData) -> tuple[object, ...]:
        return (data.server.address, data.server.via, id(self._gate.policy))
