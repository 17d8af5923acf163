"""Load: one operation at a time through a proxy, each checked for the outcome it must have."""

import socket
import ssl
from collections.abc import Callable

REQUEST = "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
TIMEOUT = 20.0


class WrongOutcome(AssertionError):
    """What was timed is not what was meant: a leak, a false hit, an error."""


class Closed(WrongOutcome):
    """The connection was closed in place of an answer."""


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


CONTEXT = _context()


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def exchange(client: socket.socket, request: str) -> int:
    """Send, read the whole answer, return its status."""
    client.sendall(request.encode())
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := client.recv(65536)):
            raise Closed(f"closed after {data[:80]!r}")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        if not (chunk := client.recv(65536)):
            raise Closed("closed within the body")
        body += chunk
    return int(head.split(b" ", 2)[1])


def expect(status: int, wanted: int) -> None:
    if status != wanted:
        raise WrongOutcome(f"status {status}, wanted {wanted}")


def http_kept(port: int, hosts: Callable[[], str], count: int, wanted: int = 200) -> None:
    with connect(port) as client:
        for _ in range(count):
            host = hosts()
            expect(exchange(client, REQUEST.format(target=f"http://{host}/", host=host)), wanted)


def http_new(port: int, hosts: Callable[[], str], count: int, wanted: int = 200) -> None:
    for _ in range(count):
        http_kept(port, hosts, 1, wanted)


def https_new(port: int, hosts: Callable[[], str], count: int, issuer: bytes | None = None) -> None:
    """CONNECT, TLS, one request. *issuer*: what the certificate must (or, with "!" before it, must not) hold."""
    for _ in range(count):
        host = hosts()
        with connect(port) as client:
            expect(exchange(client, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n"), 200)
            with CONTEXT.wrap_socket(client, server_hostname=host) as secure:
                if issuer is not None:
                    shown = secure.getpeercert(binary_form=True) or b""
                    if (issuer.lstrip(b"!") in shown) is issuer.startswith(b"!"):
                        raise WrongOutcome("the certificate is not the one expected")
                expect(exchange(secure, REQUEST.format(target="/", host=host)), 200)


def connect_refused(port: int, hosts: Callable[[], str], count: int) -> None:
    for _ in range(count):
        host = hosts()
        with connect(port) as client:
            status = exchange(client, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n")
            expect(status, 403)


def connect_blocked_inside(port: int, hosts: Callable[[], str], count: int) -> None:
    """mitmproxy's block_list refuses only inside TLS, after both handshakes."""
    for _ in range(count):
        host = hosts()
        with connect(port) as client:
            expect(exchange(client, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n"), 200)
            with CONTEXT.wrap_socket(client, server_hostname=host) as secure:
                expect(exchange(secure, REQUEST.format(target="/", host=host)), 403)
