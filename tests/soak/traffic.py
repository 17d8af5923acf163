"""Clients of every kind at once, each of which knows what it must be answered.

A conversation is cut where its connection ends before the answer: right for those on a worker that is killed, and
wrong at any other time, which the one who reads `Seen` decides.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from clienthello import client_hello
from e2e.origin import client_context

BOUND = 30.0  # seconds for one exchange
BROWSER = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
TRANSFER = 4 * 1024 * 1024  # bytes
PAUSE = 0.05  # seconds between two conversations of a client, so that the machine is busy and not drowned

INNOCENT, BANNED = "innocent.test", "banned.test"
_HELLO = client_hello(f"www.{BANNED}")


class Cut(Exception):
    """The connection ended before the answer."""


@dataclass
class Seen:
    """What the clients saw. Times are monotonic, in seconds."""

    answers: list[tuple[float, str, float, bool]] = field(default_factory=list)  # when, kind, how long, refused
    cut: list[tuple[float, str, str]] = field(default_factory=list)  # when, kind, how
    wrong: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def exchange(self, kind: str, *, refused: bool = False) -> Iterator[None]:
        """One question with the answer that is due. Raises Cut."""
        begun = time.monotonic()
        try:
            yield
        except (OSError, EOFError, httpx.TransportError) as error:
            self.cut.append((time.monotonic(), kind, repr(error)))
            raise Cut from error
        except AssertionError as error:
            self.wrong.append(f"{kind}: {error}")
            raise Cut from error
        now = time.monotonic()
        self.answers.append((now, kind, now - begun, refused))


class Line:
    """A client's connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        self.writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await self.writer.drain()
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(answer.split()[1])
        length = answer.lower().partition("content-length: ")[2].partition("\r\n")[0]
        return status, await self.reader.readexactly(int(length or 0))

    async def get(self, host: str, path: str = "/", *, within: bool = False) -> int:
        """Status of the answer to a plain request; *within*: of a tunnel."""
        return (await self.ask(f"GET {path if within else f'http://{host}{path}'} HTTP/1.1\nHost: {host}"))[0]

    async def tunnel(self, host: str, *headers: str) -> int:
        """Status of the answer to a CONNECT."""
        return (await self.ask("\n".join([f"CONNECT {host}:443 HTTP/1.1", f"Host: {host}:443", *headers])))[0]

    async def secure(self, host: str) -> None:
        """TLS from here on."""
        await self.writer.start_tls(client_context(), server_hostname=host)


class Traffic:
    """Clients of the proxy at *port*, in a thread of their own for the time of a `with`."""

    def __init__(self, port: int, *, each: int, idle: int) -> None:
        """*each*: clients of a kind at a time; *idle*: connections that are held and say nothing."""
        self.seen = Seen()
        self.held = 0  # idle connections, at this time
        self._port, self._each, self._idle = port, each, idle
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        self._thread.join(2 * BOUND)
        assert not self._thread.is_alive(), "a client hangs"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as failure:
            self._failure = failure

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for kind in KINDS:
                for _ in range(self._each):
                    tasks.create_task(self._repeat(kind))
            tasks.create_task(self._hold())

    async def _repeat(self, kind: Callable[["Traffic"], Coroutine[Any, Any, None]]) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(Cut):
                await kind(self)
            await asyncio.sleep(PAUSE)

    async def _hold(self) -> None:
        """Idle connections, the oldest of which goes as a new one comes."""
        open_ones: list[asyncio.StreamWriter] = []
        try:
            while not self._stop.is_set():
                for _ in range(50):
                    with contextlib.suppress(OSError):
                        open_ones.append((await asyncio.open_connection("127.0.0.1", self._port))[1])
                    if len(open_ones) > self._idle:
                        open_ones.pop(0).close()
                self.held = sum(not writer.transport.is_closing() for writer in open_ones)
                await asyncio.sleep(0.2)
        finally:
            for writer in open_ones:
                writer.close()

    @contextlib.asynccontextmanager
    async def line(self) -> Any:
        """A connection that is closed in the end. Raises Cut where there is none."""
        with self.seen.exchange("connection"):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            async with asyncio.timeout(BOUND):
                yield Line(reader, writer)
        except TimeoutError:
            self.seen.wrong.append("nothing came for half a minute")
            raise Cut from None
        finally:
            writer.close()

    # -- the kinds

    async def kept(self) -> None:
        """Requests on one connection, the last of them banned."""
        async with self.line() as line:
            for _ in range(10):
                with self.seen.exchange("http, kept"):
                    assert await line.get(INNOCENT) == 200
            with self.seen.exchange("http, banned", refused=True):
                assert await line.get(BANNED) == 403

    async def new(self) -> None:
        """One request."""
        async with self.line() as line:
            with self.seen.exchange("http, new"):
                assert await line.get(INNOCENT) == 200

    async def opened(self) -> None:
        """TLS that the proxy opens; in the end a banned host within."""
        async with self.line() as line:
            with self.seen.exchange("https, handshake"):
                assert await line.tunnel(INNOCENT) == 200
                await line.secure(INNOCENT)
            for _ in range(5):
                with self.seen.exchange("https, opened"):
                    assert await line.get(INNOCENT, within=True) == 200
            with self.seen.exchange("https, banned host within", refused=True):
                assert await line.get(BANNED, within=True) == 403

    async def by_connect(self) -> None:
        async with self.line() as line:
            with self.seen.exchange("CONNECT", refused=True):
                assert await line.tunnel(BANNED) == 403

    async def by_alert(self) -> None:
        """A banned hello in a tunnel to an innocent name."""
        async with self.line() as line:
            with self.seen.exchange("https, handshake"):
                assert await line.tunnel(INNOCENT) == 200
            with self.seen.exchange("ClientHello", refused=True):
                line.writer.write(_HELLO)
                assert (await line.reader.readexactly(1)) == b"\x15"

    async def page(self) -> None:
        """A browser, which is shown the page."""
        async with self.line() as line:
            with self.seen.exchange("block page", refused=True):
                assert await line.tunnel(BANNED, BROWSER) == 200
                await line.secure(BANNED)
                assert await line.get(BANNED, within=True) == 403

    async def chat(self) -> None:
        """A WebSocket."""
        async with self.line() as line:
            with self.seen.exchange("WebSocket, upgrade"):
                head = f"GET http://{INNOCENT}/chat HTTP/1.1\nHost: {INNOCENT}\nUpgrade: websocket\nConnection: Upgrade"
                key = "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
                assert (await line.ask(f"{head}\n{key}"))[0] == 101
            for _ in range(20):
                with self.seen.exchange("WebSocket"):
                    line.writer.write(b"\x81\x85\0\0\0\0hello")  # the mask is of zeros
                    assert await line.reader.readexactly(12) == b"\x81\x0aecho hello"
                await asyncio.sleep(PAUSE)

    async def transfer(self) -> None:
        """A download and an upload."""
        async with self.line() as line:
            with self.seen.exchange("download"):
                assert await line.get(INNOCENT, f"/bytes/{TRANSFER}") == 200
            with self.seen.exchange("upload"):
                head = f"PUT http://{INNOCENT}/up HTTP/1.1\nHost: {INNOCENT}\nContent-Length: {TRANSFER}"
                _, body = await line.ask(head, bytes(TRANSFER))
                assert b"got %d bytes" % TRANSFER in body
        await asyncio.sleep(10 * PAUSE)

    async def http2(self) -> None:
        """HTTP/2, several streams at once."""
        proxy = f"http://127.0.0.1:{self._port}"
        async with httpx.AsyncClient(http2=True, proxy=proxy, verify=client_context(), timeout=BOUND) as client:
            with self.seen.exchange("HTTP/2"):
                answers = await asyncio.gather(*(client.get(f"https://{INNOCENT}/{path}") for path in range(4)))
                assert [(answer.status_code, answer.http_version) for answer in answers] == [(200, "HTTP/2")] * 4

    async def curl(self) -> None:
        """curl, once let through and once refused."""
        for host, status in ((INNOCENT, b"200"), (BANNED, b"000")):
            with self.seen.exchange("curl", refused=host == BANNED):
                command = ["curl", "-sSk", "--noproxy", "", "-x", f"http://127.0.0.1:{self._port}", "-o", "/dev/null"]
                command += ["--max-time", str(BOUND), "-w", "%{http_code} %{http_connect}", f"https://{host}/"]
                pipe = asyncio.subprocess.PIPE
                process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
                printed, said = await process.communicate()
                if process.returncode not in (0, 56) or (process.returncode == 56 and b" 403" not in printed):
                    raise EOFError(said.decode())
                assert printed.split()[0] == status, printed
        await asyncio.sleep(10 * PAUSE)

    async def impatient(self) -> None:
        """Asks and does not wait."""
        async with self.line() as line:
            line.writer.write(f"GET http://{BANNED}/ HTTP/1.1\r\nHost: {BANNED}\r\n\r\n".encode())
            line.writer.transport.abort()


KINDS = (
    Traffic.kept, Traffic.new, Traffic.opened, Traffic.by_connect, Traffic.by_alert, Traffic.page, Traffic.chat,
    Traffic.transfer, Traffic.http2, Traffic.curl, Traffic.impatient,
)  # fmt: skip
