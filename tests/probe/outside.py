"""All that a company would not want its clients to reach directly: HTTP, HTTPS, QUIC, DNS, on one address."""

import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from e2e.origin import make_certificate

LONGEST = 60.0  # seconds: a bound, never a measure


def reported(command: Sequence[str], *, timeout: float = LONGEST, **options: Any) -> tuple[int, dict[str, Any]]:
    """Exit code of *command*, and the JSON that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


class Outside:
    """Servers on *address*; they also answer at the ports of the real services where *well_known*."""

    def __init__(self, directory: Path, address: str = "127.0.0.1", *, well_known: bool = False) -> None:
        certificate, key = make_certificate(directory)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._address = address
        self._listeners: list[socket.socket] = []
        self._servers: list[http.server.ThreadingHTTPServer] = []
        self.http = self._web(80 if well_known else 0)
        self.https = self._secure(443 if well_known else 0)
        self._udp(self.https, lambda data: b"\x80" + bytes(4) + data[5:24] + b"\0\0\0\1")
        self.dns = self._udp(53 if well_known else 0, _answered)
        self._dns_tcp()
        self.dot = self.https
        if well_known:
            self.dot = self._secure(853)
            self._udp(853, lambda data: b"\x80" + bytes(4) + data[5:24] + b"\0\0\0\1")

    def _web(self, port: int) -> int:
        server = http.server.ThreadingHTTPServer((self._address, port), _Web)
        return self._started(server)

    def _secure(self, port: int) -> int:
        server = http.server.ThreadingHTTPServer((self._address, port), _Web)
        server.socket = self._context.wrap_socket(server.socket, server_side=True)
        return self._started(server)

    def _started(self, server: http.server.ThreadingHTTPServer) -> int:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return int(server.server_address[1])

    def _udp(self, port: int, answer: Callable[[bytes], bytes]) -> int:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((self._address, port))

        def serve() -> None:
            while True:
                try:
                    data, peer = listener.recvfrom(65535)
                    listener.sendto(answer(data), peer)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        self._listeners.append(listener)
        return int(listener.getsockname()[1])

    def _dns_tcp(self) -> None:
        listener = socket.create_server((self._address, self.dns))

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(LONGEST)
                    answer = _answered(connection.recv(65535)[2:])
                    connection.sendall(len(answer).to_bytes(2) + answer)

        threading.Thread(target=serve, daemon=True).start()
        self._listeners.append(listener)

    def stop(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for listener in self._listeners:
            listener.close()


class _Web(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    do_GET = do_HEAD

    def do_CONNECT(self) -> None:
        self.send_response(403)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def _answered(query: bytes) -> bytes:
    return query[:2] + b"\x81\x83" + query[4:]
