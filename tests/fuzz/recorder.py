"""An origin that keeps every byte and refuses nothing: what reaches it is what got out.

Its plain port answers whatever looks like the end of a head; its TLS port speaks HTTP/1.1 and HTTP/2 inside, and
keeps both what came on the wire and what it found within.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from e2e.origin import InThread, make_certificate

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Recorder(InThread):
    """`taken` are the bytes of each connection since `reset`, by what they are."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*make_certificate(directory))
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self.taken: list[bytearray] = []
        self.http_port = self.https_port = 0

    def reset(self) -> None:
        self.taken = []

    async def serve(self, listening: Callable[[], None], stopped: Callable[[], Awaitable[Any]]) -> None:
        plain = await asyncio.start_server(self._plain, "127.0.0.1", 0)
        secure = await asyncio.start_server(self._secure, "127.0.0.1", 0)
        self.http_port, self.https_port = (server.sockets[0].getsockname()[1] for server in (plain, secure))
        listening()
        await stopped()

    def _keep(self) -> bytearray:
        self.taken.append(bytearray())
        return self.taken[-1]

    async def _plain(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaker = _Http1(self._keep())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(speaker.take(data))
        writer.close()

    async def _secure(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept, inside = self._keep(), self._keep()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        speaker: _Http1 | _Http2 | None = None
        with contextlib.suppress(OSError, ssl.SSLError):
            while data := await reader.read(65536):
                kept += data
                incoming.write(data)
                try:
                    if speaker is None:
                        tls.do_handshake()
                        speaker = _Http2(inside) if tls.selected_alpn_protocol() == "h2" else _Http1(inside)
                    while True:
                        answer = speaker.take(tls.read(65536))
                        if answer:
                            tls.write(answer)
                except ssl.SSLWantReadError:
                    pass
                finally:
                    writer.write(outgoing.read())
        writer.close()


class _Http1:
    def __init__(self, kept: bytearray) -> None:
        self._kept = kept
        self._answered = 0

    def take(self, data: bytes) -> bytes:
        self._kept += data
        heads = len(_BLANK_LINE.findall(self._kept))
        answer, self._answered = ANSWER * (heads > self._answered), heads
        return answer


class _Http2:
    def __init__(self, kept: bytearray) -> None:
        self._kept = kept
        lenient = h2.config.H2Configuration(
            client_side=False, validate_inbound_headers=False, header_encoding=None, normalize_inbound_headers=False
        )
        self._connection = h2.connection.H2Connection(lenient)
        self._connection.initiate_connection()

    def take(self, data: bytes) -> bytes:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            for event in self._connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    for name, value in event.headers:  # as HTTP/1 says it, so that one reader reads both
                        key = {b":authority": b"Host"}.get(name, name)
                        self._kept += b"\r\n" + key + b": " + value if key[:1] != b":" else b"\r\n" + value
                    self._kept += b"\r\n\r\n"
                elif isinstance(event, h2.events.StreamEnded):
                    self._connection.send_headers(event.stream_id, [(":status", "200")])
                    self._connection.send_data(event.stream_id, b"ok", end_stream=True)
        return self._connection.data_to_send()
