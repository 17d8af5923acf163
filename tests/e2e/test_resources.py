"""Refusals leave nothing behind: no descriptor, no half-open connection, no memory. Idle connections cost no more."""

import asyncio
import contextlib
import itertools
import ssl
import statistics
from collections.abc import Callable
from pathlib import Path

from clienthello import client_hello
from e2e.clients import Refused, connect, read_all, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.flood import aborted, allow_many_files, by_alert, by_connect, by_http, idle, refused
from e2e.origin import Origin
from e2e.process import open_files, own_memory
from e2e.proxy import Proxy

EACH = 100
HELLO = client_hello("www.banned.test")
UPLOAD = b"POST http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nTransfer-Encoding: chunked\r\n\r\n"


def plain(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(connection)[0] == 403


def at_connect(proxy: Proxy) -> None:
    with contextlib.suppress(Refused):
        tunnel(proxy, "banned.test:443")


def by_sni(proxy: Proxy) -> None:
    with tunnel(proxy, "innocent.test:443") as connection:
        connection.sendall(HELLO)
        assert read_all(connection)[:1] == b"\x15"


def killed_upload(proxy: Proxy) -> None:
    """mitmproxy alone would leave this one open for good: more data waits as it closes."""
    with connect(proxy) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(UPLOAD + b"40000\r\n" + b"x" * 0x40000)
        assert read_all(connection) == b""


def page(proxy: Proxy) -> None:
    with contextlib.suppress(ssl.SSLError):
        tls(tunnel(proxy, "banned.test:443", "User-Agent: Mozilla/5.0"), "banned.test").close()


WAYS: tuple[Callable[[Proxy], None], ...] = (plain, at_connect, by_sni, killed_upload, page)


def test_refusals_of_each_kind_leave_nothing_open(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=["--set", "flow_detail=0", "--set", "termlog_verbosity=warn"])
    for way in WAYS:  # what the first of each kind opens for good (the CA, the log) is no leak
        way(proxy)
    proxy.settled()
    proxy.wait(lambda: proxy.status()["connections"] == 0, "the first connections to end")  # type: ignore[index]
    before = open_files(proxy.process.pid)
    for way in WAYS:
        for _ in range(EACH):
            way(proxy)
    proxy.wait(lambda: proxy.status()["connections"] == 0, "all connections to end")  # type: ignore[index]
    proxy.wait(lambda: open_files(proxy.process.pid) <= before, f"no more than {before} descriptors")
    assert proxy.status()["flows"]["blocked"] >= EACH * len(WAYS)  # type: ignore[index]
    assert proxy.status()["log"]["lost"] == 0  # type: ignore[index]


QUIET = ("--set", "flow_detail=0", "--set", "termlog_verbosity=warn")
BATCH = 1000  # refusals between two measurements
BATCHES = 20
AT_ONCE = 20
GROWTH = 1.08  # memory after the first thousand, as a ratio: what an allocator may still gain


def sockets(proxy: Proxy) -> int:
    """The connections with a client that the kernel knows on the proxy's port, half-open ones included."""
    port = f":{proxy.port:04X}"
    half_open_or_open = {"01", "02", "03", "04", "05", "08", "09"}  # all but TIME_WAIT, CLOSE, LISTEN
    lines = Path(f"/proc/{proxy.process.pid}/net/tcp").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[1].endswith(port) and line.split()[3] in half_open_or_open)


def settle(proxy: Proxy, base: int) -> None:
    """Until no connection is left, in the gate, in the process and in the kernel."""
    proxy.wait(lambda: proxy.status()["connections"] == 0, "all connections to end")  # type: ignore[index]
    proxy.wait(lambda: open_files(proxy.process.pid) <= base, f"no more than {base} descriptors")
    proxy.wait(lambda: sockets(proxy) == 0, "no socket to be left")


def test_twenty_thousand_refusals_and_memory_stays_flat(start: Start, origin: Origin) -> None:
    """By turns: plain HTTP, CONNECT, a TLS alert, clients that do not wait."""
    proxy = start(SMALL, command="embargo", options=QUIET)
    ways = {by_http: 400, by_connect: 400, by_alert: 100, aborted: 100}  # how many of a thousand
    base = open_files(proxy.process.pid)
    measured: list[tuple[int, int]] = []  # bytes and descriptors after each thousand
    for _ in range(BATCHES):
        for way, count in ways.items():
            asyncio.run(refused(proxy.port, way, count, AT_ONCE))
        settle(proxy, base + 8)  # the CA, the log, the listener's own
        measured.append((own_memory(proxy.process.pid), open_files(proxy.process.pid)))
    print("MiB after each thousand:", [round(held / 2**20, 1) for held, _ in measured])
    held, files = zip(*measured[1:], strict=True)
    first, last = statistics.median(held[:5]), statistics.median(held[-5:])
    assert last <= first * GROWTH
    assert max(files) <= base + 8
    status = proxy.status()
    assert status is not None
    assert status["flows"]["blocked"] >= BATCHES * BATCH * 9 // 10  # of those that do not wait some are never read
    assert status["log"]["lost"] == 0
    assert b"banned.test" not in origin.received


IDLERS = {  # what a client sends before it falls silent
    "nothing": b"",
    "half a head": b"GET http://banned.test/ HTTP/1.1\r\nHost: ban",
    "a refused request": b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n",
}
EACH_IDLE = {"nothing": 3000, "half a head": 1000, "a refused request": 1000}


def accepted(proxy: Proxy, count: int) -> None:
    proxy.wait(lambda: open_files(proxy.process.pid) >= count, f"{count} connections to be accepted")


def test_five_thousand_idle_connections(start: Start, origin: Origin) -> None:
    """Refusals go on beside them; what a connection holds is the same for the last thousand as for the second."""
    allow_many_files(16_384)
    proxy = start(SMALL, command="embargo", options=QUIET)
    plain(proxy)
    base = open_files(proxy.process.pid)

    async def hold() -> list[int]:
        open_ones = []
        held = [own_memory(proxy.process.pid)]
        for name, first in IDLERS.items():
            for _ in range(EACH_IDLE[name] // 1000):
                open_ones += await idle(proxy.port, 1000, first)
                await asyncio.to_thread(accepted, proxy, len(open_ones))
                held.append(own_memory(proxy.process.pid))
                for way in (by_http, by_connect, by_alert):
                    await refused(proxy.port, way, 5, 5)
        settled = [own_memory(proxy.process.pid)]
        await refused(proxy.port, by_http, BATCH, AT_ONCE)
        settled.append(own_memory(proxy.process.pid))
        assert settled[1] <= settled[0] * GROWTH, "refusals beside the idle ones"
        for writer in open_ones:
            writer.transport.abort()
        return held

    held = asyncio.run(hold())
    steps = [later - earlier for earlier, later in itertools.pairwise(held)]
    print("KiB an idle connection, by thousand:", [round(step / 1000 / 1024, 1) for step in steps])
    assert max(steps[1:3]) <= 1.5 * max(steps[0], 2**20), "no more for later ones than for the first"
    settle(proxy, base + 8)
    assert origin.connections == 5 * len(steps), "only the tunnels to an innocent name, in which the alerts came"
    assert answers_as_ever(proxy)


def answers_as_ever(proxy: Proxy) -> bool:
    """Whether an innocent and a banned request are answered as ever."""
    with connect(proxy) as connection:
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        innocent = read_response(connection)[0]
    plain(proxy)
    return innocent == 200
