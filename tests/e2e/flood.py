"""Many connections at once: an asyncio client that is refused thousands of times a second, and one that idles."""

import asyncio
import resource
from collections.abc import Callable, Coroutine
from typing import Any

from clienthello import client_hello

HELLO = client_hello("www.banned.test")
GET = b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n"
CONNECT = b"CONNECT banned.test:443 HTTP/1.1\r\nHost: banned.test:443\r\n\r\n"
TUNNEL = b"CONNECT innocent.test:443 HTTP/1.1\r\nHost: innocent.test:443\r\n\r\n"
BOUND = 20.0  # seconds for one exchange

type Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def by_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A plain request: 403."""
    writer.write(GET)
    assert b" 403 " in await reader.readuntil(b"\r\n")


async def by_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A CONNECT: 403."""
    writer.write(CONNECT)
    assert b" 403 " in await reader.readuntil(b"\r\n")


async def by_alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A ClientHello in a tunnel to an innocent name: a TLS alert, and the end."""
    writer.write(TUNNEL)
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(HELLO)
    assert (await reader.read())[:1] == b"\x15"


async def aborted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A client that asks and does not wait for the answer: a reset."""
    writer.write(GET)
    await writer.drain()
    writer.transport.abort()


async def refused(port: int, way: Way, count: int, at_once: int) -> None:
    """*count* connections that are refused by *way*, *at_once* of them side by side."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            async with asyncio.timeout(BOUND):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    await way(reader, writer)
                finally:
                    writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(work())


async def idle(port: int, count: int, first: bytes) -> list[asyncio.StreamWriter]:
    """*count* connections that send *first*, and then nothing."""
    open_ones: list[asyncio.StreamWriter] = []
    for start in range(0, count, 100):
        async with asyncio.timeout(BOUND):
            pairs = await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", port) for _ in range(min(100, count - start)))
            )
        for _, writer in pairs:
            if first:
                writer.write(first)
            open_ones.append(writer)
    return open_ones


def allow_many_files(count: int) -> None:
    """Raise our own limit of open files. As root also the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
