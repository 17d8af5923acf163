"""What is open is judged again: each kind of connection, at each way in which a rule may start.

One of each kind is open to a name that is banned from some instant on, and one of each to an innocent name.
When the rule starts, the former are closed and recorded, each, and the latter go on.
"""

import base64
import contextlib
import datetime
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from e2e.clients import Http2, connect, fingerprint, read_all, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

WATCH = "{id: watch, apps: watched, action: log}"
SECONDS = 9  # until a date comes: longer than a start and the opening of eight connections take
UPGRADE = (
    "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)


def text_frame(text: bytes) -> bytes:
    """A short masked text frame (RFC 6455, 5.2)."""
    mask = os.urandom(4)
    return bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))


# -- kinds of what is open: how to open one to a host, and how to show that it still works


def websocket(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """A chat over ws://, in the clear."""
    connection = connect(proxy)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(UPGRADE.format(target=f"http://{host}/chat", host=host, key=key).encode())
    assert b" 101 " in read_until(connection, b"\r\n\r\n")
    talk_websocket(connection)
    return connection


def secure_websocket(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """The same inside TLS that is opened."""
    connection = tls(tunnel(proxy, f"{host}:443"), host)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(UPGRADE.format(target="/chat", host=host, key=key).encode())
    assert b" 101 " in read_until(connection, b"\r\n\r\n")
    talk_websocket(connection)
    return connection


def talk_websocket(connection: socket.socket) -> None:
    connection.sendall(text_frame(b"hello"))
    assert b"echo hello" in read_until(connection, b"echo hello")


def raw_tcp(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    connection = tunnel(proxy, f"{host}:{origin.greeter_port}")
    assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
    talk_raw(connection)
    return connection


def talk_raw(connection: socket.socket) -> None:
    connection.sendall(b"hello\r\n")
    assert read_until(connection, b"\r\n") == b"250 hello\r\n"


def idle_tunnel(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """A CONNECT that was answered, and nothing since."""
    return tunnel(proxy, f"{host}:443")


def talk_idle(connection: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        connection.setblocking(False)
        assert connection.recv(1), "closed"
    connection.setblocking(True)


def download(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """A long HTTP/1 download that is streamed and under way."""
    connection = connect(proxy)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.sendall(f"GET http://{host}/bytes/400000000 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert b" 200 " in read_until(connection, b"\r\n\r\n")
    return connection


def talk_download(connection: socket.socket) -> None:
    left = 1_000_000  # more than was under way
    while left > 0:
        left -= len(piece := connection.recv(65536))
        assert piece, "closed"


def http2_stream(proxy: Proxy, host: str, origin: Origin) -> Http2:
    """An upload on an HTTP/2 stream, which has begun."""
    http = Http2(tls(tunnel(proxy, f"{host}:443"), host, "h2"))
    http.request(host, "/up", ("content-length", "10"), method="POST", body=b"hello", end=False)
    return http


def talk_http2(http: Http2) -> None:
    http.connection.send_data(1, b"world", end_stream=True)
    http.flush()
    http.finish(http.streams[1])
    assert http.streams[1].status == 200


def idle_keep_alive(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """TLS that is opened, its first request answered."""
    connection = tls(tunnel(proxy, f"{host}:443"), host)
    talk_keep_alive(connection, host)
    return connection


def talk_keep_alive(connection: socket.socket, host: str = "innocent.test") -> None:
    connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert b"origin" in read_until(connection, b"bytes\n")


def closed_tls(proxy: Proxy, host: str, origin: Origin) -> socket.socket:
    """TLS that is tunnelled byte for byte, under `decrypt: needed`."""
    connection = tls(tunnel(proxy, f"{host}:443"), host)
    assert fingerprint(connection) == origin.fingerprint
    talk_keep_alive(connection, host)
    return connection


@dataclass(frozen=True)
class Kind:
    opens: Callable[[Proxy, str, Origin], socket.socket | Http2]
    talk: Callable[..., None]
    surfaces: frozenset[str]  # on one of which its end is recorded


KINDS = {
    "a WebSocket": Kind(websocket, talk_websocket, frozenset({"websocket"})),
    "a WebSocket in TLS": Kind(secure_websocket, talk_websocket, frozenset({"tls", "websocket"})),
    "a raw TCP stream": Kind(raw_tcp, talk_raw, frozenset({"tcp"})),
    "an idle tunnel": Kind(idle_tunnel, talk_idle, frozenset({"connect"})),
    "a download": Kind(download, talk_download, frozenset({"http"})),
    "an HTTP/2 stream": Kind(http2_stream, talk_http2, frozenset({"tls", "http"})),
    "an idle connection": Kind(idle_keep_alive, talk_keep_alive, frozenset({"tls"})),
}
CLOSED = {
    "a closed TLS tunnel": Kind(closed_tls, talk_keep_alive, frozenset({"tls"})),
    "a raw TCP stream": KINDS["a raw TCP stream"],
    "an idle tunnel": KINDS["an idle tunnel"],
    "a download": KINDS["a download"],
}

# -- ways in which a rule starts


def later() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=SECONDS)


def by_date() -> str:
    """`from:` is an instant a few seconds ahead."""
    return SMALL.replace(
        "rules:\n", f"rules:\n  - {{id: starts, apps: watched, action: block, from: {later():%FT%TZ}}}\n"
    )


def by_the_end_of_an_exemption() -> str:
    grace = f"  - {{id: grace, apps: watched, action: log, until: {later():%FT%TZ}}}\n"
    return SMALL.replace("rules:\n", f"rules:\n{grace}  - {{id: starts, apps: watched, action: block}}\n")


def by_authority() -> str:
    """An order is in force from a date on."""
    order = f"authorities:\n  order: {{title: Order, timeline: {{2021-01-05: issued, {later():%FT%TZ}: in-force}}}}\n"
    rule = "  - {id: starts, apps: {named_in: order}, authority: in-force, action: block}\n"
    return (
        SMALL.replace("apps:\n", f"{order}apps:\n", 1)
        .replace("    name: Watched App\n", "    name: Watched App\n    named_in: [order]\n")
        .replace("rules:\n", f"rules:\n{rule}")
    )


STARTS = {
    "a date": by_date,
    "the end of an exemption": by_the_end_of_an_exemption,
    "an authority's new state": by_authority,
}


def open_all(proxy: Proxy, kinds: dict[str, Kind], origin: Origin, domain: str) -> dict[str, socket.socket | Http2]:
    """One of each kind, each to a host of its own below *domain*."""
    return {
        name: kind.opens(proxy, f"{kind.opens.__name__.replace('_', '-')}.{domain}", origin)
        for name, kind in kinds.items()
    }


def assert_closed_and_recorded(
    proxy: Proxy, kinds: dict[str, Kind], banned: dict[str, socket.socket | Http2], rule: str
) -> None:
    for name, kind in kinds.items():
        connection = banned[name]
        read_all(connection.socket if isinstance(connection, Http2) else connection)
        host = f"{kind.opens.__name__.replace('_', '-')}."

        def ended(host: str = host, kind: Kind = kind) -> list[object]:
            return [
                record
                for record in proxy.records(embargo__verdict="block", rule__id=rule)
                if str(field(record, "destination.domain")).startswith(host)
                and field(record, "embargo.surface") in kind.surfaces
            ]

        proxy.wait(ended, f"the record of {name}")
        assert len(ended()) == 1, "one record a connection"


def assert_goes_on(kinds: dict[str, Kind], innocent: dict[str, socket.socket | Http2]) -> None:
    for name, kind in kinds.items():
        kind.talk(innocent[name])


STREAMED = ("--set", "stream_large_bodies=1m", "--set", "flow_detail=0")


@pytest.mark.parametrize("starts", STARTS.values(), ids=STARTS)
def test_a_rule_that_starts_with(start: Start, origin: Origin, starts: Callable[[], str]) -> None:
    proxy = start(starts(), options=STREAMED)
    innocent = open_all(proxy, KINDS, origin, "innocent.test")
    banned = open_all(proxy, KINDS, origin, "watched.test")
    assert not proxy.records(embargo__verdict="block"), "the date came too early for the test"
    assert_closed_and_recorded(proxy, KINDS, banned, "starts")
    assert_goes_on(KINDS, innocent)


def test_a_rule_that_comes_with_a_reload(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=STREAMED)
    innocent = open_all(proxy, KINDS, origin, "innocent.test")
    banned = open_all(proxy, KINDS, origin, "watched.test")
    proxy.policy.write_text(SMALL.replace(WATCH, "{id: now, apps: watched, action: block}"))
    assert_closed_and_recorded(proxy, KINDS, banned, "now")
    assert_goes_on(KINDS, innocent)


@pytest.mark.parametrize("how", ["reload", "date"])
def test_tls_that_stays_closed(start: Start, origin: Origin, how: str) -> None:
    """`decrypt: needed`: what cannot be looked into is closed all the same."""
    needed = "settings:\n  decrypt: needed\n"
    proxy = start((by_date() if how == "date" else SMALL).replace("settings:\n", needed), options=STREAMED)
    innocent = open_all(proxy, CLOSED, origin, "innocent.test")
    banned = open_all(proxy, CLOSED, origin, "watched.test")
    if how == "reload":
        text = SMALL.replace(WATCH, "{id: starts, apps: watched, action: block}")
        proxy.policy.write_text(text.replace("settings:\n", needed))
    assert_closed_and_recorded(proxy, CLOSED, banned, "starts")
    assert_goes_on(CLOSED, innocent)


def test_a_rule_that_starts_by_schedule(start: Start, origin: Origin, tmp_path) -> None:
    """Schedules count in minutes, so the proxy's clock is set to just before one."""
    script = tmp_path / "clock.py"
    now = datetime.datetime.now(datetime.UTC)
    before = now.replace(hour=21, minute=59, second=60 - SECONDS, microsecond=0)
    shift = (before - now).total_seconds()
    script.write_text(
        "import datetime\nimport embargo.enforce.gate as gate\n"
        "class Shifted(datetime.datetime):\n    @classmethod\n    def now(cls, zone=None):\n"
        f"        return datetime.datetime.now(zone) + datetime.timedelta(seconds={shift})\n"
        "gate.datetime = Shifted\n"
    )
    rule = '  - {id: night, apps: watched, action: block, schedule: {hours: "22:00-06:00", timezone: UTC}}\n'
    proxy = start(SMALL.replace("rules:\n", f"rules:\n{rule}"), after=[script], options=STREAMED)
    innocent = open_all(proxy, KINDS, origin, "innocent.test")
    banned = open_all(proxy, KINDS, origin, "watched.test")
    assert not proxy.records(embargo__verdict="block"), "the hour came too early for the test"
    assert_closed_and_recorded(proxy, KINDS, banned, "night")
    assert_goes_on(KINDS, innocent)


def test_monitor_closes_nothing(start: Start, origin: Origin) -> None:
    proxy = start(SMALL.replace("settings:\n", "settings:\n  mode: monitor\n"), options=STREAMED)
    watched = open_all(proxy, KINDS, origin, "watched.test")
    text = SMALL.replace(WATCH, "{id: now, apps: watched, action: block}")
    proxy.policy.write_text(text.replace("settings:\n", "settings:\n  mode: monitor\n"))
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] == 2, "the reload")  # type: ignore[index]
    for name, kind in KINDS.items():
        if kind.talk is talk_keep_alive:
            talk_keep_alive(watched[name], "idle-keep-alive.watched.test")  # type: ignore[arg-type]
        else:
            kind.talk(watched[name])
