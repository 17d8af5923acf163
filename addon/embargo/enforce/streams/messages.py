"""Raw TCP: each message of the client is read before it goes on."""

import asyncio
import weakref
from typing import NamedTuple
from weakref import WeakKeyDictionary

from mitmproxy import ctx, tcp

from embargo.core.decision import Decision
from embargo.core.dns_framing import Frames, carries_dns
from embargo.core.dns_message import questions
from embargo.core.dns_names import name_asked
from embargo.core.dns_wire import MalformedMessage
from embargo.core.request import Request, Surface
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, close, now
from embargo.enforce.gather import raw_request
from embargo.enforce.refusals import drop_message
from embargo.enforce.streams.raw_stream import RawStream
from embargo.enforce.tls import first_bytes

_NOTHING_YET = 2  # bytes that may be held as long as it takes: a Ctrl-V of telnet is the first of a TLS record


class Held(NamedTuple):
    """What a stream holds, and the timer that ends it."""

    data: bytes
    timer: asyncio.TimerHandle


class Stream:
    """Judges raw streams."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._held: WeakKeyDictionary[tcp.TCPFlow, Held] = WeakKeyDictionary()
        self._writing: set[asyncio.Future[None]] = set()
        # Of streams that may carry DNS over TCP though they did not begin with it; None for those that do not.
        self._frames: WeakKeyDictionary[tcp.TCPFlow, Frames | None] = WeakKeyDictionary()

    def start(self, flow: tcp.TCPFlow) -> None:
        """A stream that another way than ours has made raw (`tcp_hosts`, an upgrade) is judged all the same."""
        connection = self._gate.connection(flow.client_conn)
        if flow.id not in connection.raw:
            connection.raw[flow.id] = RawStream()
            request = self._gate.named(raw_request(connection, flow.server_conn.address, now()))
            self._judge(flow, connection, request, self._gate.decide_unread(request))

    def message(self, flow: tcp.TCPFlow) -> None:
        """Hold what is not yet a whole name; judge each name; then let the bytes go on."""
        message = flow.messages[-1]
        if not self._gate.keep_messages:
            del flow.messages[:-1]
        connection = self._gate.connection(flow.client_conn)
        stream = connection.raw.setdefault(flow.id, RawStream())
        if flow in self._gate.refused:
            drop_message(flow)  # it came in before the connection was closed
            return
        if not message.from_client:
            stream.answered(message.content)
            return
        asked = self._questions(flow, message.content)
        passage = stream.feed(message.content)
        if len(passage.release) != len(message.content) or flow in self._held:
            self._hold(flow, message.content, len(passage.release))
        message.content = passage.release
        address = flow.server_conn.address
        if passage.refuse is not None:
            request = raw_request(connection, address, now())
            self._act(flow, connection, request, self._gate.undecided(passage.refuse))
        elif passage.names or passage.snis or asked:
            hosts = (*passage.names, *asked)
            request = raw_request(connection, address, now(), hosts=hosts, snis=passage.snis or ())
            self._judge(flow, connection, request, self._gate.decide(request))

    def end(self, flow: tcp.TCPFlow) -> None:
        """The stream is over."""
        self._gate.connection(flow.client_conn).raw.pop(flow.id, None)
        if (held := self._held.pop(flow, None)) is not None:
            held.timer.cancel()

    def _hold(self, flow: tcp.TCPFlow, came: bytes, released: int) -> None:
        """Keep what does not go on yet, and the time since when."""
        held = self._held.pop(flow, None)
        data = ((held.data if held is not None else b"") + came)[released:]
        if len(data) <= _NOTHING_YET:
            if held is not None:
                held.timer.cancel()
            return
        if held is None:
            loop = asyncio.get_running_loop()
            held = Held(b"", loop.call_later(first_bytes.LONGEST_WAIT, self._end_wait, weakref.ref(flow)))
        self._held[flow] = Held(data, held.timer)

    def _end_wait(self, waiting: "weakref.ref[tcp.TCPFlow]") -> None:
        flow = waiting()
        if flow is None or flow not in self._held or not flow.live:
            return
        full = self._gate.run(self._overdue, flow, self._failed, lambda late: late.client_conn)
        if full is not None:  # the journal: the record waits for room there
            writing = asyncio.ensure_future(full)
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    def _failed(self, flow: tcp.TCPFlow, decision: Decision) -> None:
        """The end of a wait that could not be judged."""
        close(self._gate.connection(flow.client_conn).peer)  # a stream of QUIC has a client of its own

    def _overdue(self, flow: tcp.TCPFlow) -> None:
        """What is held has not become a name in time: the stream ends, or with monitor goes on unread."""
        data = self._held.pop(flow).data
        connection = self._gate.connection(flow.client_conn)
        request = raw_request(connection, flow.server_conn.address, now())
        decision = self._gate.undecided("bytes that became no name in time")
        self._gate.record(decision, Surface.TCP, connection, request=request)
        if decision.blocked:
            self._gate.refused[flow] = decision
            close(connection.peer)
        else:
            connection.raw[flow.id].give_up()
            ctx.master.commands.call("inject.tcp", flow, False, data)

    def _questions(self, flow: tcp.TCPFlow, data: bytes) -> tuple[str, ...]:
        """The names asked for in the DNS queries that *data* completes."""
        if flow not in self._frames:
            address = flow.server_conn.address
            self._frames[flow] = Frames() if carries_dns(address[1] if address else None, data) else None
        frames = self._frames[flow]
        found: list[str] = []
        for message in frames.feed(data) if frames is not None else ():
            try:
                asked = [name_asked(question) for question in questions(message)]
            except MalformedMessage:
                continue  # no question that a server could answer
            found += [str(name.host) for name in asked if name is not None and name.host is not None]
        return tuple(found)

    def _judge(self, flow: tcp.TCPFlow, connection: Connection, request: Request, decision: Decision) -> None:
        self._act(flow, connection, request, decision)
        if not decision.blocked:
            connection.tunnel_request = request

    def _act(self, flow: tcp.TCPFlow, connection: Connection, request: Request, decision: Decision) -> None:
        self._gate.record(decision, Surface.TCP, connection, request=request)
        if decision.blocked:
            self._gate.refused[flow] = decision
            drop_message(flow)
            close(connection.peer)
