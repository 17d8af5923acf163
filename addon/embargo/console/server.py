"""The console's web server: cheroot, a thread a request, with what it lacks for a port that others can reach.

Chosen over waitress (no TLS, and a live view would wait in its output buffer) and gunicorn (no limit to how slowly a
request may come in). What is added: the TLS handshake happens in the thread that serves the connection, where a client
that stays silent holds up nobody else; a request that trickles in is cut off; headers whose names hold an underscore
are dropped, since WSGI takes `X_Remote_User` for `X-Remote-User`, and a proxy in front may not.
"""

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from cheroot import wsgi
from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest
from cheroot.ssl.builtin import BuiltinSSLAdapter

from embargo.console.access.proxy import CONNECTION

_LOG = logging.getLogger("embargo.console")
THREADS = 24  # of which `AccessSettings.tails` serve live views at most
_HEADERS = 10.0  # seconds in which request line and headers must have come
_BODY = 60.0  # seconds in which the body must have
_IDLE = 30  # seconds between two packets, and that a connection is kept for the next request
_LARGEST_HEADERS = 32 * 1024  # bytes
_LARGEST_BODY = 9 * 1024 * 1024  # bytes: the application's own bound is a little lower, and tells it better
_CHECK = 1.0  # seconds between two looks at what is late
_KEPT = 200  # connections that wait for their next request


class Deadlines:
    """Cuts connections off whose request has not come in by its time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[int, tuple[float, socket.socket]] = {}
        self._stopped = threading.Event()
        self.changed = threading.Event()  # something has been waited for

    @property
    def waiting(self) -> int:
        """How many requests are coming in."""
        with self._lock:
            return len(self._due)

    @contextmanager
    def within(self, seconds: float, connection: socket.socket) -> Iterator[None]:
        """Shut *connection* down if the body of this takes longer than *seconds*."""
        key = id(connection)
        with self._lock:
            self._due[key] = (monotonic() + seconds, connection)
        self.changed.set()
        try:
            yield
        finally:
            with self._lock:
                self._due.pop(key, None)

    def watch(self) -> None:
        """Look every second until `stop`."""
        while not self._stopped.wait(_CHECK):
            self.cut(monotonic())

    def cut(self, moment: float) -> None:
        """Shut down what was due before *moment*."""
        with self._lock:
            late = [connection for due, connection in self._due.values() if due < moment]
        for connection in late:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is gone already

    def stop(self) -> None:
        """End `watch`."""
        self._stopped.set()


class _Body:
    """A request's body, which has a time to come in."""

    def __init__(self, body: Any, deadlines: Deadlines, connection: socket.socket) -> None:
        self._body, self._deadlines, self._connection = body, deadlines, connection
        self._left = _BODY

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._body, name)
        return self._timed(found) if name in ("read", "readline", "readlines") else found

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _timed(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = monotonic()
            with self._deadlines.within(max(self._left, 0.0), self._connection):
                found = read(*arguments)
            self._left -= monotonic() - begun
            return found

        return timed


class _Headers(HeaderReader):
    def _allow_header(self, key_name: bytes) -> bool:
        allowed: bool = super()._allow_header(key_name)  # type: ignore[misc]  # which its stubs leave out
        return allowed and b"_" not in key_name


class _Request(HTTPRequest):
    header_reader = _Headers()

    def parse_request(self) -> None:
        with self.server.deadlines.within(_HEADERS, self.conn.socket):
            super().parse_request()


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request
    waited_for = False  # until it sent something

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known: dict[str, bool] = {}  # what the application finds out of it

    def close(self) -> None:
        super().close()
        if (left := getattr(self.wfile, "_write_buf", None)) is not None:
            left.clear()  # nobody takes it any more, and its writer would complain when it is collected


class _Gateway(wsgi.Gateway_10):
    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]  # its stubs say None
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ["wsgi.input"] = _Body(environ["wsgi.input"], self.req.server.deadlines, self.req.conn.socket)
        environ["SERVER_SOFTWARE"] = "embargo"
        environ["SERVER_PORT"] = str(self.req.conn.socket.getsockname()[1])
        environ[CONNECTION] = self.req.conn.known
        return environ


class _Tls(BuiltinSSLAdapter):
    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, {"wsgi.url_scheme": "https", "HTTPS": "on"}


class Server(wsgi.Server):
    """The server for *application* at *address*; with *certificate* and *key* (PEM files) it speaks TLS 1.2 and up.

    Raises OSError where the address is taken or the files cannot be read (ssl.SSLError is one).
    """

    ConnectionClass = _Connection
    max_request_header_size = _LARGEST_HEADERS
    max_request_body_size = _LARGEST_BODY
    keep_alive_conn_limit = _KEPT

    def __init__(
        self,
        application: Callable[..., Any],
        address: tuple[str, int],
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        threads: int = THREADS,
    ) -> None:
        super().__init__(
            address,
            application,
            numthreads=threads,
            max=threads,
            server_name="embargo",
            timeout=_IDLE,
            request_queue_size=128,
            shutdown_timeout=1,
        )
        self.gateway = _Gateway
        self.deadlines = Deadlines()
        if certificate is not None and key is not None:
            adapter = _Tls(str(certificate), str(key))
            adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
            self.ssl_adapter = adapter

    def process_conn(self, conn: _Connection) -> None:
        """Serve *conn*, once it has sent something: one that stays silent holds no thread."""
        if conn.waited_for:
            super().process_conn(conn)
        else:
            conn.waited_for = True
            self._connections.put(conn)  # type: ignore[attr-defined]  # which its stubs leave out

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Tell what we do wrong; what clients do, to TLS and to connections, is no news."""
        if level >= logging.ERROR and not isinstance(sys.exc_info()[1], OSError):
            _LOG.error("%s", msg, exc_info=traceback)

    def run(self) -> None:
        """Serve until `stop` is called from elsewhere; `prepare` has bound the address."""
        watcher = threading.Thread(target=self.deadlines.watch, name="deadlines", daemon=True)
        watcher.start()
        try:
            self.serve()
        finally:
            self.deadlines.stop()
