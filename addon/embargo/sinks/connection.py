"""A TCP connection to a receiver, inside TLS where its address says so; every failure is Unreachable."""

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator

from embargo.core.sink import Sink
from embargo.sinks.receiver import PATIENCE, Unreachable, tls_context

_ACKNOWLEDGED = 0.01  # seconds between looks whether the peer's system has all
_READ = 1 << 16  # bytes


class Connection:
    """Open from its making to `close`."""

    def __init__(self, sink: Sink, patience: float = PATIENCE) -> None:
        """Raises Unreachable."""
        context = tls_context(sink) if sink.to.transport.is_encrypted else None
        self._patience = patience
        self._unread = b""
        with _told(f"{sink.to.host}:{sink.to.port}"):
            self._plain = socket.create_connection((sink.to.host, sink.to.port), timeout=patience)
            self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            try:
                self._socket = (
                    self._plain
                    if context is None
                    else context.wrap_socket(self._plain, server_hostname=sink.to.host, suppress_ragged_eofs=True)
                )
            except BaseException:
                self._plain.close()
                raise

    def send(self, data: bytes) -> None:
        """Hand *data* to the system. Raises Unreachable."""
        with _told("sending"):
            self._socket.sendall(data)

    def settle(self) -> None:
        """Return when the peer's system has acknowledged all that was sent (not: its program). Raises Unreachable."""
        deadline = time.monotonic() + self._patience
        while self._outstanding():
            if self.ended():
                raise Unreachable("the receiver closed the connection")
            if time.monotonic() > deadline:
                raise Unreachable("the receiver acknowledges nothing")
            time.sleep(_ACKNOWLEDGED)
        if self.ended():
            raise Unreachable("the receiver closed the connection")

    def receive(self) -> bytes:
        """Some bytes, at least one. Raises Unreachable."""
        with _told("waiting for an answer"):
            data = self._socket.recv(_READ)
        if not data:
            raise Unreachable("the receiver closed the connection")
        return data

    def ended(self) -> bool:
        """Whether the peer has closed it: a log receiver sends nothing else that matters."""
        try:
            if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                return False
            if not select.select([self._socket], [], [], 0)[0]:
                return False
            self._socket.settimeout(0)
            try:
                return not self._socket.recv(_READ)  # of a TLS session also its tickets, which are no data
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            finally:
                self._socket.settimeout(self._patience)
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Close it, whatever state it is in."""
        with contextlib.suppress(OSError):
            self._plain.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()

    def _outstanding(self) -> int:
        """Bytes that the peer's system has not acknowledged; 0 where this system does not tell."""
        try:
            answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
        except OSError:
            return 0
        return int(struct.unpack("i", answer)[0])


@contextlib.contextmanager
def _told(doing: str) -> Iterator[None]:
    """Failures of the network as Unreachable."""
    try:
        yield
    except TimeoutError as failure:
        raise Unreachable(f"{doing}: no answer in time") from failure
    except ssl.SSLCertVerificationError as failure:
        raise Unreachable(f"{doing}: its certificate is refused: {failure.verify_message}") from failure
    except (OSError, UnicodeError) as failure:
        raise Unreachable(f"{doing}: {getattr(failure, 'strerror', None) or failure}") from failure
