"""Every name that a flow carries becomes a name of its request, and none twice."""

from collections.abc import Callable

import pytest
from mitmproxy import http
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from embargo.core.request import Name, Request, Source, Surface
from embargo.enforce.connection import Connection
from embargo.enforce.gather import connect_request, http_request, raw_request, server_request, tls_request
from sample import NOW


def flow(method: str = "GET", path: str = "/", authority: str = "", **headers: str) -> http.HTTPFlow:
    made = tflow.tflow()
    request = made.request
    request.data.method, request.data.path = method.encode(), path.encode()
    request.data.host, request.data.port, request.data.authority = "url.test", 443, authority.encode()
    request.headers = http.Headers(
        [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    )
    return made


def with_fields(*fields: tuple[bytes, bytes], path: str = "/") -> http.HTTPFlow:
    made = flow(path=path)
    made.request.headers = http.Headers(fields)
    return made


def connection(*, tunnel: str = "", snis: tuple[str, ...] = ()) -> Connection:
    made = Connection.of(tflow.tclient_conn())
    made.tunnel = Name.parse(Source.CONNECT, tunnel, 443) if tunnel else None
    made.snis = tuple(Name.parse(Source.SNI, sni, 443) for sni in snis)
    return made


def named(request: Request) -> list[str]:
    return [f"{name.source}:{name.host or name.text}" for name in request.names]


HTTP: dict[str, tuple[http.HTTPFlow, Connection, list[str]]] = {
    "all agree": (flow(authority="url.test", host="url.test"), connection(), ["url:url.test"]),
    "in another spelling": (flow(authority="URL.test.", host="url.test:443"), connection(), ["url:url.test"]),
    "a Host of its own": (flow(host="host.test"), connection(), ["url:url.test", "host:host.test"]),
    "an authority of its own": (flow(authority="a.test"), connection(), ["url:url.test", "authority:a.test"]),
    "two Hosts": (
        with_fields((b"Host", b"one.test"), (b"HOST", b"two.test")),
        connection(),
        ["url:url.test", "host:one.test", "host:two.test"],
    ),
    "a Host with space behind its name": (
        with_fields((b"Host ", b"one.test"), (b"host\t", b"two.test")),
        connection(),
        ["url:url.test", "host:one.test", "host:two.test"],
    ),
    "what a lenient server reads in a Host": (
        with_fields((b"Host", b"me@one.test:x, %74wo.test../")),
        connection(),
        ["url:url.test", "host:me@one.test:x, %74wo.test../", "host:me", "host:one.test", "host:x", "host:two.test"],
    ),
    "a Host of thousands of names, of which the outer ones count": (
        with_fields((b"Host", b",".join(b"h%d" % number for number in range(3000)))),
        connection(),
        ["url:url.test", f"host:{','.join(f'h{number}' for number in range(3000))}"]
        + [f"host:h{number}" for number in (*range(16), *range(2984, 3000))],
    ),
    "a Host behind a bare carriage return": (
        with_fields((b"X", b"a\rHost: one.test"), (b"Y\nHost", b"two.test")),
        connection(),
        ["url:url.test", "host:one.test", "host:two.test"],
    ),
    "a folded header is no Host": (with_fields((b"X", b"a\r\n Host: one.test")), connection(), ["url:url.test"]),
    "headers that only begin like it": (
        with_fields((b"Hostile", b"one.test"), (b"Host-X", b"two.test"), (b"X-Host", b"three.test")),
        connection(),
        ["url:url.test"],
    ),
    "a folded Host": (with_fields((b"Host", b"\r\n folded.test")), connection(), ["url:url.test", "host:folded.test"]),
    "fullwidth letters": (flow(host="ｈｏｓｔ。test"), connection(), ["url:url.test", "host:host.test"]),
    "bytes that are no UTF-8": (with_fields((b"Host", b"h\xff.test")), connection(), ["url:url.test", "host:h�.test"]),
    "an absolute target": (
        flow(path="http://absolute.test:80/x", host="url.test"),
        connection(),
        ["url:url.test", "url:absolute.test"],
    ),
    "an absolute target with user information": (
        flow(path="http://good.test@absolute.test/x"),
        connection(),
        ["url:url.test", "url:absolute.test"],
    ),
    "a tunnel and its SNI": (
        flow(host="host.test"),
        connection(tunnel="tunnel.test", snis=("sni.test",)),
        ["connect:tunnel.test", "sni:sni.test", "url:url.test", "host:host.test"],
    ),
    "two names in the SNI": (
        flow(),
        connection(snis=("one.test", "two.test")),
        ["sni:one.test", "sni:two.test", "url:url.test"],
    ),
    "a literal address in another spelling": (
        flow(host="0xcb007109"),
        connection(),
        ["url:url.test", "host:203.0.113.9"],
    ),
    "an empty Host": (flow(host=""), connection(), ["url:url.test", "host:"]),
}


@pytest.mark.parametrize(("made", "around", "names"), HTTP.values(), ids=HTTP)
def test_http(made: http.HTTPFlow, around: Connection, names: list[str]) -> None:
    request = http_request(around, made, NOW)
    assert named(request) == names
    assert request.surface is Surface.HTTP
    assert str(request.client) == "127.0.0.1"


def test_what_else_a_request_tells() -> None:
    request = http_request(connection(), flow(path="/a/../B?x=1", user_agent="Agent/1", upgrade="WebSocket"), NOW)
    assert request.surface is Surface.WEBSOCKET
    assert request.user_agent == "Agent/1"
    assert request.target is not None
    assert (request.target.path, request.target.pairs) == ("/b", frozenset({("x", "1")}))


def test_the_path_of_an_absolute_target() -> None:
    request = http_request(connection(), flow(path="http://absolute.test/bad/x"), NOW)
    assert request.target is not None
    assert request.target.path == "/bad/x"


def test_connect() -> None:
    assert named(connect_request(connection(), flow("CONNECT", host="host.test:443"), NOW)) == [
        "connect:url.test",
        "host:host.test",
    ]


ADDRESS = ("192.0.2.7", 443)
OTHERS: dict[str, tuple[Callable[[], Request], list[str]]] = {
    "tls": (
        lambda: tls_request(connection(tunnel="t.test", snis=("s.test",)), ADDRESS, NOW),
        ["connect:t.test", "sni:s.test", "destination:192.0.2.7"],
    ),
    "tls to where the tunnel leads": (
        lambda: tls_request(connection(tunnel="t.test"), ("t.test", 443), NOW),
        ["connect:t.test"],
    ),
    "tls without any name": (lambda: tls_request(connection(), None, NOW), []),
    "raw": (
        lambda: raw_request(connection(), ADDRESS, NOW, hosts=("h.test",), snis=("s.test",)),
        ["destination:192.0.2.7", "host:h.test", "sni:s.test"],
    ),
}


@pytest.mark.parametrize(("make", "names"), OTHERS.values(), ids=OTHERS)
def test_other_surfaces(make: Callable[[], Request], names: list[str]) -> None:
    assert named(make()) == names


def test_another_port_of_the_same_address_is_another_name() -> None:
    """A cidr may be limited to a port."""
    request = raw_request(connection(tunnel="192.0.2.7"), ("192.0.2.7", 8080), NOW)
    assert [name.port for name in request.names] == [443, 8080]


def test_the_server_gate_sees_what_is_dialled() -> None:
    around = connection(tunnel="t.test", snis=("s.test",))
    data = ServerConnectionHookData(tflow.tserver_conn(), around.peer)
    data.server.via = None
    data.server.address = ("dialled.test", 443)
    assert named(server_request(around, data, NOW)) == ["dialled:dialled.test", "connect:t.test", "sni:s.test"]


def test_a_parent_proxy_is_no_destination() -> None:
    around = connection()
    data = ServerConnectionHookData(tflow.tserver_conn(), around.peer)
    data.server.via = ("http", ("parent.test", 8080))
    data.server.address = ("parent.test", 8080)
    assert named(server_request(around, data, NOW)) == []


CLIENTS = {
    "IPv4": ("192.0.2.1", "192.0.2.1"),
    "of a dual stack": ("::ffff:192.0.2.1", "192.0.2.1"),
    "IPv6": ("2001:DB8::1", "2001:db8::1"),
}


@pytest.mark.parametrize(("peer", "client"), CLIENTS.values(), ids=CLIENTS)
def test_the_client(peer: str, client: str) -> None:
    made = tflow.tclient_conn()
    made.peername = (peer, 5000)
    assert str(Connection.of(made).client) == client
