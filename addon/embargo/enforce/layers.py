"""Protocol layers of our own: the clean ends of a connection that is refused before it has a protocol."""

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context

ACCESS_DENIED = bytes.fromhex("15030300020231")  # fatal alert 49 (RFC 8446, 6.2): clients show it as such


class Refuse(layer.Layer):
    """Says goodbye once, and closes: with a TLS alert where the client speaks TLS."""

    def __init__(self, context: Context, goodbye: bytes = b"") -> None:
        super().__init__(context)
        self._goodbye = goodbye
        self._said = False

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if not self._said:
            self._said = True
            if self._goodbye:
                yield commands.SendData(self.context.client, self._goodbye)
            yield commands.CloseConnection(self.context.client)
            if self.context.server.connected:  # one that the eager strategy opened; it got nothing
                yield commands.CloseConnection(self.context.server)
