"""Connections to the proxy, and traps behind it: listeners of our own in which a leak would be seen.

A trap is the innocent destination inside which a banned name is asked for, so that what the proxy lets through
reaches nobody but us.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from embargo.probe.outcome import Response

HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")  # a trap's answer to TLS: an alert that embargo never sends
CAUGHT = 299  # the status of a trap's answer to HTTP, which no server of the world gives
ANSWER = b"HTTP/1.1 299 embargo-probe\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LONGEST = 1_048_576  # bytes that are read of any answer

type Address = tuple[str, int]


class Channel(asyncio.Protocol):
    """A stream of which nothing is lost: what came before a reset is kept, as asyncio's own reader does not."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = False
        self.transport: asyncio.Transport | None = None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the stream is there."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        if len(self.received) < _LONGEST:
            self.received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the other side has gone."""
        self.closed = True
        self._changed.set()

    def send(self, data: bytes) -> None:
        """Send *data*; nothing where the other side has gone."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    async def until(self, length: int) -> bool:
        """Wait for *length* bytes in all; False where the other side closes before."""
        while len(self.received) < length and not self.closed:
            self._changed.clear()
            await self._changed.wait()
        return len(self.received) >= length

    async def response(self) -> Response | None:
        """The next HTTP answer with its body, taken off what was received; None where there is none."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            if not await self.until(len(self.received) + 1):
                return None
        head = bytes(self.received[:end]).decode("latin-1").split("\r\n")
        del self.received[: end + 4]
        status = head[0].split()[1:2]
        if not head[0].startswith("HTTP/") or not status or not status[0].isdigit():
            return None
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        length = headers.get("content-length", "0")
        size = min(int(length), _LONGEST) if length.isdigit() else 0
        await self.until(size)
        body = bytes(self.received[:size])
        del self.received[:size]
        return Response(int(status[0]), headers, body)

    async def start_tls(self, name: str) -> "Channel":
        """TLS over this stream with *name* as server name, any certificate taken. Raises ssl.SSLError, OSError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is told to the other side that it does not know
        inner = Channel()
        assert self.transport is not None
        transport = await asyncio.get_running_loop().start_tls(self.transport, inner, context, server_hostname=name)
        if transport is None:
            raise ConnectionError("closed in the handshake")
        inner.transport = transport
        return inner


@asynccontextmanager
async def opened(address: Address) -> AsyncIterator[Channel]:
    """A connection to *address*. Raises OSError."""
    _, channel = await asyncio.get_running_loop().create_connection(Channel, *address)
    try:
        yield channel
    finally:
        if channel.transport is not None:
            channel.transport.abort()


class Trap(Channel):
    """One connection that came through the proxy; it says at once that it was reached."""

    def __init__(self, net: "Net") -> None:
        super().__init__()
        self._net = net

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the proxy has connected."""
        super().connection_made(transport)
        assert self.transport is not None
        self._net.transports.append(self.transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: a leak, or the innocent half of an attempt."""
        super().data_received(data)
        self._net.received += data[:_LONGEST]
        self._net.sprung.set()
        if data[:1] == b"\x16":
            self.send(HANDSHAKE_FAILURE)
            if self.transport is not None:
                self.transport.close()
        elif b"\r\n\r\n" in self.received or b"\n\n" in self.received:
            self.send(ANSWER)


class Net:
    """The listener of one attempt."""

    def __init__(self, address: Address) -> None:
        self.address = address  # as the proxy is told it
        self.received = bytearray()
        self.sprung = asyncio.Event()
        self.transports: list[asyncio.Transport] = []


@asynccontextmanager
async def trap(host: str, *, bind: str) -> AsyncIterator[Net]:
    """A trap on a free port of *bind*, which the proxy reaches as *host*. Raises OSError."""
    net = Net((host, 0))
    server = await asyncio.get_running_loop().create_server(lambda: Trap(net), bind, 0)
    net.address = (host, server.sockets[0].getsockname()[1])
    try:
        yield net
    finally:
        server.close()
        for transport in net.transports:
            transport.abort()


class Datagrams(asyncio.DatagramProtocol):
    """A UDP socket that waits for answers."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """asyncio: an answer."""
        self.answers.put_nowait(data)


@asynccontextmanager
async def datagrams(address: Address) -> AsyncIterator[tuple[asyncio.DatagramTransport, Datagrams]]:
    """A UDP socket whose peer is *address*. Raises OSError."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, remote_addr=address)
    try:
        yield transport, protocol
    finally:
        transport.close()
