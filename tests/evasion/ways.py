"""The ways through a proxy, one for each mode: how a client there gets a stream to a place."""

import socket
from dataclasses import dataclass, field
from typing import Protocol

PATIENCE = 8.0  # seconds for the proxy's own answers


class Refusal(Exception):
    """The proxy would not open a stream; it said so, or closed."""


class Way(Protocol):
    """How clients of one mode reach a place."""

    mode: str
    by_address: bool  # whether the client names an address and no host

    def dial(self, host: str = "", port: int = 0) -> socket.socket:
        """A connection to the proxy itself, or on which it listens in for one to *host*."""
        ...

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        """Make *connection* a stream to *host*. Raises Refusal, TimeoutError."""
        ...


@dataclass
class Dialled:
    """A proxy that listens on a port of its own; no two connections through it come from the same port."""

    mode: str
    port: int
    by_address: bool = False
    used: set[int] = field(default_factory=set)

    def dial(self, host: str = "", port: int = 0) -> socket.socket:
        while True:
            connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            source = connection.getsockname()[1]
            if source not in self.used:
                self.used.add(source)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            connection.close()

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        raise NotImplementedError


class Explicit(Dialled):
    """regular and upstream: CONNECT."""

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                break
            head += byte
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refusal(head)


class Socks(Dialled):
    """SOCKS 5 (RFC 1928), without authentication."""

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        connection.sendall(b"\x05\x01\x00")
        connection.recv(2)
        if host.replace(".", "").isdigit():
            address = b"\x01" + socket.inet_aton(host)
        else:
            address = b"\x03" + bytes([len(host)]) + host.encode()
        connection.sendall(b"\x05\x01\x00" + address + port.to_bytes(2))
        reply = connection.recv(10)
        if reply[:2] != b"\x05\x00":
            raise Refusal(reply)


class Reverse(Dialled):
    """A fixed target: whatever the client wants, it gets there."""

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        pass
