"""Servers and clients of HTTP/3 and plain UDP; the servers count each datagram that reaches them."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.asyncio.client import connect
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated
from cryptography import x509
from cryptography.hazmat.primitives import hashes

PATIENCE = 5.0  # seconds: a bound on waiting for what never comes
_MARK = b"all that came before this has been read"


class _Http3(QuicConnectionProtocol):
    """Answers each request with its method, authority and path."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http: H3Connection | None = None

    def quic_event_received(self, event: Any) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is None:
            return
        for seen in self._http.handle_event(event):
            if isinstance(seen, HeadersReceived):
                headers = dict(seen.headers)
                body = b"origin h3 " + headers[b":authority"] + headers[b":path"]
                self._http.send_headers(seen.stream_id, [(b":status", b"200"), (b"server", b"origin")])
                self._http.send_data(seen.stream_id, body, end_stream=True)
        self.transmit()


class _Counted(QuicServer):
    def __init__(self, origin: "DatagramOrigin", **options: Any) -> None:
        super().__init__(**options)
        self._origin = origin

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        if self._origin.counts(data, addr):
            self._origin.datagrams += 1
        super().datagram_received(data, addr)


class _Echo(asyncio.DatagramProtocol):
    def __init__(self, origin: "DatagramOrigin") -> None:
        self._origin = origin

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._origin.counts(data, addr):
            self._origin.echoed.append(data)
        self._transport.sendto(data, addr)


class DatagramOrigin:
    """An HTTP/3 server and an echo, in a thread of their own, on loopback."""

    def __init__(self, certificate: Path, key: Path, *, quic_port: int = 0) -> None:
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        self._configuration.load_cert_chain(certificate, key)
        self.certificate = certificate
        self.quic_port, self.echo_port = quic_port, 0
        self.datagrams = 0  # that reached the HTTP/3 server
        self.echoed: list[bytes] = []
        self._senders: set[tuple[str, int]] = set()
        self._earlier: set[tuple[str, int]] = set()  # from before the last reset: what they still send is nobody's
        self._caught_up = threading.Event()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "DatagramOrigin":
        self._thread.start()
        assert self._ready.wait(20), "the origin did not start"
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def counts(self, datagram: bytes | str, sender: tuple[str, int]) -> bool:
        """Whether a datagram belongs to what came since the last reset."""
        if datagram == _MARK:
            self._caught_up.set()
            return False
        self._senders.add(sender)
        return sender not in self._earlier

    def reset(self) -> None:
        """Count anew, without what earlier senders sent, or send as long as they are open.

        Their ports are given to others once they are closed, so closed ones are forgotten.
        """
        for port in (self.quic_port, self.echo_port):
            self._caught_up.clear()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(_MARK, ("127.0.0.1", port))
                assert self._caught_up.wait(PATIENCE), "the origin did not read what had come"
        self._earlier = {sender for sender in self._senders if _is_open(sender)}
        self._senders = set(self._earlier)
        self.datagrams = 0
        self.echoed.clear()

    def _run(self) -> None:
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        quic, _ = await self._loop.create_datagram_endpoint(
            lambda: _Counted(self, configuration=self._configuration, create_protocol=_Http3),
            local_addr=("127.0.0.1", self.quic_port),
        )
        self.quic_port = quic.get_extra_info("sockname")[1]
        echo, _ = await self._loop.create_datagram_endpoint(lambda: _Echo(self), local_addr=("127.0.0.1", 0))
        self.echo_port = echo.get_extra_info("sockname")[1]


def _is_open(sender: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        try:
            attempt.bind(sender)
        except OSError:
            return True
    return False


@dataclass
class Answer:
    """What an HTTP/3 client saw."""

    status: int | None = None
    body: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    fingerprint: bytes | None = None  # of the certificate it was shown
    closed: int | None = None  # code of the CONNECTION_CLOSE, where one came


class Http3Client(QuicConnectionProtocol):
    """One connection, several requests."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http: H3Connection | None = None
        self._answers: dict[int, tuple[Answer, asyncio.Future[None]]] = {}
        self.closed: int | None = None

    async def get(self, authority: str, path: str = "/", *, patience: float = PATIENCE) -> Answer:
        assert self._http is not None
        stream = self._quic.get_next_available_stream_id()
        answer, done = Answer(), asyncio.get_running_loop().create_future()
        self._answers[stream] = answer, done
        headers = ((":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path))
        self._http.send_headers(stream, [(k.encode(), v.encode()) for k, v in headers], end_stream=True)
        self.transmit()
        await asyncio.wait_for(done, patience)
        certificate = self._quic.tls._peer_certificate
        answer.fingerprint = certificate.fingerprint(hashes.SHA256()) if certificate is not None else None
        answer.closed = self.closed
        return answer

    def quic_event_received(self, event: Any) -> None:
        if isinstance(event, ProtocolNegotiated):  # before the server's own streams, which its headers refer to
            self._http = H3Connection(self._quic)
        if isinstance(event, ConnectionTerminated):
            self.closed = event.error_code
            for _, done in self._answers.values():
                if not done.done():
                    done.set_result(None)
        if self._http is None:
            return
        for seen in self._http.handle_event(event):
            if seen.stream_id not in self._answers:
                continue
            answer, done = self._answers[seen.stream_id]
            if isinstance(seen, HeadersReceived):
                answer.headers = dict(seen.headers)
                answer.status = int(answer.headers[b":status"])
            elif isinstance(seen, DataReceived):
                answer.body += seen.data
            if seen.stream_ended and not done.done():
                done.set_result(None)


def configuration(sni: str, **options: Any) -> QuicConfiguration:
    """A client that takes any certificate."""
    given = {"alpn_protocols": H3_ALPN, "verify_mode": ssl.CERT_NONE, **options}
    return QuicConfiguration(is_client=True, server_name=sni, **given)


def http3_client(
    address: tuple[str, int], configuration: QuicConfiguration, protocol: Callable[..., Any] = Http3Client
) -> Any:
    """A connection, as an asynchronous context manager."""
    return connect(*address, configuration=configuration, create_protocol=protocol)


def http3(
    address: tuple[str, int],
    sni: str,
    *requests: tuple[str, str],
    patience: float = PATIENCE,
    **options: Any,
) -> list[Answer]:
    """The answers to *requests* (authority, path) on one connection; `closed` where the server closed it, and one
    without anything where nothing came.
    """

    async def main() -> list[Answer]:
        seen: list[Http3Client] = []

        def client(*arguments: Any, **more: Any) -> Http3Client:
            seen.append(Http3Client(*arguments, **more))
            return seen[0]

        try:
            async with (
                asyncio.timeout(patience),
                http3_client(address, configuration(sni, **options), client) as protocol,
            ):
                return [await protocol.get(authority, path) for authority, path in requests]
        except (ConnectionError, TimeoutError):
            return [Answer(closed=seen[0].closed if seen else None)]

    return asyncio.run(main())


def exchange(address: tuple[str, int], *datagrams: bytes, answers: int = 1, patience: float = 2.0) -> list[bytes]:
    """The first *answers* datagrams that come back for *datagrams*, from one socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(patience)
        client.connect(address)
        for datagram in datagrams:
            client.send(datagram)
        received: list[bytes] = []
        with contextlib.suppress(OSError):
            while len(received) < answers:
                received.append(client.recv(65_535))
        return received


def fingerprint(certificate: Path) -> bytes:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
