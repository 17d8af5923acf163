"""The origin of the evasion suite: takes what the most lenient server would, answers, and remembers every byte.

It reads TLS of any name, HTTP/1 of any form, HTTP/2, WebSocket and CONNECT (it is a parent proxy as well), one
inside the other, in any order; what is none of them it echoes. On its greeter's port it speaks first.
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from e2e.origin import make_certificate
from evasion.places import BANNED, MARK, place

WORKS = b"origin-answers"  # in each answer
GREETING = b"220 greeter ready\r\n"
_MOST = 400_000  # bytes of a connection that are remembered
_REQUEST = re.compile(rb"[!-~]+[ \t\x0b\x0c\r]+[^\n]*")
_END = re.compile(rb"\r?\n\r?\n")
_OLD = re.compile(rb"GET[ \t]+/[^ \n]*\r?\n")
_RECORDS = (0x14, 0x15, 0x16, 0x17)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


@dataclass
class Arrival:
    """One connection that reached the origin."""

    address: str  # the address dialled
    raw: bytearray = field(default_factory=bytearray)  # as received
    inside: bytearray = field(default_factory=bytearray)  # what TLS, HTTP/2 or WebSocket held

    @property
    def number(self) -> int:
        """Of the attempt to which this place belongs."""
        _, _, high, low = map(int, self.address.split("."))
        return high << 8 | low

    @property
    def banned(self) -> bool:
        return int(self.address.split(".")[1]) == BANNED

    def marks(self) -> set[int]:
        """The attempts whose secret or banned name came in."""
        return {int(number) for number in MARK.findall(bytes(self.raw) + b"\n" + bytes(self.inside))}


class Layer:
    """A protocol: takes bytes, writes answers below."""

    def __init__(self, arrival: Arrival, write, close) -> None:
        self.arrival, self.write, self.close = arrival, write, close
        self.buffer = b""
        self.inner: Layer | None = None

    def feed(self, data: bytes) -> None:
        (self.take if self.inner is None else self.inner.feed)(data)

    def take(self, data: bytes) -> None:
        raise NotImplementedError

    def hand_over(self, kind: "type[Layer]", data: bytes = b"") -> None:
        """From now on all is for a layer of *kind*, beginning with *data*."""
        self.inner = kind(self.arrival, self.write, self.close)
        if data:
            self.inner.feed(data)


class Unknown(Layer):
    """Whatever comes: finds out what it is."""

    context: ssl.SSLContext

    def take(self, data: bytes) -> None:
        self.buffer += data
        text = self.buffer
        if text.startswith(b"PROXY ") and b"\r\n" in text:
            text = self.buffer = text.partition(b"\r\n")[2]
        if not text:
            return
        if text[0] in _RECORDS:
            self.hand_over(Tls, text)
        elif text.startswith(b"PRI * HTTP/2.0"):
            self.hand_over(Http2, text)
        elif (hello := re.search(rb"\x16\x03[\x00-\x04]..\x01", text, re.DOTALL)) is not None:
            self.hand_over(Tls, text[hello.start() :])
        elif _REQUEST.match(text.lstrip() + b" ") and (b"HTTP/" in text.upper() or _OLD.match(text.lstrip())):
            self.hand_over(Http1, text)
        elif not re.fullmatch(rb"\s*[!-~]{0,80}([ \t][ -~]*)?\r?", text):  # no text that may yet become a request
            self.hand_over(Echo, text)


class Echo(Layer):
    def take(self, data: bytes) -> None:
        self.write(WORKS + b" " + data)


class Http1(Layer):
    """Answers each head; bodies are skipped leniently."""

    def take(self, data: bytes) -> None:
        self.buffer += data
        while self._one():
            pass

    def _one(self) -> bool:
        text = self.buffer.lstrip()
        old = _OLD.match(text)
        end = _END.search(text)
        if old is not None and b"HTTP/" not in old[0]:
            self.write(WORKS)
            self.close()
            return False
        if end is None:
            return False
        head, rest = text[: end.start()].lower(), text[end.end() :]
        if head.startswith(b"connect "):
            target = head.split()[1].decode("latin-1")
            self.arrival.address = place(target.rpartition(":")[0])
            if MARK.search(head) is None:
                self.arrival.raw.clear()  # a parent's own business, which names nothing banned
            greets = target.endswith((":25", ":587"))
            self.write(b"HTTP/1.1 200 OK\r\n\r\n" + (GREETING if greets else b""))
            self.hand_over(Greeting if greets else Unknown, rest)
            return False
        if b"expect:" in head and not rest:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if b"chunked" in head:
            last = re.search(rb"(?:^|\n)0[^\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n", rest)
            if last is None:
                return False
            rest = rest[last.end() :]
        elif (length := re.search(rb"content-length: *(\d+)", head)) is not None:
            if len(rest) < int(length[1]):
                return False
            rest = rest[int(length[1]) :]
        self.buffer = rest
        if b"upgrade: websocket" in head:
            key = re.search(rb"sec-websocket-key: *(\S+)", text[: end.start()], re.IGNORECASE)
            accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + _GUID).digest())
            self.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + bytes([0x81, len(WORKS)]) + WORKS
            )
            self.hand_over(WebSocket, rest)
            return False
        if b"upgrade: raw" in head:
            self.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n")
            self.hand_over(Unknown, rest)
            return False
        body = b"" if head.startswith(b"head ") else WORKS
        self.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(WORKS), body))
        return bool(rest)


class WebSocket(Layer):
    """Unmasks frames (RFC 6455, 5.2), and answers each that carries data."""

    def take(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 6:
            opcode, length, start = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(self.buffer[2:4]), 4
            masked = self.buffer[1] & 128
            end = start + (4 if masked else 0) + length
            if len(self.buffer) < end:
                return
            key = self.buffer[start : start + 4] if masked else b"\0\0\0\0"
            payload = self.buffer[end - length : end]
            self.buffer = self.buffer[end:]
            self.arrival.inside += bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
            if opcode in (1, 2):
                self.write(bytes([0x81, len(WORKS)]) + WORKS)
            elif opcode == 8:
                self.write(b"\x88\x00")
                self.close()


class Http2(Layer):
    def __init__(self, arrival: Arrival, write, close) -> None:
        super().__init__(arrival, write, close)
        config = h2.config.H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False)
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.connection.update_settings({h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1})
        write(self.connection.data_to_send())

    def take(self, data: bytes) -> None:
        try:
            events = self.connection.receive_data(data)
            for event in events:
                if isinstance(event, h2.events.RequestReceived | h2.events.TrailersReceived):
                    self.arrival.inside += b"\n".join(key + b": " + value for key, value in event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    self.arrival.inside += event.data
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded):
                    with contextlib.suppress(h2.exceptions.ProtocolError):
                        self.connection.send_headers(event.stream_id, [(":status", "200")])
                        self.connection.send_data(event.stream_id, WORKS, end_stream=True)
        except h2.exceptions.ProtocolError:
            pass
        self.write(self.connection.data_to_send())


class Tls(Layer):
    """Takes any name; remembers it."""

    current: Arrival | None = None  # the one whose handshake is going on: all run in one thread

    def __init__(self, arrival: Arrival, write, close) -> None:
        super().__init__(arrival, write, close)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = Unknown.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.inside: Layer | None = None  # once the handshake is done

    def take(self, data: bytes) -> None:
        self.incoming.write(data)
        try:
            if self.inside is None:
                Tls.current = self.arrival
                self.tls.do_handshake()
                kind = Http2 if self.tls.selected_alpn_protocol() == "h2" else Unknown
                self.inside = kind(self.arrival, self._write, self._close)
            while text := self.tls.read(65536):
                self.arrival.inside += text
                self.inside.feed(text)
            self._close()
        except ssl.SSLWantReadError:
            self.write(self.outgoing.read())
        except ssl.SSLError:
            self.write(self.outgoing.read())
            self.close()

    def _write(self, data: bytes) -> None:
        if data:
            self.tls.write(data)
            self.write(self.outgoing.read())

    def _close(self) -> None:
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.write(self.outgoing.read())
        self.close()

    @staticmethod
    def named(_tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name is not None and Tls.current is not None:
            Tls.current.inside += name.encode() + b"\n"


class Greeting(Layer):
    """Speaks first, as mail servers do; knows STARTTLS, and takes TLS or HTTP all the same."""

    def take(self, data: bytes) -> None:
        if data[:8].upper() == b"STARTTLS":
            self.write(b"220 go ahead\r\n")
            self.hand_over(Unknown)
        elif data[0] in _RECORDS or b"HTTP/" in data or self.buffer:
            self.hand_over(Unknown, self.buffer + data)
        elif len(data) < 3:
            self.buffer += data
        else:
            self.write(b"250 " + WORKS + b" " + data)


class Wire(asyncio.Protocol):
    def __init__(self, origin: "Origin", *, greets: bool) -> None:
        self.origin, self.greets = origin, greets

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.arrival = Arrival(self.origin.place_of(transport.get_extra_info("sockname")[0]))
        self.origin.arrivals.append(self.arrival)
        kind = Greeting if self.greets else Unknown
        self.layer = kind(self.arrival, self._write, transport.close)
        if self.greets:
            transport.write(GREETING)

    def _write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if len(self.arrival.raw) < _MOST:
            self.arrival.raw += data
        self.layer.feed(data)


class Origin:
    """Runs in a thread of its own; `arrivals` holds what came since `take`."""

    def __init__(self, directory: Path) -> None:
        certificate, key = make_certificate(directory)
        context = Unknown.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sni_callback = Tls.named  # type: ignore[assignment]
        self.certificate = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        self.arrivals: list[Arrival] = []
        self.port = self.greeter = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self.listen(socket.create_server(("0.0.0.0", 0), backlog=512), greets=False)
        self.greeter = self.listen(socket.create_server(("0.0.0.0", 0), backlog=512), greets=True)

    def listen(self, listener: socket.socket, *, greets: bool) -> int:
        """Serve on *listener*, which may lie in a network namespace; returns its port."""
        served = self._loop.create_server(lambda: Wire(self, greets=greets), sock=listener)
        asyncio.run_coroutine_threadsafe(served, self._loop).result(10)
        return listener.getsockname()[1]

    @staticmethod
    def place_of(address: str) -> str:
        return address if address.startswith("127.") else place(address)

    def take(self) -> list[Arrival]:
        """What has come since the last call."""
        taken, self.arrivals = self.arrivals, []
        return taken

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
