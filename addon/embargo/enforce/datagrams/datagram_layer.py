"""The layer before all others of a datagram flow: each datagram that may begin a connection is judged first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aioquic.h3.connection import ErrorCode
from mitmproxy import connection as mitm
from mitmproxy import ctx
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientQuicLayer

from embargo.enforce.datagrams.datagram_flow import DatagramFlow

LONGEST_SILENCE = 90  # seconds: more than the 60 after which mitmproxy's listener ends a flow itself (measured)


@dataclass(slots=True)
class Datagram:
    """A client's datagram before it goes on, and what the gate makes of it."""

    context: Context
    flow: DatagramFlow
    content: bytes
    begun: bool  # whether the flow has a layer already
    # the answer; as it stands, the datagram goes nowhere
    release: list[bytes] = field(default_factory=list)
    refusal: bytes = b""  # to the client
    child: Callable[[Context], layer.Layer] = layer.NextLayer  # what carries the flow on, where it has not begun


@dataclass
class DatagramHook(commands.StartHook):
    """Asks the gate about a datagram."""

    name = "embargo_datagram"
    data: Datagram


class JudgedDatagrams(layer.Layer):
    """Lets through what the gate lets through; unseen by the layers above, which look for the mode's own below them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        context.layers.remove(self)
        self._flow = DatagramFlow()
        self._child: layer.Layer | None = None

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived) and event.connection == self.context.client:
            yield from self._from_client(event.data)
        elif self._child is not None:
            if isinstance(event, events.DataReceived) and not self._flow.answered(event.data):
                return
            yield from self._child.handle_event(event)
        elif isinstance(event, events.ConnectionClosed):
            yield commands.CloseConnection(self.context.client)

    def _from_client(self, content: bytes) -> layer.CommandGenerator[None]:
        if self._child is not None and not self._flow.concerns(content):
            yield from self._child.handle_event(events.DataReceived(self.context.client, content))
            return
        datagram = Datagram(self.context, self._flow, content, begun=self._child is not None)
        yield DatagramHook(datagram)
        if datagram.refusal:
            yield commands.SendData(self.context.client, datagram.refusal)
        child = self._child
        if datagram.release and child is None:
            child = self._child = datagram.child(self.context)
            yield from child.handle_event(events.Start())
        for released in datagram.release:
            assert child is not None
            yield from child.handle_event(events.DataReceived(self.context.client, released))


def say_goodbye(handler: Any) -> None:
    """Tell the client that its opened QUIC connection ends: it would wait for an answer, since UDP tells it nothing."""
    writer = handler.transports[handler.client].writer
    for opened in handler.layer.context.layers:
        if isinstance(opened, ClientQuicLayer) and opened.quic is not None and writer is not None:
            opened.quic.close(error_code=ErrorCode.H3_NO_ERROR)
            for datagram, _ in opened.quic.datagrams_to_send(now=opened._time()):
                writer.write(datagram)


def outlive(peer: mitm.Client) -> None:
    """Let a relayed connection be silent for longer than mitmproxy's 20 s.

    Its listener drops what comes for a flow that was ended so, for as long as something comes (measured), while QUIC
    connections mostly live through 30 s of silence.
    """
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(peer.id) if server is not None else None
    if handler is not None:
        handler.timeout_watchdog.timeout = LONGEST_SILENCE
