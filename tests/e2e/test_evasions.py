"""Ways past a stock mitmproxy that take more than a table: tests/evasion has all the others.

"Leak" means: a payload byte of the banned exchange reached the origin.
"""

import contextlib
import socket
import ssl
import time

import pytest

from clienthello import client_hello, in_records_of
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


def send(connection: socket.socket, *pieces: bytes) -> bytes:
    """Send *pieces* so that each is a segment of its own, and return all that comes until the peer closes."""
    for piece in pieces:
        try:
            connection.sendall(piece)
        except OSError:
            break  # refused already
        time.sleep(0.03)  # a pace, not a wait: the proxy shall see the pieces one by one
    return read_all(connection)


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
        assert fingerprint(inside) != origin.fingerprint  # `decrypt: all`: what is inside is judged too
        inside.sendall(b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(inside)[0] == 403
    assert curl(loose, "--http2", "https://innocent.test/").status == 200
