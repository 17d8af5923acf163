"""The web server: what one client does, or does not do, must not hold up another."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from console.signed_in import a_console
from embargo.console import context
from embargo.console.context import Busy, Console
from embargo.console.server import Server

type Environment = dict[str, Any]
PATIENCE = 10.0  # seconds that a test waits before it fails
HELLO = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def echo(environ: Environment, start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with the user header that it sees, and with the body's length."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ.get('HTTP_X_REMOTE_USER')} {len(body)} {environ['wsgi.url_scheme']}".encode()]


@contextmanager
def serving(application: Callable[..., Any], **options: Any) -> Iterator[Server]:
    server = Server(application, ("127.0.0.1", 0), **options)
    server.prepare()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def connect(server: Server) -> socket.socket:
    return socket.create_connection(server.bind_addr, PATIENCE)


def answer(connection: socket.socket, request: bytes = HELLO) -> str:
    connection.sendall(request)
    return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


def test_it_answers() -> None:
    with serving(echo) as server, connect(server) as connection:
        found = answer(connection)
    assert found.startswith("HTTP/1.1 200 OK")
    assert "None 0 http" in found
    assert "Server: embargo" in found


def test_an_underscore_makes_no_header() -> None:
    request = HELLO.replace(b"Connection", b"X_Remote_User: root\r\nConnection")
    with serving(echo) as server, connect(server) as connection:
        assert "None 0" in answer(connection, request)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One for localhost, that signs itself, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "chain.pem").write_bytes(made.public_bytes(pem))
    (directory / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "chain.pem", directory / "key.pem"


def test_it_speaks_tls(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with serving(echo, certificate=certificate[0], key=certificate[1]) as server:
        with context.wrap_socket(connect(server), server_hostname="localhost") as connection:
            assert "None 0 https" in answer(connection)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with context.wrap_socket(connect(server), server_hostname="localhost") as connection:
            assert "None 0 https" in answer(connection)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_of_old_is_refused(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        serving(echo, certificate=certificate[0], key=certificate[1]) as server,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(connect(server))


def test_who_stays_silent_holds_up_nobody(certificate: tuple[Path, Path]) -> None:
    """More silent connections than threads, before and in the middle of a handshake, and one that is served."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with serving(echo, certificate=certificate[0], key=certificate[1], threads=4) as server:
        silent = [connect(server) for _ in range(20)]
        begun = monotonic()
        with context.wrap_socket(connect(server), server_hostname="localhost") as connection:
            assert "None 0 https" in answer(connection)
        assert monotonic() - begun < PATIENCE
        for each in silent:
            each.close()


TRICKLES = {  # case: what comes of a request before it stops
    "in the request line": b"GET / HT",
    "in the headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A",
    "in the body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
}


@pytest.mark.parametrize("begun", TRICKLES.values(), ids=TRICKLES)
def test_a_request_that_trickles_in_is_cut_off(begun: bytes) -> None:
    with serving(echo, threads=1) as server, connect(server) as slow:
        slow.sendall(begun)
        deadline = monotonic() + PATIENCE
        while not server.deadlines.waiting and monotonic() < deadline:
            server.deadlines.changed.wait(0.05)
        server.deadlines.cut(monotonic() + 3_600)
        with connect(server) as connection:
            assert "200 OK" in answer(connection), "the only thread is free again"


def test_what_is_pushed_arrives_at_once_and_ends_with_its_reader() -> None:
    more, closed = threading.Event(), threading.Event()

    def pushing(environ: Environment, start: Callable[..., Any]) -> Iterator[bytes]:
        start("200 OK", [("Content-Type", "text/event-stream")])
        try:
            yield b"data: first\n\n"
            more.wait(PATIENCE)
            for _ in range(10_000):  # until the other end's reset is noticed
                yield b"data: " + b"x" * 10_000 + b"\n\n"
        finally:
            closed.set()

    with serving(pushing) as server:
        connection = connect(server)
        connection.sendall(HELLO)
        seen = b""
        while b"data: first" not in seen:
            part = connection.recv(4_096)
            assert part, seen
            seen += part
        connection.close()
        more.set()
        assert closed.wait(PATIENCE), "a reader that left holds no thread"


def test_live_views_are_bounded(tmp_path: Path) -> None:
    console: Console = a_console(tmp_path, tails=2).extensions[context.KEY]
    with console.tail("a"):
        with console.tail("b"), pytest.raises(Busy), console.tail("c"):
            pass
        with console.tail("d"):
            pass
