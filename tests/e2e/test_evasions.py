"""Every way past a stock mitmproxy that was measured (and some that were not) is closed, and nothing innocent with it.

"Leak" means: a payload byte of the banned exchange reached the origin.
"""

import contextlib
import socket
import ssl
import time

import pytest

from clienthello import behind_empty_record, client_hello, in_records_of, with_version
from e2e.clients import Http2, Refused, connect, curl, fingerprint, read_all, read_response, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

SECRET = b"the-secret-payload"
BAIT = b"Host: banned.test\r\nX: the-secret-payload\r\n\r\n"
HELLO = client_hello("www.banned.test")


@pytest.fixture(scope="module")
def streaming(start_for_module: Start) -> Proxy:
    """As `embargo run` is: large bodies streamed."""
    return start_for_module(SMALL, options=["--set", "stream_large_bodies=100k"])


@pytest.fixture(scope="module")
def lenient(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, options=["--set", "validate_inbound_headers=false"])


@pytest.fixture(scope="module")
def loose(start_for_module: Start) -> Proxy:
    """Options that leave streams to a relay that mitmproxy does not look into."""
    return start_for_module(SMALL, options=["--set", "ignore_hosts=.*", "--set", "tcp_hosts=.*"])


@pytest.fixture(scope="module")
def lazy(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, options=["--set", "connection_strategy=lazy"])


def send(connection: socket.socket, *pieces: bytes) -> bytes:
    """Send *pieces* so that each is a segment of its own, and return all that comes until the peer closes."""
    for piece in pieces:
        try:
            connection.sendall(piece)
        except OSError:
            break  # refused already
        time.sleep(0.03)  # a pace, not a wait: the proxy shall see the pieces one by one
    return read_all(connection)


HELLOS: dict[str, tuple[bytes, ...]] = {
    **{f"cut after byte {cut}": (HELLO[:cut], HELLO[cut:]) for cut in range(1, 7)},
    "in records of one byte": (in_records_of(1, HELLO),),
    "in records of one byte, the first apart": (in_records_of(1, HELLO)[:6], in_records_of(1, HELLO)[6:]),
    "record version 03 04": (with_version(b"\x03\x04", HELLO),),
    "record version 03 ff": (with_version(b"\x03\xff", HELLO),),
    "behind an empty record": (behind_empty_record(HELLO),),
    "an empty record first, the hello later": (b"\x16\x03\x01\x00\x00", HELLO),
}


@pytest.mark.parametrize("pieces", HELLOS.values(), ids=HELLOS)
@pytest.mark.parametrize("which", ["small", "loose", "lazy"])
def test_a_disguised_hello(
    request: pytest.FixtureRequest, origin: Origin, which: str, pieces: tuple[bytes, ...]
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    assert send(tunnel(proxy, "innocent.test:443"), *pieces) == bytes.fromhex("15030300020231")
    assert origin.received == b""


REQUESTS: dict[str, tuple[bytes, ...]] = {
    "G, ET": (b"G", b"ET / HTTP/1.1\r\n" + BAIT),
    "GE, T": (b"GE", b"T / HTTP/1.1\r\n" + BAIT),
    "a leading line break": (b"\r\nGET / HTTP/1.1\r\n" + BAIT,),
    "a leading line break apart": (b"\r\n", b"GET / HTTP/1.1\r\n" + BAIT),
    "a leading line feed": (b"\nGET / HTTP/1.1\r\n" + BAIT,),
    "a leading space": (b" GET / HTTP/1.1\r\n" + BAIT,),
    "M-SEARCH": (b"M-SEARCH * HTTP/1.1\r\n" + BAIT,),
    "method X1": (b"X1 / HTTP/1.1\r\n" + BAIT,),
    "method G": (b"G / HTTP/1.1\r\n" + BAIT,),
    "method SSH": (b"SSH / HTTP/1.1\r\n" + BAIT,),
    "tabs": (b"GET\t/\tHTTP/1.1\r\n" + BAIT,),
    "vertical tabs": (b"GET\x0b/\x0bHTTP/1.1\r\n" + BAIT,),
    "bare carriage returns": (b"GET\r/\rHTTP/1.1\r\n" + BAIT,),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: banned.test\nX: the-secret-payload\n\n",),
    "an absolute target": (b"GET http://banned.test/the-secret-payload HTTP/1.1\r\nHost: innocent.test\r\n\r\n",),
    "an absolute target of another scheme": (
        b"GET ftp://banned.test:21/the-secret-payload HTTP/1.1\r\nHost: innocent.test\r\n\r\n",
    ),
    "a folded Host": (b"GET / HTTP/1.1\r\nHost:\r\n banned.test\r\nX: the-secret-payload\r\n\r\n",),
    "a Host with space before the colon": (b"GET / HTTP/1.1\r\nHost : banned.test\r\nX: the-secret-payload\r\n\r\n",),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: innocent.test\r\n" + BAIT,),
    "two Hosts, the banned one first": (
        b"GET / HTTP/1.1\r\nHost: banned.test\r\nHost: innocent.test\r\nX: the-secret-payload\r\n\r\n",
    ),
    "a Host in fullwidth letters": (
        "GET / HTTP/1.1\r\nHost: ｂａｎｎｅｄ．ｔｅｓｔ\r\nX: the-secret-payload\r\n\r\n".encode(),
    ),
    "a Host with an ideographic stop": (
        "GET / HTTP/1.1\r\nHost: banned。test\r\nX: the-secret-payload\r\n\r\n".encode(),
    ),
    "a Host with a trailing dot": (b"GET / HTTP/1.1\r\nHost: banned.test.\r\nX: the-secret-payload\r\n\r\n",),
    "a Host in capitals with a padded port": (
        b"GET / HTTP/1.1\r\nHost: BANNED.TEST:00080\r\nX: the-secret-payload\r\n\r\n",
    ),
    **{
        f"a Host with {what}": (b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nX: the-secret-payload\r\n\r\n",)
        for what, host in {
            "letters for a port": b"banned.test:x",
            "two ports": b"banned.test:80:80",
            "a port of a thousand zeros": b"banned.test:" + b"0" * 1100 + b"80",
            "a user": b"innocent.test@banned.test",
            "a second name": b"innocent.test, banned.test",
            "a path": b"banned.test/",
            "two trailing dots": b"banned.test..",
            "a percent escape": b"banned%2etest",
            "a NUL": b"banned.test\0",
            "a bare carriage return": b"innocent.test\rHost: banned.test",
        }.items()
    },
    "a Host behind a bare carriage return": (b"GET / HTTP/1.1\r\nHost: innocent.test\r\nY: a\r" + BAIT,),
    "a method of 65 letters": (b"A" * 65 + b" / HTTP/1.1\r\n" + BAIT,),
    "a method of 65 letters apart": (b"A" * 65, b" / HTTP/1.1\r\n" + BAIT),
    "a word behind the version": (b"GET / HTTP/1.1 x\r\n" + BAIT,),
    "a long scheme": (
        b"GET " + b"a" * 40 + b"://banned.test/the-secret-payload HTTP/1.1\r\nHost: innocent.test\r\n\r\n",
    ),
    "HTTP/0.9": (b"GET /the-secret-payload\r\n",),
    "a request behind an innocent one": (b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\nGET / HTTP/1.1\r\n" + BAIT,),
    "chunked": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + BAIT + b"5\r\nhello\r\n0\r\n\r\n",),
    "both lengths": (b"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" + BAIT + b"0\r\n\r\n",),
    "h2c by upgrade": (b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n" + BAIT,),
}


@pytest.mark.parametrize("pieces", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("which", ["small", "lenient", "loose"])
def test_a_disguised_request_in_a_plain_tunnel(
    request: pytest.FixtureRequest, origin: Origin, which: str, pieces: tuple[bytes, ...]
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    with tunnel(proxy, "innocent.test:80") as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.03)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    assert SECRET not in origin.received


INSIDE = [name for name in REQUESTS if name not in ("both lengths", "HTTP/0.9")]  # inside, nothing follows the latter


@pytest.mark.parametrize("name", INSIDE)
def test_a_disguised_request_inside_tls(lenient: Proxy, origin: Origin, name: str) -> None:
    with tls(tunnel(lenient, "innocent.test:443"), "innocent.test") as inside:
        for piece in REQUESTS[name]:
            inside.sendall(piece)
        inside.sendall(b"GET /end HTTP/1.1\r\nHost: innocent.test\r\nConnection: close\r\n\r\n")
        read_all(inside)
    assert SECRET not in origin.received


LITERALS = {  # 203.0.113.9, as resolvers and mitmproxy take it
    "dotted": "203.0.113.9",
    "decimal": "3405803785",
    "hexadecimal": "0xcb007109",
    "octal parts": "0313.0.0161.011",
    "three parts": "203.0.28937",
    "mixed": "0xCB.0.0x71.9",
    "with a trailing dot": "203.0.113.9.",
    "IPv4-mapped": "[::ffff:203.0.113.9]",
    "IPv4-mapped, in hexadecimal": "[::FFFF:cb00:7109]",
}


@pytest.mark.parametrize("host", LITERALS.values(), ids=LITERALS)
def test_an_address_in_any_spelling(small: Proxy, origin: Origin, host: str) -> None:
    with connect(small) as connection:
        connection.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nX: the-secret-payload\r\n\r\n".encode())
        connection.shutdown(socket.SHUT_WR)
        assert b" 200 " not in read_all(connection)
    with pytest.raises(Refused):
        tunnel(small, f"{host}:00443")
    assert origin.connections == 0


NAMES = {
    "a trailing dot": "banned.test.",
    "capitals": "BANNED.Test",
    "a deeper name": "a.b.c.d.banned.test",
    "an underscore": "_x.banned.test",
}


@pytest.mark.parametrize("host", NAMES.values(), ids=NAMES)
def test_a_name_in_any_spelling(small: Proxy, origin: Origin, host: str) -> None:
    assert curl(small, f"http://{host}/").status == 403
    with pytest.raises(Refused):
        tunnel(small, f"{host}:443")
    assert origin.connections == 0


UPLOADS = {  # case: what follows the banned request's line and Host
    "streamed": b"Content-Length: 300000\r\n\r\n" + SECRET + b"x" * (300_000 - len(SECRET)),
    "streamed, chunked": b"Transfer-Encoding: chunked\r\n\r\n40000\r\n"
    + SECRET
    + b"x" * (0x40000 - len(SECRET))
    + b"\r\n0\r\n\r\n",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n12\r\n" + SECRET + b"\r\n0\r\n\r\n",
    "expecting 100-continue": b"Content-Length: 18\r\nExpect: 100-continue\r\n\r\n" + SECRET,
    "that never ends": b"Content-Length: 9999999999\r\n\r\n" + SECRET,
    "that never ends, chunked": b"Transfer-Encoding: chunked\r\n\r\n12\r\n" + SECRET + b"\r\n",
}


@pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)
@pytest.mark.parametrize("which", ["small", "streaming"])
@pytest.mark.parametrize("place", ["proxy", "tunnel", "tls"])
def test_an_upload(request: pytest.FixtureRequest, origin: Origin, which: str, upload: bytes, place: str) -> None:
    """Refused at once and without a byte upstream, whatever its size."""
    proxy: Proxy = request.getfixturevalue(which)
    if place == "proxy":
        connection: socket.socket = connect(proxy)
    else:
        connection = tunnel(proxy, "innocent.test:443" if place == "tls" else "innocent.test:80")
        if place == "tls":
            connection = tls(connection, "innocent.test")
    target = b"http://banned.test/" if place == "proxy" else b"/"
    with connection:
        head = b"POST " + target + b" HTTP/1.1\r\nHost: banned.test\r\nConnection: close\r\n"
        with contextlib.suppress(OSError):  # refused while sending
            connection.sendall(head + upload)
        answer = read_all(connection)
    assert answer == b"" or b" 403 " in answer
    assert b" 200 " not in answer
    assert SECRET not in origin.received


def test_an_upload_over_http2_of_unknown_size(streaming: Proxy, origin: Origin) -> None:
    with tls(tunnel(streaming, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        upload = http.request("banned.test", "/", method="POST", body=SECRET * 30_000)
        beside = http.request("innocent.test", "/")
        http.finish(upload, beside)
    assert upload.reset is not None
    assert beside.status == 200
    assert SECRET not in origin.received


HOSTS_OVER_HTTP2 = {
    "beside an innocent authority": ("innocent.test", [("host", "banned.test")]),
    "two of them": ("innocent.test", [("host", "innocent.test"), ("host", "www.banned.test")]),
    "in fullwidth letters": ("innocent.test", [("host", "ｂａｎｎｅｄ.test")]),
    "an authority with a trailing dot": ("banned.test.", []),
    "an authority in capitals with a port": ("BANNED.test:0443", []),
}


@pytest.mark.parametrize(("authority", "headers"), HOSTS_OVER_HTTP2.values(), ids=HOSTS_OVER_HTTP2)
@pytest.mark.parametrize("which", ["small", "lenient"])
def test_a_host_over_http2(
    request: pytest.FixtureRequest, origin: Origin, which: str, authority: str, headers: list[tuple[str, str]]
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    with tls(tunnel(proxy, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        stream = http.request(authority, "/", *headers, ("x", SECRET.decode()))
        http.finish(stream)
    assert stream.status == 403 or http.closed, "refused by us, or by mitmproxy itself"
    assert SECRET not in origin.received


# --- servers that greet first


def greeted(proxy: Proxy, origin: Origin) -> socket.socket:
    connection = tunnel(proxy, f"greeter.innocent.test:{origin.greeter_port}")
    assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
    return connection


BEHIND_A_GREETING: dict[str, tuple[bytes, ...]] = {
    "a ClientHello": (HELLO,),
    "a ClientHello, cut": (HELLO[:2], HELLO[2:]),
    "a ClientHello, in records of one byte": (in_records_of(1, HELLO),),
    "HTTP": (b"GET / HTTP/1.1\r\n" + BAIT,),
    "HTTP, its name cut": (b"GET / HTTP/1.1\r\nHost: ban", b"ned.test\r\nX: the-secret-payload\r\n\r\n"),
    "HTTP, an absolute target": (b"GET http://banned.test/the-secret-payload HTTP/1.1\r\nHost: a.test\r\n\r\n",),
}
FIRST = b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\n"
POSTED = b"POST / HTTP/1.1\r\nHost: innocent.test\r\nContent-Length: 99\r\n\r\n\n"
SECOND_BEHIND_A_GREETING: dict[str, tuple[bytes, ...]] = {  # an innocent request, then another, cut
    "in its target": (FIRST, b"GET /the-secret-payl", b"oad HTTP/1.1\r\n", BAIT),
    "before its Host": (FIRST, b"GET /the-secret-payload HTTP/1.1\r\n", BAIT),
    "in its Host": (FIRST, b"GET /the-secret-payload HTTP/1.1\r\nHost: ban", b"ned.test\r\n\r\n"),
    "in a body that a server may not see": (
        POSTED,
        b"GET /the-secret-payload HTTP/1.1\r\nHost: ban",
        b"ned.test\r\n\r\n",
    ),
    "TLS": (FIRST, HELLO[:20], HELLO[20:]),
}


@pytest.mark.parametrize("pieces", SECOND_BEHIND_A_GREETING.values(), ids=SECOND_BEHIND_A_GREETING)
def test_a_second_request_behind_a_greeting(small: Proxy, origin: Origin, pieces: tuple[bytes, ...]) -> None:
    send(greeted(small, origin), *pieces)
    assert origin.received == pieces[0]


@pytest.mark.parametrize("pieces", BEHIND_A_GREETING.values(), ids=BEHIND_A_GREETING)
def test_a_banned_name_behind_a_greeting(small: Proxy, origin: Origin, pieces: tuple[bytes, ...]) -> None:
    before = small.settled()
    send(greeted(small, origin), *pieces)
    greeting, record = small.wait_decisions(before, 2)
    assert field(greeting, "embargo.reason") == "unknown-protocol"
    assert field(record, "embargo.surface") == "tcp"
    assert field(record, "embargo.verdict") == "block"
    assert origin.received == b""


def test_starttls_with_a_banned_name(small: Proxy, origin: Origin) -> None:
    connection = greeted(small, origin)
    connection.sendall(b"STARTTLS\r\n")
    assert read_until(connection, b"\r\n") == b"250 STARTTLS\r\n"
    send(connection, HELLO)
    assert origin.received == b"STARTTLS\r\n"


def test_a_greeting_server_at_a_banned_address(small: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused, match="403"):
        tunnel(small, f"203.0.113.9:{origin.greeter_port}")
    assert origin.connections == 0


INNOCENT_STREAMS: dict[str, tuple[bytes, ...]] = {
    "mail": (b"EHLO client.example\r\n", b"QUIT\r\n"),
    "SSH": (b"SSH-2.0-OpenSSH_9.9\r\n", b"\0\0\5\x14\t\x14" + bytes(range(256)) * 8),
    "binary": (b"\0\1\2\3", b"\x16\x03\x09\x00\x10\x07", b"\xff" * 70_000),
    "an innocent ClientHello": (client_hello("mail.innocent.test"),),
    "innocent HTTP": (b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\n",),
}


@pytest.mark.parametrize("pieces", INNOCENT_STREAMS.values(), ids=INNOCENT_STREAMS)
@pytest.mark.parametrize("which", ["small", "shipped"])
def test_innocent_streams_pass_whole(
    request: pytest.FixtureRequest, origin: Origin, which: str, pieces: tuple[bytes, ...]
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    with greeted(proxy, origin) as connection:
        for piece in pieces:
            connection.sendall(piece)
            size, got = len(piece), b""
            while len(got.replace(b"250 ", b"")) < size:
                data = connection.recv(65536)
                assert data, f"closed after {len(got)} of {size} bytes"
                got += data
    assert origin.received == b"".join(pieces)


def test_an_innocent_split_hello_works(small: Proxy, shipped: Proxy, origin: Origin) -> None:
    """What evaders do, innocent clients do as well (large hellos, slow links): it just takes longer."""
    hello = client_hello("innocent.test")
    for proxy in (small, shipped):
        connection = tunnel(proxy, "innocent.test:443")
        for cut in (hello[:1], hello[1:3], hello[3:]):
            connection.sendall(cut)
            time.sleep(0.02)
        assert connection.recv(3)[:2] == b"\x16\x03"
        connection.close()


# --- other ways round


def test_map_remote_of_the_operator_to_a_banned_host(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=["--set", "map_remote=|//innocent.test/mapped|//banned.test/the-secret-payload"])
    assert curl(proxy, "http://innocent.test/other").status == 200
    assert curl(proxy, "http://innocent.test/mapped").status == 403
    assert curl(proxy, "https://innocent.test/mapped").status == 403
    assert SECRET not in origin.received


def test_an_upgrade_to_another_protocol_is_judged_first(small: Proxy, origin: Origin) -> None:
    with connect(small) as connection:
        connection.sendall(
            b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n"
        )
        assert read_response(connection)[0] == 403
    assert origin.connections == 0


def test_ignored_hosts_are_judged(loose: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused, match="403"):
        tunnel(loose, "banned.test:443")
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        tls(tunnel(loose, "innocent.test:443"), "banned.test")
    with tls(tunnel(loose, "innocent.test:443"), "innocent.test") as inside:
        assert fingerprint(inside) == origin.fingerprint
    assert curl(loose, "--http2", "https://innocent.test/").status == 200
