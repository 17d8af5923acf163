import asyncio

import pytest

from embargo.enforce.process.health import HealthServer
from embargo.enforce.process.pages import PageServer, Reply, told


async def _page(headers) -> Reply:
    return told(200, headers.get("x-said", "nothing said"))


REPLIES = {  # case: (head of the request, status, body)
    "a page": (b"GET /metrics HTTP/1.1\r\nHost: x", 200, "nothing said\n"),
    "its headers": (b"GET /metrics HTTP/1.1\r\nX-SAID:  hello ", 200, "hello\n"),
    "with a query": (b"GET /metrics?x=1 HTTP/1.1", 200, "nothing said\n"),
    "without a body": (b"HEAD /metrics HTTP/1.1", 200, ""),
    "elsewhere": (b"GET / HTTP/1.1", 404, "only /healthz, /metrics are here\n"),
    "a path below": (b"GET /metrics/x HTTP/1.1", 404, "only /healthz, /metrics are here\n"),
    "another method": (b"PUT /metrics HTTP/1.1", 405, "only GET and HEAD are answered\n"),
    "bytes that are no text": (b"GET /\xff\xfe HTTP/1.1", 404, "only /healthz, /metrics are here\n"),
}


@pytest.mark.parametrize(("head", "status", "body"), REPLIES.values(), ids=REPLIES)
def test_answer(head: bytes, status: int, body: str) -> None:
    server = HealthServer(lambda: None, {"/metrics": _page})
    said, _, content = asyncio.run(server.answer(head + b"\r\n\r\n")).decode().partition("\r\n\r\n")
    assert (int(said.split(" ")[1]), content) == (status, body)


def test_a_page_that_takes_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.enforce.process.pages.PATIENCE", 0.05)

    async def endless(_headers) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    async def ask() -> bytes:
        server = PageServer({"/": endless})
        reader, writer = await asyncio.open_connection(*await server.start("127.0.0.1", 0))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()
            server.stop()

    assert asyncio.run(ask()) == b""


def test_no_more_are_answered_at_a_time_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.enforce.process.pages.MOST", 1)

    async def ask() -> tuple[bytes, bytes]:
        held = asyncio.Event()

        async def slow(_headers) -> Reply:
            await held.wait()
            return told(200, "ok")

        server = PageServer({"/": slow})
        address = await server.start("127.0.0.1", 0)
        first, one = await asyncio.open_connection(*address)
        one.write(b"GET / HTTP/1.1\r\n\r\n")
        second, other = await asyncio.open_connection(*address)
        refused = await second.read()
        held.set()
        answered = await first.read()
        for writer in (one, other):
            writer.close()
        server.stop()
        return answered, refused

    answered, refused = asyncio.run(ask())
    assert b"200 OK" in answered
    assert refused == b""
