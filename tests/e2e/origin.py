"""The origin behind the proxy: HTTP/1.1, HTTP/2 and WebSocket, with and without TLS, on loopback.

A counting relay stands before it, so that "no upstream connection" is measured and not believed.
"""

import asyncio
import datetime
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypercorn.asyncio import serve
from hypercorn.config import Config

CHUNK = b"0123456789abcdef" * 4096  # 64 KiB


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            await send({"type": "websocket.send", "text": f"echo {text}"})
        return
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    path = scope["path"]
    if path.startswith("/bytes/"):
        total = int(path.rpartition("/")[2])
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/octet-stream"), (b"content-length", str(total).encode())],
            }
        )
        while total:
            chunk = CHUNK[: min(total, len(CHUNK))]
            total -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": total > 0})
        return
    if path == "/slow":  # answers at once and never ends
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
        await receive()
        return
    body = f"<title>origin</title>origin {scope['http_version']} {scope['method']} {path} got {size} bytes\n".encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


class InThread:
    """A server with a loop and a thread of its own, between `start` and `stop`."""

    def __init__(self) -> None:
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def start(self) -> Self:
        self._thread.start()
        assert self._listening.wait(20), "the origin did not start"
        return self

    def stop(self) -> None:
        assert self._loop is not None and self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self.serve(self._listening.set, self._stop.wait)

    async def serve(self, listening: Callable[[], None], stopped: Callable[[], Awaitable[Any]]) -> None:
        """Open the ports, say that they are open, and serve until *stopped* comes back."""
        raise NotImplementedError


class Origin(InThread):
    """`connections` counts what reached it since `reset`."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.certificate, self.key = make_certificate(directory)
        self.connections = 0
        self.received = b""  # the first bytes of each connection, one after another
        self.hosts: set[str] = set()  # that requests named, since the start
        self.http_port = self.https_port = self.greeter_port = 0

    def reset(self) -> None:
        self.connections, self.received = 0, b""

    @property
    def fingerprint(self) -> bytes:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).fingerprint(hashes.SHA256())

    async def serve(self, listening: Callable[[], None], stopped: Callable[[], Awaitable[Any]]) -> None:
        config = Config()
        config.insecure_bind, config.bind = ["127.0.0.1:0"], ["127.0.0.1:0"]
        config.certfile, config.keyfile = str(self.certificate), str(self.key)
        config.accesslog = config.errorlog = None
        config.alpn_protocols = ["h2", "http/1.1"]
        config.graceful_timeout = 0.1
        config.keep_alive_timeout = 120  # seconds: whoever closes an idle connection in a test, it is not the origin
        sockets = config.create_sockets()
        config.create_sockets = lambda: sockets  # type: ignore[method-assign]
        plain, secure = sockets.insecure_sockets[0].getsockname()[1], sockets.secure_sockets[0].getsockname()[1]
        relays = [await self._relay(plain), await self._relay(secure)]
        greeter = await asyncio.start_server(self._greet, "127.0.0.1", 0)
        self.http_port, self.https_port = (relay.sockets[0].getsockname()[1] for relay in relays)
        self.greeter_port = greeter.sockets[0].getsockname()[1]
        listening()
        await serve(self._note, config, shutdown_trigger=stopped)

    async def _note(self, scope: Any, receive: Any, send: Any) -> None:
        self.hosts |= {
            value.decode("latin-1") for name, value in scope.get("headers", ()) if name in (b"host", b":authority")
        }
        await app(scope, receive, send)

    async def _relay(self, port: int) -> asyncio.Server:
        async def pipe(reader, writer, *, keep=False):
            try:
                while data := await reader.read(65536):
                    if keep and len(self.received) < 100_000:
                        self.received += data
                    writer.write(data)
                    await writer.drain()
            except OSError:
                pass
            finally:
                writer.close()

        async def accept(reader, writer):
            self.connections += 1
            upstream = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pipe(reader, upstream[1], keep=True), pipe(upstream[0], writer))

        return await asyncio.start_server(accept, "127.0.0.1", 0)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A server that speaks first, as mail and SSH do, and then echoes."""
        self.connections += 1
        try:
            writer.write(b"220 greeter ready\r\n")
            while data := await reader.read(65536):
                self.received += data
                writer.write(b"250 " + data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for a handful of names; the proxy under test does not verify it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "embargo test origin")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("innocent.test"), x509.DNSName("*.innocent.test")]), False
        )
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = directory / "origin.pem", directory / "origin.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


def client_context() -> ssl.SSLContext:
    """A client that takes any certificate: what it was shown is compared afterwards."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
