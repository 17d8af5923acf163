"""Clients: curl, raw sockets, TLS and HTTP/2 spoken by hand where no client would send such things."""

import contextlib
import hashlib
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx

from e2e.origin import client_context
from e2e.proxy import Proxy

BOUND = 20.0  # seconds: a bound on waiting, never a measure


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    exit: int  # curl's exit code
    status: int  # of the answer; 0: none
    connect: int  # status of the CONNECT; 0: none
    version: str
    body: str
    error: str


def curl(proxy: Proxy, *arguments: str) -> Answer:
    """One curl through *proxy*, which takes any certificate."""
    command = ["curl", "-sSk", "--noproxy", "", "-x", f"http://127.0.0.1:{proxy.port}", "--max-time", str(BOUND)]
    command += ["-w", "\n%{http_code} %{http_connect} %{http_version}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=2 * BOUND, check=False)
    body, _, figures = done.stdout.decode("utf-8", "replace").rpartition("\n")
    status, connect, version = figures.split()
    return Answer(done.returncode, int(status), int(connect), version, body, done.stderr.decode())


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept": "text/html,*/*;q=0.8"}


def client(proxy: Proxy, headers: dict[str, str] | None = None, auth: tuple[str, str] | None = None) -> httpx.Client:
    """An httpx client through *proxy*, HTTP/2 where the server offers it; *headers* on the CONNECT too."""
    address = httpx.Proxy(f"http://127.0.0.1:{proxy.port}", headers=headers, auth=auth)
    return httpx.Client(http2=True, proxy=address, verify=client_context(), timeout=BOUND, headers=headers)


def connect(proxy: Proxy) -> socket.socket:
    """A plain connection to *proxy*."""
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=BOUND)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def tunnel(proxy: Proxy, target: str, *headers: str) -> socket.socket:
    """A tunnel to *target* (HOST:PORT). Raises Refused with the answer's head."""
    connection = connect(proxy)
    connection.sendall("\r\n".join([f"CONNECT {target} HTTP/1.1", f"Host: {target}", *headers, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):  # what follows is the tunnel's
        head += byte
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        connection.close()
        raise Refused(head)
    return connection


class Refused(Exception):
    """A CONNECT that was not answered with 200."""


def read_until(connection: socket.socket, end: bytes, so_far: bytes = b"") -> bytes:
    """What comes up to and with *end*, and whatever came with it; less where the peer closes first."""
    data = so_far
    while end not in data:
        try:
            piece = connection.recv(65536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    return data


def read_all(connection: socket.socket) -> bytes:
    """What comes until the peer closes; fails where it does not."""
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            raise AssertionError(f"the connection stays open after {data[:200]!r}") from None
        except OSError:
            return data
        if not piece:
            return data
        data += piece


def read_response(connection: socket.socket, so_far: bytes = b"") -> tuple[int, bytes, bytes]:
    """Status and body of one HTTP/1.1 response with a Content-Length, and what came behind it."""
    data = read_until(connection, b"\r\n\r\n", so_far)
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head:
        raise ConnectionError("closed without an answer")
    matched = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    length = int(matched[1]) if matched else 0
    while len(rest) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        rest += piece
    return int(head.split()[1]), rest[:length], rest[length:]


def tls(connection: socket.socket, name: str | None, *alpn: str) -> ssl.SSLSocket:
    """TLS over *connection* with *name* as SNI."""
    context = client_context()
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(connection, server_hostname=name)


def fingerprint(connection: ssl.SSLSocket) -> bytes:
    """SHA-256 of the certificate that the server showed."""
    return hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()


@dataclass
class Stream:
    """What came on one HTTP/2 stream."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None  # error code of RST_STREAM


class Http2:
    """An HTTP/2 client that sends what it is told, be it allowed or not."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        assert connection.selected_alpn_protocol() == "h2"
        self.socket = connection
        config = h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.connection = h2.connection.H2Connection(config)
        self.connection.initiate_connection()
        self.streams: dict[int, Stream] = {}
        self.closed = False
        self.flush()

    def request(
        self,
        authority: str,
        path: str = "/",
        *headers: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        end: bool = True,
    ) -> Stream:
        number = self.connection.get_next_available_stream_id()
        stream = self.streams[number] = Stream()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        self.connection.send_headers(number, [*pseudo, *headers], end_stream=body is None and end)
        self.flush()
        while body:
            window = min(self.connection.local_flow_control_window(number), self.connection.max_outbound_frame_size)
            if not window:
                self.read()
                if stream.reset is not None or stream.ended or self.closed:
                    return stream
                continue
            piece, body = body[:window], body[window:]
            self.connection.send_data(number, piece, end_stream=end and not body)
            self.flush()
        return stream

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendall(self.connection.data_to_send())

    def read(self) -> None:
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise AssertionError(f"nothing came: {self.streams}") from None
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.connection.receive_data(data):
            stream = self.streams.get(getattr(event, "stream_id", None) or 0, Stream())
            match event:
                case h2.events.ResponseReceived():
                    stream.headers = dict(event.headers)
                    stream.status = int(stream.headers[":status"])
                case h2.events.DataReceived():
                    stream.body += event.data
                    self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    stream.ended = True
                case h2.events.StreamReset():
                    stream.reset = event.error_code
                case h2.events.ConnectionTerminated():
                    self.closed = True
        self.flush()

    def finish(self, *streams: Stream) -> None:
        """Read until each of *streams* has ended one way or the other."""
        while not all(stream.ended or stream.reset is not None for stream in streams) and not self.closed:
            self.read()
