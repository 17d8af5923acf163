"""Waiting for a client's bytes, with an end: bytes that are no protocol yet, and request heads that do not end.

mitmproxy 12.2 waits for either as long as a byte comes within ten minutes, and collects a head of any length. Here
both end after `first_bytes.LONGEST_WAIT`, a head also at `first_bytes.LONGEST_HEAD`: the gate is asked, and the
connection closed. What was held is never let through.
"""

from dataclasses import dataclass

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as mitmproxy_http
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestProtocolError
from mitmproxy.proxy.layers.http._http1 import Http1Server, make_error_response

from embargo.enforce.tls import first_bytes


class Undecided(layer.NextLayer):
    """Asks for the next protocol at each byte, and a last time, `overdue`, when the wait is over."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.overdue = False
        self._timer: commands.RequestWakeup | None = None

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        """As its parent; the end of the wait never reaches the layer that was chosen before."""
        if isinstance(event, events.Wakeup) and event.command is self._timer:
            self._timer = None
            if self.layer is not None:
                return
            self.overdue = True
        yield from super().handle_event(event)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            yield from self._ask()
            return
        if isinstance(event, events.Start):
            self._timer = commands.RequestWakeup(first_bytes.LONGEST_WAIT)
            yield self._timer
        yield from super()._handle_event(event)

    def _ask(self) -> layer.CommandGenerator[None]:
        if self.layer is not None:
            return  # chosen while this question waited for its turn
        yield from super()._ask()  # type: ignore[no-untyped-call]
        if self.layer is not None:
            # Its shortcut past this object, which would lead the timer to the layer that was chosen.
            del self.handle_event
            self._handle_event = self.layer.handle_event


@dataclass(slots=True)
class EndlessHead:
    """A request head that does not end."""

    context: Context
    error: str  # what is wrong with it
    refused: bool = False  # the hook's answer


@dataclass
class EndlessHeadHook(commands.StartHook):
    """Asks the gate about a request head that does not end."""

    name = "embargo_endless_head"
    data: EndlessHead


class BoundedHttp1(Http1Server):
    """mitmproxy's HTTP/1 towards the client, with bounds on a request head."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._timer: commands.RequestWakeup | None = None  # one at a time
        self._timed = 0  # stream id of the head that was incomplete when it began
        self._told = 0  # stream id of the head that the gate let go on

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            overdue, self._timer = self._timed == self.stream_id, None
            if self._is_incomplete():
                if overdue:
                    yield from self._refuse(408, "a request head that is not whole in time")
                else:
                    yield from self._begin_wait()  # another head than the one it began with
            return
        yield from super()._handle_event(event)

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """As its parent; what is then still incomplete is bounded."""
        yield from super().read_headers(event)
        if self.buf and self._is_incomplete():
            if len(self.buf) > first_bytes.LONGEST_HEAD:
                yield from self._refuse(431, "a request head that does not end")
            elif self._timer is None:
                yield from self._begin_wait()

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """As its parent, which has no answer to trailers: it leaves the client waiting for good (12.2.3)."""
        try:
            yield from super().read_body(event)
        except NotImplementedError as error:
            yield ReceiveHttp(RequestProtocolError(self.stream_id, str(error), ErrorCode.GENERIC_CLIENT_ERROR))
            if self.conn.state & ConnectionState.CAN_WRITE:
                yield commands.CloseConnection(self.conn)
            self.state = self.done

    def _is_incomplete(self) -> bool:
        return bool(self.buf) and self.state == self.read_headers and self._told != self.stream_id

    def _begin_wait(self) -> layer.CommandGenerator[None]:
        self._timed, self._timer = self.stream_id, commands.RequestWakeup(first_bytes.LONGEST_WAIT)
        yield self._timer

    def _refuse(self, status: int, error: str) -> layer.CommandGenerator[None]:
        """RFC 9110, 15.5.9 (408) or RFC 6585, 5 (431)."""
        self._told = self.stream_id
        question = EndlessHead(self.context, error)
        yield EndlessHeadHook(question)
        if question.refused:
            yield commands.SendData(self.conn, make_error_response(status, error))
            yield commands.CloseConnection(self.conn)
            self.state = self.done


def bound_heads() -> None:
    """Let every HTTP layer of this process read HTTP/1 with bounds.

    A hook that gives each layer its own reader costs 45 µs a connection, a hundredth of it (measured).
    """
    mitmproxy_http.Http1Server = BoundedHttp1  # type: ignore[attr-defined]
