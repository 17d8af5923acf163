"""A trap tells that it was reached, and by what; a channel loses nothing."""

import asyncio

import pytest

from embargo.probe.channel import ANSWER, HANDSHAKE_FAILURE, opened, trap
from embargo.probe.hello import client_hello, record

SENT = {
    "a ClientHello": (record(client_hello("a.test")), HANDSHAKE_FAILURE),
    "a request": (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", ANSWER),
}


@pytest.mark.parametrize(("sent", "answer"), SENT.values(), ids=SENT)
def test_trap(sent: bytes, answer: bytes) -> None:
    async def main() -> tuple[bytes, bytes]:
        async with trap("127.0.0.1", bind="127.0.0.1") as net, opened(net.address) as channel:
            channel.send(sent)
            await channel.until(len(answer))
            return bytes(net.received), bytes(channel.received)

    assert asyncio.run(main()) == (sent, answer)


ANSWERS = {
    "a body": (b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", (403, b"no")),
    "no body": (b"HTTP/1.1 200 OK\r\n\r\n", (200, b"")),
    "a body that is cut": (b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nno", (403, b"no")),
    "a head that is cut": (b"HTTP/1.1 403 No\r\nContent-Le", None),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", None),
    "no status": (b"HTTP/1.1\r\n\r\n", None),
    "nothing": (b"", None),
}


@pytest.mark.parametrize(("answer", "read"), ANSWERS.values(), ids=ANSWERS)
def test_response(answer: bytes, read: tuple[int, bytes] | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async def main() -> tuple[int, bytes] | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, opened(server.sockets[0].getsockname()[:2]) as channel:
            response = await channel.response()
        return (response.status, response.body) if response is not None else None

    assert asyncio.run(main()) == read
