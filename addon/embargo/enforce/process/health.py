"""The health endpoint for balancers: `GET /healthz` is 200 while what is banned is refused and recorded, else 503.

Served by the supervisor, on a port of its own: no traffic of the proxy passes here, and none of it delays the answer.
"""

import asyncio
from collections.abc import Callable

PATH = "/healthz"
PATIENCE = 5.0  # seconds for a whole request
_LONGEST = 8192  # bytes of a request's head
_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class HealthServer:
    """Answers each connection once and closes it."""

    def __init__(self, trouble: Callable[[], str | None]) -> None:
        """*trouble*: why the proxy is not to be sent clients, in a line; None where all is well."""
        self._trouble = trouble
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; the address that it came to be. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_LONGEST)
        found = self._server.sockets[0].getsockname()
        return str(found[0]), int(found[1])

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # no request of ours: closed
        finally:
            writer.close()

    def answer(self, head: bytes) -> bytes:
        """The whole answer to a request whose head is *head*."""
        method, _, rest = head.partition(b" ")
        target, _, version = rest.partition(b"\r\n")[0].rpartition(b" ")
        status, text = 400, "not HTTP/1"
        if version.startswith(b"HTTP/1."):
            if target.partition(b"?")[0] != PATH.encode():
                status, text = 404, f"only {PATH} is here"
            elif method not in (b"GET", b"HEAD"):
                status, text = 405, "only GET and HEAD are answered"
            else:
                trouble = self._trouble()
                status, text = (200, "ok") if trouble is None else (503, trouble)
        body = f"{text}\n".encode()
        allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
        line = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n{allow}Connection: close\r\n\r\n"
        )
        return line.encode() + (b"" if method == b"HEAD" else body)
