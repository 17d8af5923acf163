"""mitmproxy's flow files, as mitmproxy writes them."""

import io
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from mitmproxy import certs, dns, flow, http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils

from certificates import sign
from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic import flow_file
from embargo.traffic.flow_file import read

WHEN = datetime(2026, 11, 24, 12, tzinfo=UTC)
STAMP = WHEN.timestamp()


def http_flow(**request: Any) -> http.HTTPFlow:
    made = {"host": "a.test", "port": 443, "scheme": b"https", "path": b"/x?y=1", "authority": b"", **request}
    made.setdefault("headers", http.Headers(((b"user-agent", b"Browser/1"), (b"host", b"a.test"))))
    found = tflow.tflow(req=tutils.treq(timestamp_start=STAMP, **made))
    found.client_conn.peername, found.client_conn.sni = ("10.0.0.7", 40000), "a.test"
    found.server_conn.peername = ("192.0.2.80", 443)
    return found


def changed(found: flow.Flow, **members: Any) -> flow.Flow:
    for name, value in members.items():
        owner, _, attribute = name.rpartition("__")
        setattr(getattr(found, owner) if owner else found, attribute, value)
    return found


def dns_flow(*names: str) -> dns.DNSFlow:
    found = tflow.tdnsflow()
    found.request.questions = [dns.Question(name, 1, 1) for name in names]
    found.request.timestamp = STAMP
    found.client_conn.peername = ("10.0.0.7", 40000)
    return found


def raw(made: flow.Flow) -> flow.Flow:
    made.client_conn.peername, made.client_conn.sni = ("10.0.0.7", 40000), "a.test"
    made.server_conn.address, made.server_conn.peername = ("192.0.2.80", 5222), ("192.0.2.80", 5222)
    made.timestamp_created = STAMP
    return made


CLIENT = ip_address("10.0.0.7")
HTTP = {"time": WHEN, "client": CLIENT, "user_agent": "Browser/1", "names": ("192.0.2.80:443",)}
FLOWS: dict[str, tuple[flow.Flow, list[Seen]]] = {
    "HTTPS": (http_flow(), [Seen(request="https://a.test/x?y=1", **HTTP)]),
    "http on a port of its own": (
        http_flow(scheme=b"http", port=8080),
        [Seen(request="http://a.test:8080/x?y=1", **HTTP)],
    ),
    "fronting": (
        http_flow(headers=http.Headers(((b"host", b"b.test"),))),
        [Seen(request="https://a.test/x?y=1", **{**HTTP, "user_agent": None, "names": ("b.test", "192.0.2.80:443")})],
    ),
    "another SNI": (
        changed(http_flow(), client_conn__sni="c.test"),
        [Seen(request="https://a.test/x?y=1", **{**HTTP, "names": ("c.test", "192.0.2.80:443")})],
    ),
    "CONNECT": (
        http_flow(method=b"CONNECT", path=b"", scheme=b"", authority=b"a.test:443"),
        [Seen(request="a.test:443", surface=Surface.CONNECT, **HTTP)],
    ),
    "a user": (
        changed(http_flow(), metadata={"proxyauth": ("bob", "")}),
        [Seen(request="https://a.test/x?y=1", user="bob", **HTTP)],
    ),
    "DNS": (
        dns_flow("a.test", "b.test"),
        [Seen(request=name, time=WHEN, client=CLIENT, surface=Surface.DNS) for name in ("a.test", "b.test")],
    ),
    "TCP": (
        raw(tflow.ttcpflow()),
        [Seen(request="192.0.2.80:5222", time=WHEN, client=CLIENT, surface=Surface.TCP, names=("a.test",))],
    ),
    "UDP": (
        raw(tflow.tudpflow()),
        [Seen(request="192.0.2.80:5222", time=WHEN, client=CLIENT, surface=Surface.UDP, names=("a.test",))],
    ),
}


def written(*flows: flow.Flow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)
    for each in flows:
        writer.add(each)
    return file.getvalue()


@pytest.mark.parametrize(("made", "seen"), FLOWS.values(), ids=FLOWS)
def test_flow(made: flow.Flow, seen: list[Seen]) -> None:
    assert list(read(io.BytesIO(written(made)))) == seen


def test_a_websocket() -> None:
    (found,) = read(io.BytesIO(written(tflow.twebsocketflow())))
    assert isinstance(found, Seen) and found.request.startswith("ws://")


def test_the_names_of_the_certificate() -> None:
    ca = sign("ca")
    named = [x509.DNSName("a.test"), x509.DNSName("*.b.test")]
    certificate = certs.dummy_cert(ca.key, ca.certificate, "a.test", named)
    (found,) = read(io.BytesIO(written(changed(http_flow(), server_conn__certificate_list=[certificate]))))
    assert isinstance(found, Seen) and found.certificate_names == ("a.test", "*.b.test")


def nested(depth: int) -> bytes:
    """Lists within lists."""
    found = b""
    for _ in range(depth):
        found = b"%d:%s]" % (len(found), found)
    return found


ONE, TWO = written(http_flow()), written(dns_flow("z.test"))
BROKEN: dict[str, tuple[bytes, list[str | None], str]] = {  # case: (file, request or None for each item, why)
    "cut": (ONE + TWO[:-9], ["https://a.test/x?y=1", None], "cut"),
    "another value than a flow": (b"3:abc," + TWO, [None, "z.test"], "no flow"),
    "a flow of an unknown kind": (b"13:4:type;3:abc;}" + TWO, [None, "z.test"], "Error"),
    "rubbish": (b"rubbish", [None], "no flow begins here"),
    "a newer mitmproxy's": (ONE.replace(b"7:version;2:21#", b"7:version;2:99#") + TWO, [None, "z.test"], "version"),
    "values within one another": (nested(5000) + TWO, [None, "z.test"], "RecursionError"),
}


@pytest.mark.parametrize(("data", "requests", "why"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_told(data: bytes, requests: list[str | None], why: str) -> None:
    found = list(read(io.BytesIO(data)))
    assert [item.request if isinstance(item, Seen) else None for item in found] == requests
    assert all(why in item.why for item in found if isinstance(item, Unread))


def test_one_that_is_too_large_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_file, "LARGEST", 100_000)
    found = list(read(io.BytesIO(written(http_flow(content=b"x" * 200_000)) + TWO)))
    assert [type(item) for item in found] == [Unread, Seen]


def test_an_empty_file() -> None:
    assert list(read(io.BytesIO(b""))) == []
