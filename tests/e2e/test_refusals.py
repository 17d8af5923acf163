"""Banned apps are refused on every HTTP surface with nothing upstream, and innocents pass beside them."""

import json
from pathlib import Path

import pytest

from e2e.clients import BROWSER, Http2, Refused, client, connect, curl, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy, field

BANNED = {  # case: (URL, surface on which a plain client is refused, fields of the record)
    "http": (
        "http://www.alipay.com/pay?token=secret",
        "http",
        {"url.full": "http://www.alipay.com/pay?token=<redacted>", "http.request.method": "GET"},
    ),
    "https": ("https://www.alipay.com/pay", "connect", {"http.request.method": "CONNECT", "destination.port": 443}),
    "https on another port": ("https://mobilegw.alipay.com:8443/", "connect", {"destination.port": 8443}),
    "look-alikes aside, a deep name": ("https://a.b.c.camscanner.com/", "connect", {"embargo.app": ["camscanner"]}),
}


@pytest.mark.parametrize(("url", "surface", "fields"), BANNED.values(), ids=BANNED)
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_curl_is_refused(
    shipped: Proxy, origin: Origin, url: str, surface: str, fields: dict[str, object], http: str
) -> None:
    before = shipped.settled()
    answer = curl(shipped, http, url)
    assert 403 in (answer.status, answer.connect)
    assert origin.connections == 0
    (record,) = shipped.wait_decisions(before, 1)
    for path, value in fields.items():
        assert field(record, path) == value
    assert field(record, "event.action") == "block"
    assert field(record, "event.outcome") == "success"
    assert field(record, "embargo.surface") == surface
    assert field(record, "rule.id") == "banned-apps"
    assert field(record, "http.response.status_code") == 403
    assert field(record, "source.ip") == "127.0.0.1"
    assert field(record, "rule.ruleset") == shipped.status()["policy"]["digest"]  # type: ignore[index]


def test_plain_http_gets_a_problem_document(shipped: Proxy, origin: Origin) -> None:
    answer = curl(shipped, "http://www.alipay.com/")
    document = json.loads(answer.body)
    assert document["status"] == 403
    assert document["app"] == "Alipay"
    record = shipped.wait_record(event__id=document["instance"].removeprefix("urn:uuid:"))
    assert field(record, "embargo.app") == ["alipay"]
    assert origin.connections == 0


def test_httpx_is_refused(shipped: Proxy, origin: Origin) -> None:
    with client(shipped) as http:
        assert http.get("http://www.alipay.com/").status_code == 403
        with pytest.raises(Exception, match="403"):
            http.get("https://www.alipay.com/")
    assert origin.connections == 0


def test_http2_inside_tls_is_refused(small: Proxy, origin: Origin) -> None:
    """A browser's CONNECT opens a tunnel to the page, over HTTP/2 as over HTTP/1.1."""
    with tls(tunnel(small, "www.banned.test:443", "User-Agent: Mozilla/5.0"), "www.banned.test", "h2") as inside:
        http = Http2(inside)
        answers = [http.request("www.banned.test", f"/{number}", ("accept", "text/html")) for number in range(2)]
        http.finish(*answers)
    assert [(answer.status, b"Bad App is blocked" in answer.body) for answer in answers] == [(403, True)] * 2
    with tls(tunnel(small, "www.banned.test:443", "User-Agent: Mozilla/5.0"), "www.banned.test") as inside:
        inside.sendall(b"GET / HTTP/1.1\r\nHost: www.banned.test\r\nAccept: text/html\r\n\r\n")
        status, body, _ = read_response(inside)
    assert (status, b"Bad App is blocked" in body) == (403, True)
    assert origin.connections == 0


def test_the_page_tunnel_has_one_record(small: Proxy, origin: Origin) -> None:
    before = small.settled()
    with client(small, BROWSER) as http:
        pages = [http.get(f"https://one.banned.test/{number}").text for number in range(3)]
    (record,) = small.wait_decisions(before, 1)
    assert all(field(record, "event.id") in page for page in pages)
    assert origin.connections == 0


INNOCENT = ["https://innocent.test/", "http://innocent.test/", "https://notalipay.com/", "https://alipay.com.test/"]


@pytest.mark.parametrize("url", INNOCENT)
@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("which", ["shipped", "small"])
def test_innocents_pass(request: pytest.FixtureRequest, origin: Origin, url: str, version: str, which: str) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    before = proxy.settled()
    answer = curl(proxy, f"--http{version}", url)
    assert answer.status == 200
    assert answer.body.startswith("<title>origin</title>")
    if url.startswith("https"):
        assert answer.version == version
    assert proxy.settled() == before
    assert origin.connections == 1


def test_an_innocent_upload_and_download(small: Proxy, origin: Origin) -> None:
    with client(small) as http:
        assert f"got {3_000_000} bytes" in http.post("https://innocent.test/up", content=b"x" * 3_000_000).text
        assert len(http.get("https://innocent.test/bytes/20000000").content) == 20_000_000
        assert "got 5 bytes" in http.post("http://innocent.test/up", content=iter([b"he", b"llo"])).text


def test_keep_alive_survives_a_refused_request(small: Proxy, origin: Origin) -> None:
    with connect(small) as connection:
        connection.sendall(b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(connection)[0] == 403
        connection.sendall(b"POST http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nContent-Length: 5\r\n\r\nhello")
        assert read_response(connection)[0] == 403
        assert origin.connections == 0
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200


def test_a_refused_connect_leaves_the_connection_usable(small: Proxy, origin: Origin) -> None:
    """What the client asks for next is judged by its own names, not by those of the tunnel it did not get."""
    with connect(small) as connection:
        connection.sendall(b"CONNECT banned.test:443 HTTP/1.1\r\nHost: banned.test:443\r\n\r\n")
        assert read_response(connection)[0] == 403
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200
        connection.sendall(b"CONNECT innocent.test:443 HTTP/1.1\r\nHost: innocent.test:443\r\n\r\n")
        assert read_response(connection)[0] == 200
    small.wait_record(destination__domain="banned.test", embargo__surface="connect")


def test_a_second_request_on_the_connection_is_judged(small: Proxy, origin: Origin) -> None:
    """Both to another absolute target, and inside a tunnel to another Host."""
    with connect(small) as connection:
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200
        connection.sendall(b"GET http://banned.test/secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(connection)[0] == 403
    with tls(tunnel(small, "innocent.test:443"), "innocent.test") as inside:
        inside.sendall(b"GET /one HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(inside)[0] == 200
        inside.sendall(b"GET /secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(inside)[0] == 403
        inside.sendall(b"GET /three HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(inside)[0] == 200
    assert b"secret" not in origin.received


def test_pipelined_requests_are_judged_one_by_one(small: Proxy, origin: Origin) -> None:
    hosts = ["innocent.test", "banned.test", "innocent.test", "x.banned.test"]
    with connect(small) as connection:
        connection.sendall(
            "".join(f"GET http://{host}/{n} HTTP/1.1\r\nHost: {host}\r\n\r\n" for n, host in enumerate(hosts)).encode()
        )
        rest, statuses = b"", []
        for _ in hosts:
            status, _, rest = read_response(connection, rest)
            statuses.append(status)
    assert statuses == [200, 403, 200, 403]
    assert b"GET /1" not in origin.received
    assert b"GET /3" not in origin.received


def test_coalesced_streams_are_judged_one_by_one(small: Proxy, origin: Origin) -> None:
    """HTTP/2 connection reuse: a browser sends another name's requests over the connection it has."""
    with tls(tunnel(small, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        streams = [
            http.request("innocent.test", "/one"),
            http.request("banned.test", "/secret/coalesced"),
            http.request("www.banned.test", "/secret", method="POST", body=b"secret" * 1000),
            http.request("innocent.test", "/two"),
        ]
        http.finish(*streams)
    assert [stream.status for stream in streams][0::3] == [200, 200]
    assert streams[1].status == 403
    assert streams[2].reset is not None  # an upload of unknown size is not waited for
    assert b"secret" not in origin.received
    assert origin.connections == 1
    record = small.wait_record(url__domain="banned.test", url__path="/secret/coalesced", embargo__verdict="block")
    assert field(record, "embargo.mismatch") is True


def test_large_and_endless_uploads_over_http2(small: Proxy, origin: Origin) -> None:
    """Whatever is known of the size, nothing goes upstream and the other streams go on."""
    with tls(tunnel(small, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        large = http.request(
            "banned.test", "/secret", ("content-length", "3000000"), method="POST", body=b"secret" * 500_000
        )
        unknown = http.request("banned.test", "/secret", method="POST", body=b"secret" * 500_000)
        endless = http.request("banned.test", "/secret", method="POST", body=b"secret", end=False)
        beside = http.request("innocent.test", "/beside")
        http.finish(large, unknown, endless, beside)
    assert beside.status == 200
    assert all(stream.reset is not None for stream in (large, unknown, endless))
    assert b"secret" not in origin.received


def test_a_grpc_client_gets_a_grpc_status(small: Proxy, origin: Origin) -> None:
    with tls(tunnel(small, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        call = http.request(
            "banned.test",
            "/pkg.Service/Call",
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            method="POST",
            body=b"\0\0\0\0\x05hello",
        )
        http.finish(call)
    assert (call.status, call.headers["grpc-status"]) == (200, "7")
    assert "This app is not allowed here." in call.headers["grpc-message"]


def test_websocket_upgrades_are_judged(small: Proxy, origin: Origin) -> None:
    upgrade = ["-H", "Upgrade: websocket", "-H", "Connection: Upgrade", "-H", "Sec-WebSocket-Version: 13"]
    upgrade += ["-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    assert curl(small, "--http1.1", *upgrade, "http://socket.banned.test/").status == 403
    record = small.wait_record(url__domain="socket.banned.test")
    assert field(record, "embargo.surface") == "websocket"
    assert origin.connections == 0


def test_a_connect_that_is_no_host_is_refused(small: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused):
        tunnel(small, "b@d host:443")
    assert origin.connections == 0


def test_logged_apps_pass_and_leave_a_record(small: Proxy, origin: Origin) -> None:
    before = small.settled()
    assert curl(small, "https://www.watched.test/page").status == 200
    records = small.wait_decisions(before, 2)
    assert [field(record, "embargo.surface") for record in records] == ["connect", "http"]
    assert len({field(record, "embargo.connection") for record in records}) == 1
    assert {field(record, "embargo.verdict") for record in records} == {"log"}


BROKEN_PAGES = {
    "a syntax error": "{% if %}",
    "a field that does not exist": "{{ refusal.nothing.more }}",
    "a fault when shown": "{{ 1 / 0 }}",
}


@pytest.mark.parametrize("text", BROKEN_PAGES.values(), ids=BROKEN_PAGES)
def test_a_broken_block_page_is_told_at_the_start(start: Start, tmp_path: Path, text: str) -> None:
    """And the policy that was named is not exchanged for the default one, silently."""
    (tmp_path / "page.html").write_text(text)
    proxy = start(SMALL, ready=False, options=["--set", f"embargo_block_page={tmp_path / 'page.html'}"])
    assert proxy.process.wait(PATIENCE) == 1
    assert f"embargo_block_page: {tmp_path / 'page.html'}: " in proxy.text()
    assert "Traceback" not in proxy.text()


def test_a_block_page_of_ones_own(start: Start, origin: Origin, tmp_path: Path) -> None:
    """One that fails after all costs its look, not the refusal; what it shows of a request is escaped."""
    page = tmp_path / "page.html"
    page.write_text("own: {{ refusal.apps }} {{ host }} {% if '<' in host %}{{ 1 / 0 }}{% endif %}")
    proxy = start(SMALL, options=["--set", f"embargo_block_page={page}", "--set", "embargo_console=https://c.test/"])
    accept = ("-H", "Accept: text/html")
    assert curl(proxy, *accept, "http://banned.test/").body == "own: Bad App banned.test "
    failed = curl(proxy, *accept, "-H", "Host: <b>", "http://banned.test/")
    assert failed.status == 503
    assert "This request was refused" in failed.body
    assert "<b>" not in failed.body
    assert "https://c.test/record/" in failed.body
    assert origin.connections == 0


def test_bytes_that_are_no_text_are_refused_and_recorded(small: Proxy, origin: Origin) -> None:
    with connect(small) as connection:
        connection.sendall(
            b"GET http://bytes.banned.test/ HTTP/1.1\r\nHost: \xff\r\n"
            b"Accept: text/html\r\nUser-Agent: \xff\x1b[31m\r\n\r\n"
        )
        assert read_response(connection)[0] == 403
    record = small.wait_record(url__domain="bytes.banned.test")
    assert field(record, "embargo.verdict") == "block"
    assert field(record, "user_agent.original") == "\ufffd\x1b[31m"  # escaped in the file, as any control character


def test_a_request_over_http2_that_never_ends_is_closed(small: Proxy, origin: Origin) -> None:
    with tls(tunnel(small, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        http.finish(http.request("banned.test", "/", end=False))
    assert http.closed
