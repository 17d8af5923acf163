"""Protocol layers of our own: the clean ends of a refused connection, and TLS that stays closed."""

import struct
from dataclasses import dataclass

from mitmproxy import dns
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import DNSLayer, TCPLayer

from embargo.enforce.tls.handshake import Handshake

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


@dataclass(slots=True)
class SecondHello:
    """A ClientHello that a HelloRetryRequest asked for."""

    context: Context
    names: tuple[str, ...]
    error: str | None = None  # why it cannot be read
    refused: bool = False  # the hook's answer


@dataclass
class SecondHelloHook(commands.StartHook):
    """Asks the gate about a second ClientHello."""

    name = "embargo_second_hello"
    data: SecondHello


class ClosedTLS(TCPLayer):
    """Relays TLS byte for byte, with an eye on the handshake alone."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, ignore=True)
        self._handshake = Handshake()

    def relay_messages(self, event: events.Event) -> layer.CommandGenerator[None]:
        """As its parent, save that a second ClientHello is judged before it goes on."""
        if not isinstance(event, events.DataReceived):
            yield from super().relay_messages(event)
            return
        if event.connection == self.context.server:
            self._handshake.answered(event.data)
            yield from super().relay_messages(event)
            return
        passage = self._handshake.feed(event.data)
        if self._handshake.over:
            self._handle_event = super().relay_messages
        if passage.snis is not None or passage.refuse is not None:
            second = SecondHello(self.context, passage.snis or (), passage.refuse)
            yield SecondHelloHook(second)
            if second.refused:
                self._handle_event = self.done
                yield commands.SendData(self.context.client, ACCESS_DENIED)
                yield commands.CloseConnection(self.context.client)
                yield commands.CloseConnection(self.context.server)
                return
        if passage.release:
            yield from super().relay_messages(events.DataReceived(event.connection, passage.release))


class DnsMessages(DNSLayer):
    """mitmproxy's DNS, which ends a connection at a message that it cannot read, whatever is wrong with it."""

    def unpack_message(self, data: bytes, from_client: bool) -> list[dns.DNSMessage]:
        """As its parent, which fails and leaves the connection open where names point to one another (measured)."""
        try:
            return super().unpack_message(data, from_client)
        except (ValueError, RecursionError) as unreadable:
            raise struct.error(str(unreadable)) from unreadable
