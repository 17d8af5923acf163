"""SOCKS 5 as its RFCs have it: each reply, and a proxy that goes away."""

import asyncio

import pytest

from embargo.probe.channel import opened
from embargo.probe.socks import tunnel

IPV4_REPLY = b"\5\0\0\1\x7f\0\0\1\x1f\x90"
REPLIES = {  # case: (target, login, what the proxy says in turn, whether a tunnel is there)
    "opened": ("203.0.113.9", None, [b"\5\0", IPV4_REPLY], True),
    "opened, to a name": ("a.test", None, [b"\5\0", b"\5\0\0\3\4a.tx\0\1"], True),
    "opened, to IPv6": ("2001:db8::1", None, [b"\5\0", b"\5\0\0\4" + bytes(16) + b"\0\1"], True),
    "after a login": ("203.0.113.9", "alice:secret", [b"\5\2", b"\1\0", IPV4_REPLY], True),
    "a wrong login": ("203.0.113.9", "alice:wrong", [b"\5\2", b"\1\1"], False),
    "a login that we have not": ("203.0.113.9", None, [b"\5\2"], False),
    "no method is taken": ("203.0.113.9", None, [b"\5\xff"], False),
    "unreachable": ("203.0.113.9", None, [b"\5\0", b"\5\4\0\1" + bytes(6)], False),
    "gone at once": ("203.0.113.9", None, [], False),
    "gone before the reply": ("203.0.113.9", None, [b"\5\0"], False),
}


@pytest.mark.parametrize(("host", "login", "says", "there"), REPLIES.values(), ids=REPLIES)
def test_tunnel(host: str, login: str | None, says: list[bytes], there: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in says:
            await reader.read(65_536)
            writer.write(answer)
        if there:
            writer.write(b"inside")
        writer.close()

    async def main() -> tuple[bool, bytes]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, opened(server.sockets[0].getsockname()[:2]) as channel:
            opens = await tunnel(channel, (host, 443), login)
            await channel.until(6 if opens else 0)
            return opens, bytes(channel.received)

    opens, left = asyncio.run(main())
    assert opens is there
    assert not opens or left == b"inside", "the reply is taken off, and no more"
