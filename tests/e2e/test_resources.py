"""Refusals leave nothing behind: no descriptor, no half-open connection, no memory of the connection."""

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

from clienthello import client_hello
from e2e.clients import Refused, connect, read_all, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy

EACH = 400
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


def descriptors(proxy: Proxy) -> int:
    return len(list(Path(f"/proc/{proxy.process.pid}/fd").iterdir()))


def test_two_thousand_refusals_leave_nothing_open(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=["--set", "flow_detail=0", "--set", "termlog_verbosity=warn"])
    for way in WAYS:  # what the first of each kind opens for good (the CA, the log) is no leak
        way(proxy)
    proxy.settled()
    proxy.wait(lambda: proxy.status()["connections"] == 0, "the first connections to end")  # type: ignore[index]
    before = descriptors(proxy)
    for way in WAYS:
        for _ in range(EACH):
            way(proxy)
    proxy.wait(lambda: proxy.status()["connections"] == 0, "all connections to end")  # type: ignore[index]
    proxy.wait(lambda: descriptors(proxy) <= before, f"no more than {before} descriptors")
    assert proxy.status()["flows"]["blocked"] >= EACH * len(WAYS)  # type: ignore[index]
    assert proxy.status()["log"]["lost"] == 0  # type: ignore[index]
