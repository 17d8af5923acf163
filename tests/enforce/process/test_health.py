import asyncio

import pytest

from embargo.enforce.process.health import HealthServer

ANSWERS = {  # case: (head of the request, trouble, first line, body)
    "well": (b"GET /healthz HTTP/1.1\r\nHost: x", None, "HTTP/1.1 200 OK", "ok\n"),
    "with a query": (b"GET /healthz?from=balancer HTTP/1.0", None, "HTTP/1.1 200 OK", "ok\n"),
    "without a body": (b"HEAD /healthz HTTP/1.1", None, "HTTP/1.1 200 OK", ""),
    "not well": (b"GET /healthz HTTP/1.1", "draining", "HTTP/1.1 503 Service Unavailable", "draining\n"),
    "not well, without a body": (b"HEAD /healthz HTTP/1.1", "draining", "HTTP/1.1 503 Service Unavailable", ""),
    "elsewhere": (b"GET / HTTP/1.1", None, "HTTP/1.1 404 Not Found", "only /healthz is here\n"),
    "a proxy's": (b"GET http://banned.test/ HTTP/1.1", None, "HTTP/1.1 404 Not Found", "only /healthz is here\n"),
    "a tunnel": (b"CONNECT banned.test:443 HTTP/1.1", None, "HTTP/1.1 404 Not Found", "only /healthz is here\n"),
    "another method": (
        b"POST /healthz HTTP/1.1", None, "HTTP/1.1 405 Method Not Allowed", "only GET and HEAD are answered\n",
    ),
    "no HTTP": (b"hello", None, "HTTP/1.1 400 Bad Request", "not HTTP/1\n"),
    "nothing": (b"", None, "HTTP/1.1 400 Bad Request", "not HTTP/1\n"),
}  # fmt: skip


@pytest.mark.parametrize(("head", "trouble", "line", "body"), ANSWERS.values(), ids=ANSWERS)
def test_answer(head: bytes, trouble: str | None, line: str, body: str) -> None:
    answer = asyncio.run(HealthServer(lambda: trouble).answer(head + b"\r\n\r\n")).decode()
    said, _, content = answer.partition("\r\n\r\n")
    first, *headers = said.split("\r\n")
    assert (first, content) == (line, body)
    assert {"Connection: close", "Cache-Control: no-store"} <= set(headers)
    assert ("Allow: GET, HEAD" in headers) == (" 405 " in first)


@pytest.mark.parametrize("sent", [b"GET /healthz HTTP/1.1\r\n", b"x" * 20_000], ids=["half a request", "too long"])
def test_what_is_no_request_is_closed(sent: bytes) -> None:
    async def ask() -> bytes:
        server = HealthServer(lambda: None)
        reader, writer = await asyncio.open_connection(*await server.start("127.0.0.1", 0))
        writer.write(sent)
        writer.write_eof()
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()
            server.stop()

    assert asyncio.run(ask()) == b""


def test_a_change_shows_at_once() -> None:
    troubles = ["worker 1 is starting", None]

    async def ask() -> list[bytes]:
        server = HealthServer(lambda: troubles.pop(0))
        address = await server.start("127.0.0.1", 0)
        answers = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
            answers.append((await reader.read()).split(b" ")[1])
            writer.close()
        server.stop()
        return answers

    assert asyncio.run(ask()) == [b"503", b"200"]
