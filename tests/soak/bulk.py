"""A server and clients that move gigabytes and do little else: HTTP/1.1 and WebSocket, with and without TLS."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from e2e.origin import make_certificate

PIECE = 256 * 1024  # bytes written and read at a time
MESSAGE = 1024 * 1024  # bytes of a WebSocket message
_BLOCK = bytes(PIECE)
_LIMIT = 120.0  # seconds in which nothing comes: a bound on waiting, never a measure


class Bulk:
    """Sends what is asked for by `GET /BYTES`, takes what is sent by PUT, sends back each WebSocket message."""

    def __init__(self, directory: Path) -> None:
        certificate, key = make_certificate(directory)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.http_port, self.https_port = (listener.getsockname()[1] for listener in self._listeners)
        self.requests: list[str] = []  # the hosts that were asked for
        for listener, wrap in zip(self._listeners, (None, self._context.wrap_socket), strict=True):
            threading.Thread(target=self._accept, args=(listener, wrap), daemon=True).start()

    def stop(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket, wrap: Callable[..., socket.socket] | None) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection, wrap), daemon=True).start()

    def _serve(self, connection: socket.socket, wrap: Callable[..., socket.socket] | None) -> None:
        with contextlib.suppress(OSError, EOFError):
            if wrap is not None:
                connection = wrap(connection, server_side=True)
            with connection:
                while True:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head, rest = read_head(connection)
        line, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        self.requests.append(headers["host"])
        method, path, _ = line.split()
        if "upgrade" in headers:
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
            accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # for the key of RFC 6455 §1.3, which the client sends
            connection.sendall(f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
            echo(connection)
        elif method == "PUT":
            taken = len(rest) + skip(connection, int(headers["content-length"]) - len(rest))
            connection.sendall(answer(str(taken).encode()))
        else:
            send(connection, answer(b"", int(path[1:])), int(path[1:]))


def answer(body: bytes, length: int | None = None) -> bytes:
    """An answer of status 200 with *body*, or the head of one of *length* bytes."""
    size = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % size + body


def read_head(connection: socket.socket) -> tuple[str, bytes]:
    """A head without its empty line, and what came behind it. Raises EOFError at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def send(connection: socket.socket, head: bytes, size: int) -> None:
    """*head*, and *size* bytes behind it."""
    connection.sendall(head)
    while size:
        piece = _BLOCK[: min(size, PIECE)]
        connection.sendall(piece)
        size -= len(piece)


def skip(connection: socket.socket, size: int) -> int:
    """Read *size* bytes and forget them; how many came."""
    into, taken = bytearray(PIECE), 0
    while taken < size:
        count = connection.recv_into(into, min(PIECE, size - taken))
        if not count:
            break
        taken += count
    return taken


def exactly(connection: socket.socket, size: int) -> bytes:
    """*size* bytes. Raises EOFError where fewer come."""
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(PIECE, size - len(data)))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def frame(size: int, *, masked: bool) -> bytes:
    """The head of a binary message of *size* bytes. The mask is of zeros, so that the content stays as it is."""
    return struct.pack("!BBQ", 0x82, 127 | (0x80 if masked else 0), size) + (bytes(4) if masked else b"")


def message(connection: socket.socket) -> int:
    """Read one WebSocket frame; the length of its content. Raises EOFError at the end."""
    first, second = exactly(connection, 2)
    size = second & 0x7F
    if size >= 126:
        size = int.from_bytes(exactly(connection, 2 if size == 126 else 8))
    if second & 0x80:
        exactly(connection, 4)
    if skip(connection, size) != size:
        raise EOFError
    if first & 0x0F == 8:  # close
        raise EOFError
    return size


def echo(connection: socket.socket) -> None:
    """A message of the same size for each one that comes."""
    while size := message(connection):
        send(connection, frame(size, masked=False), size)


def opened(connection: socket.socket, host: str) -> socket.socket:
    """TLS through *connection*, whoever answers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


def to_proxy(port: int, host: str, *, secure: bool) -> socket.socket:
    """A connection through the proxy at *port*, by CONNECT and TLS where *secure*."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=_LIMIT)
    if not secure:
        return connection
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    head, _ = read_head(connection)
    assert " 200 " in head, head
    return opened(connection, host)


def request(method: str, host: str, path: str, *headers: str, secure: bool) -> bytes:
    """The head of a request, as it is sent to a proxy or within a tunnel."""
    target = path if secure else f"http://{host}{path}"
    return "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def download(connection: socket.socket, host: str, size: int, *, secure: bool) -> int:
    """How many bytes of a body of *size* came."""
    connection.sendall(request("GET", host, f"/{size}", secure=secure))
    head, rest = read_head(connection)
    assert " 200 " in head, head
    return len(rest) + skip(connection, size - len(rest))


def upload(connection: socket.socket, host: str, size: int, *, secure: bool) -> int:
    """How many bytes the server says it got of a body of *size*."""
    send(connection, request("PUT", host, "/", f"Content-Length: {size}", secure=secure), size)
    head, rest = read_head(connection)
    assert " 200 " in head, head
    length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
    return int(rest + exactly(connection, length - len(rest)))


def talk(connection: socket.socket, host: str, size: int, *, secure: bool) -> int:
    """How many bytes came back of *size* that were sent in WebSocket messages, one after another."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
    connection.sendall(request("GET", host, "/socket", *upgrade, secure=secure))
    head, _ = read_head(connection)
    assert " 101 " in head, head
    back = 0
    for _ in range(size // MESSAGE):
        send(connection, frame(MESSAGE, masked=True), MESSAGE)
        back += message(connection)
    return back
