"""A few pages over HTTP/1, for machines: balancers and Prometheus. No traffic of the proxy passes here.

Each connection is answered once and closed; nothing that a client sends is kept, and none of it but method, path and
headers is read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

PATIENCE = 5.0  # seconds for a whole request
MOST = 64  # requests at a time; more are closed, so that whoever opens them takes no descriptors from workers
_LONGEST = 8192  # bytes of a request's head
_WORDS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a page says."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def told(status: int, text: str, **headers: str) -> Reply:
    """A line of text."""
    return Reply(status, f"{text}\n".encode(), headers={name.replace("_", "-"): said for name, said in headers.items()})


# Makes a page for a request's headers, by lower-case name.
type Page = Callable[[Mapping[str, str]], Awaitable[Reply]]


class PageServer:
    """Answers GET and HEAD for pages, by path."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self.pages = dict(pages)
        self._server: asyncio.Server | None = None
        self._open = 0

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
        self._open += 1
        try:
            if self._open > MOST:
                return
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self.answer(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # no request of ours: closed
        finally:
            self._open -= 1
            writer.close()

    async def answer(self, head: bytes) -> bytes:
        """The whole answer to a request whose head is *head*."""
        first, *lines = head.split(b"\r\n")
        method, _, rest = first.partition(b" ")
        target, _, version = rest.rpartition(b" ")
        page = self.pages.get(target.partition(b"?")[0].decode("latin-1"))
        if not version.startswith(b"HTTP/1."):
            reply = told(400, "not HTTP/1")
        elif page is None:
            reply = told(404, f"only {', '.join(self.pages)} {'is' if len(self.pages) == 1 else 'are'} here")
        elif method not in (b"GET", b"HEAD"):
            reply = told(405, "only GET and HEAD are answered", Allow="GET, HEAD")
        else:
            reply = await page(_headers(lines))
        return _encoded(reply, with_body=method != b"HEAD")


def listening_address(text: str) -> tuple[str, int]:
    """Address and port of `[ADDRESS:]PORT`; of IPv6 in brackets, 127.0.0.1 by default. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535) or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r} is no [ADDRESS:]PORT; an IPv6 address stands in brackets.")
    return host.strip("[]") or "127.0.0.1", int(port)


def shown_address(address: tuple[str, int]) -> str:
    """*address* as a URL has it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _headers(lines: list[bytes]) -> dict[str, str]:
    found = (line.partition(b":") for line in lines if b":" in line)
    return {name.decode("latin-1").strip().lower(): said.decode("latin-1").strip() for name, _, said in found}


def _encoded(reply: Reply, *, with_body: bool) -> bytes:
    headers = {
        "Content-Type": reply.content_type,
        "Content-Length": str(len(reply.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **reply.headers,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {reply.status} {_WORDS[reply.status]}", *(f"{name}: {said}" for name, said in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (reply.body if with_body else b"")
