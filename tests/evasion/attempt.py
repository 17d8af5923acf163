"""One attempt: a client that tries to get something out, with names and places of its own, and what becomes of it."""

import contextlib
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum

from e2e.origin import client_context
from evasion.origin import WORKS
from evasion.places import BANNED, INNOCENT, literal, mark
from evasion.ways import Way

_CONTEXTS = threading.local()
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
PACE = 0.04  # seconds between pieces: a pace, so that the proxy sees them one by one


class Outcome(StrEnum):
    ANSWERED = "answered"  # by the origin
    REFUSED = "refused"  # with an alert, a status, a reset stream
    CLOSED = "closed"
    HUNG = "hung"  # neither within the bound


@dataclass
class Attempt:
    """What a case is given."""

    number: int
    way: Way
    innocent: bool  # whether this is the innocent twin
    bound: float  # seconds that an answer may take
    ports: list[int] = field(default_factory=list)  # of the client's connections, as records tell them
    said: bytes = b""  # the last thing that came
    _connections: list[socket.socket] = field(default_factory=list)

    @property
    def secret(self) -> str:
        """What must not get out."""
        return f"secret-{mark(self.number)}"

    @property
    def name(self) -> str:
        """What the policy bans, or for the twin a look-alike that it does not."""
        return f"{mark(self.number)}.{'notbanned' if self.innocent else 'banned'}.test"

    @property
    def cover(self) -> str:
        """An innocent name beside it."""
        return f"c{self.number:05}z.innocent.test"

    @property
    def address(self) -> str:
        """The literal address that the policy bans, or its twin."""
        return literal(self.number, INNOCENT if self.innocent else BANNED)

    @property
    def cover_address(self) -> str:
        return literal(self.number, INNOCENT)

    def fill(self, piece: str | bytes) -> bytes:
        """*piece* with names and secret in its places."""
        if isinstance(piece, bytes):
            return piece
        head, _, tail = self.name.partition(".")
        quads = [int(part) for part in self.address.split(".")]
        words = {
            "name": self.name, "NAME": self.name.upper(), "Name": self.name.title(), "secret": self.secret,
            "cover": self.cover, "address": self.address,
            "wide": "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in self.name),
            "stops": self.name.replace(".", "。"), "escaped": self.name.replace(".", "%2e"),
            "decimal": str(int.from_bytes(bytes(quads))), "hex": f"0x{bytes(quads).hex()}",
            "octal": f"0{quads[0]:o}.0{quads[1]:o}.{quads[2]}.{quads[3]}",
            "mixed": f"0x{quads[0]:x}.{quads[1]}.0x{quads[2]:X}.{quads[3]}",
            "short": f"{quads[0]}.{quads[1]}.{quads[2] << 8 | quads[3]}",
            "mapped": f"[::ffff:{self.address}]",
            "mappedhex": f"[::FFFF:{bytes(quads[:2]).hex()}:{bytes(quads[2:]).hex()}]",
            "half": head, "rest": "." + tail,
        }  # fmt: skip
        return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], piece).encode()

    # -- ways in

    def open(self, port: int, *, host: str | None = None) -> socket.socket:
        """A stream to *host*, by default the cover, as this mode makes one. Raises Refusal."""
        host = host or (self.cover_address if self.way.by_address else self.cover)
        connection = self.dial(host, port)
        self.way.enter(connection, host, port)
        connection.settimeout(self.bound)
        return connection

    def dial(self, host: str = "", port: int = 0) -> socket.socket:
        """A connection to the proxy itself."""
        connection = self.way.dial(host, port)
        self.ports.append(connection.getsockname()[1])
        self._connections.append(connection)
        connection.settimeout(self.bound)
        return connection

    def end(self) -> None:
        """Close whatever is still open."""
        for connection in self._connections:
            connection.close()

    def tls(self, connection: socket.socket, name: str | None = None, *alpn: str) -> ssl.SSLSocket:
        """TLS over *connection*; by default it names the cover."""
        contexts = _CONTEXTS.__dict__.setdefault("by_alpn", {})
        if alpn not in contexts:
            contexts[alpn] = client_context()
            if alpn:
                contexts[alpn].set_alpn_protocols(list(alpn))
        return contexts[alpn].wrap_socket(connection, server_hostname=name or self.cover, suppress_ragged_eofs=True)

    # -- what becomes of it

    def send(self, connection: socket.socket, *pieces: str | bytes, end: bool = False) -> None:
        """Send *pieces* so that each is a segment of its own."""
        connection_is_tls = isinstance(connection, ssl.SSLSocket)
        if not connection_is_tls:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # refused already
            for index, piece in enumerate(pieces):
                if index:
                    time.sleep(PACE)
                connection.sendall(self.fill(piece))
            if end and not connection_is_tls:
                connection.shutdown(socket.SHUT_WR)

    def wait(self, connection: socket.socket, end: bytes = WORKS) -> None:
        """Read until *end* has come."""
        data = b""
        while end not in data:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError(f"closed after {data[:200]!r}")
            data += piece

    def outcome(self, connection: socket.socket, answers: int = 1) -> Outcome:
        """Read until it is plain what became of what was sent: *answers* from the origin, a refusal, an end."""
        data, deadline = b"", time.monotonic() + self.bound
        try:
            while time.monotonic() < deadline:
                piece = connection.recv(65536)
                data += piece
                self.said = data
                statuses = [int(status) for status in _STATUS.findall(data)]
                if any(status >= 400 for status in statuses) or b"grpc-status: 7" in data or data[:2] == b"\x15\x03":
                    return Outcome.REFUSED
                if data.count(WORKS) >= answers or data[:2] == b"\x16\x03":
                    return Outcome.ANSWERED
                if not piece:
                    return Outcome.CLOSED
        except TimeoutError:
            return Outcome.HUNG
        except OSError as error:
            self.said = data + repr(error).encode()
            return Outcome.REFUSED if isinstance(error, ssl.SSLError) else Outcome.CLOSED
        finally:
            connection.close()
        return Outcome.HUNG
