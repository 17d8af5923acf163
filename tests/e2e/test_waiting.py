"""Undecided bytes and request heads wait for so long, and then the connection is closed: nothing is let through."""

import socket
import time

import pytest

from clienthello import client_hello, with_server_names
from e2e.clients import connect, curl, read_all, read_response, read_until, tls, tunnel
from e2e.conftest import HERE, SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

IMPATIENT = HERE / "impatient.py"
ALERT = bytes.fromhex("15030300020231")
HELLO = client_hello("innocent.test")


@pytest.fixture(scope="module")
def impatient(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, before=[IMPATIENT])


@pytest.fixture(scope="module")
def watching(start_for_module: Start) -> Proxy:
    """Impatient, and refusing nothing."""
    return start_for_module(SMALL.replace("settings:\n", "settings:\n  mode: monitor\n"), before=[IMPATIENT])


UNDECIDED = {
    "a token without an end": b"PING",
    "half a ClientHello": HELLO[:100],
    "one byte of a ClientHello": HELLO[:1],
    "half a request line": b"GET / HT",
    "a leading line break": b"\r\n",
}


@pytest.mark.parametrize("data", UNDECIDED.values(), ids=UNDECIDED)
@pytest.mark.parametrize("place", ["tunnel", "tls"])
def test_undecided_bytes_end(impatient: Proxy, origin: Origin, data: bytes, place: str) -> None:
    before = impatient.settled()
    connection: socket.socket = tunnel(impatient, "innocent.test:443")
    if place == "tls":
        connection = tls(connection, "innocent.test")
    with connection:
        connection.sendall(data)
        assert read_all(connection) == ALERT
    (record,) = impatient.wait_decisions(before, 1)
    assert (field(record, "embargo.verdict"), field(record, "embargo.reason")) == ("block", "undecided")
    assert field(record, "embargo.error") == "bytes that became no protocol in time"
    if place == "tunnel":
        assert origin.received == b""
    else:
        assert record_types(origin.received).count(APPLICATION_DATA) <= 1, "the handshake's last message alone"


APPLICATION_DATA = 0x17  # the type of an encrypted record (RFC 8446, 5.2)


def record_types(stream: bytes) -> list[int]:
    """The types of the TLS records of one connection."""
    types = []
    while len(stream) >= 5:
        types.append(stream[0])
        stream = stream[5 + int.from_bytes(stream[3:5]) :]
    return types


def test_a_byte_now_and_then_gains_no_time(impatient: Proxy, origin: Origin) -> None:
    with tunnel(impatient, "innocent.test:443") as connection:
        connection.settimeout(0.2)
        got = b""
        for number in range(200):
            try:
                connection.sendall(HELLO[number : number + 1])
                got = connection.recv(100)
                break
            except TimeoutError:
                continue
            except OSError:
                break
        assert got in (ALERT, b"")
        assert number < 60
    assert origin.received == b""


def test_those_who_are_slow_but_in_time_are_served(impatient: Proxy, origin: Origin) -> None:
    """The timer ends with the wait: what comes later is none of its business."""
    with tunnel(impatient, "innocent.test:80") as connection:
        connection.sendall(b"GET /one HT")
        time.sleep(0.3)
        connection.sendall(b"TP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200
        time.sleep(2)  # longer than the wait that had begun
        connection.sendall(b"GET /two HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200


HEADS = {
    "in a tunnel": ("tunnel", b"GET / HTTP/1.1\r\nHost: innocent.test\r\n"),
    "to the proxy": ("proxy", b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n"),
    "inside TLS": ("tls", b"GET / HTTP/1.1\r\nHost: innocent.test\r\n"),
    "of a CONNECT": ("proxy", b"CONNECT innocent.test:443 HTTP/1.1\r\n"),
}


def head_at(proxy: Proxy, place: str) -> socket.socket:
    match place:
        case "proxy":
            return connect(proxy)
        case "tls":
            return tls(tunnel(proxy, "innocent.test:443"), "innocent.test")
    return tunnel(proxy, "innocent.test:80")


@pytest.mark.parametrize(("place", "head"), HEADS.values(), ids=HEADS)
def test_a_head_that_is_not_whole_in_time(impatient: Proxy, origin: Origin, place: str, head: bytes) -> None:
    before = impatient.settled()
    with head_at(impatient, place) as connection:
        connection.sendall(head)
        assert b" 408 " in read_all(connection).splitlines()[0]
    (record,) = impatient.wait_decisions(before, 1)
    assert (field(record, "embargo.verdict"), field(record, "embargo.reason")) == ("block", "undecided")
    assert b"GET" not in origin.received


@pytest.mark.parametrize(("place", "head"), HEADS.values(), ids=HEADS)
def test_a_head_without_end(small: Proxy, origin: Origin, place: str, head: bytes) -> None:
    before = small.settled()
    with head_at(small, place) as connection:
        connection.sendall(head)
        line = b"X: " + b"y" * 1000 + b"\r\n"
        sent = 0
        try:
            while sent < 10_000_000:
                connection.sendall(line)
                sent += len(line)
        except OSError:
            pass
        assert sent < 10_000_000, "the proxy took ten megabytes of a head"
    (record,) = small.wait_decisions(before, 1)
    assert field(record, "embargo.error") == "a request head that does not end"
    assert b"GET" not in origin.received


def test_a_slow_second_head_on_a_connection(impatient: Proxy, origin: Origin) -> None:
    with connect(impatient) as connection:
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200
        connection.sendall(b"GET http://innocent.test/two HT")
        assert b" 408 " in read_all(connection).splitlines()[0]


BEHIND_A_GREETING = {
    "half a ClientHello": HELLO[:100],
    "half a request": b"GET / HTTP/1.1\r\nHost: innocent.test\r\n",
    "half a second request": b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\nGET / HTTP/1.1\r\n",
    "a token without an end": b"PING",
}


@pytest.mark.parametrize("data", BEHIND_A_GREETING.values(), ids=BEHIND_A_GREETING)
def test_what_a_raw_stream_holds_ends(impatient: Proxy, watching: Proxy, origin: Origin, data: bytes) -> None:
    """Closed, or with monitor let go; in neither case is it held for ever."""
    for proxy in (impatient, watching):
        proxy.settled()
        with tunnel(proxy, f"innocent.test:{origin.greeter_port}") as connection:
            assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
            origin.reset()
            connection.sendall(data)
            if proxy is impatient:
                read_all(connection)
                assert origin.received in (b"", data[: data.find(b"\r\n\r\n") + 4])
            else:
                proxy.wait(lambda: origin.received == data, "the held bytes to be let go")
    record = impatient.wait_record(embargo__verdict="block", embargo__error="bytes that became no name in time")
    assert field(record, "embargo.surface") == "tcp"


def test_a_control_character_of_telnet_may_wait(impatient: Proxy, origin: Origin) -> None:
    with tunnel(impatient, f"innocent.test:{origin.greeter_port}") as connection:
        assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
        connection.sendall(b"\xff\xfb\x18")
        assert read_until(connection, b"\x18") == b"250 \xff\xfb\x18"
        connection.sendall(b"\x16")
        time.sleep(2)
        connection.sendall(b"a")
        assert read_until(connection, b"a") == b"250 \x16a"


def test_monitor_lets_go_in_the_end(watching: Proxy, origin: Origin) -> None:
    before = watching.settled()
    with tunnel(watching, f"innocent.test:{origin.greeter_port}") as connection:
        assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
    with tunnel(watching, "innocent.test:80") as connection:
        connection.sendall(b"PING")  # which no HTTP server answers; what counts is that it arrives
        watching.wait(lambda: origin.received == b"PING", "the held bytes to be let go")
    watching.settled()
    records = [r for r in watching.decisions(before) if field(r, "embargo.reason") == "undecided"]
    assert [field(record, "embargo.would") for record in records] == ["block"]


def test_monitor_serves_a_slow_head(watching: Proxy, origin: Origin) -> None:
    with connect(watching) as connection:
        connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\n")
        time.sleep(2)
        connection.sendall(b"Host: innocent.test\r\n\r\n")
        assert read_response(connection)[0] == 200


def test_connections_that_waited_are_forgotten(impatient: Proxy, origin: Origin) -> None:
    for _ in range(20):
        with tunnel(impatient, "innocent.test:443") as connection:
            connection.sendall(HELLO[:50])
    impatient.wait(lambda: (impatient.status() or {}).get("connections") == 0, "all connections to be forgotten")
    assert curl(impatient, "https://innocent.test/").status == 200


STRANGE = {  # names that a ClientHello may carry and that mitmproxy cannot put into a certificate, or cannot read
    "a label that ends in a hyphen": b"a-.innocent.test",
    "a trailing dot": b"innocent.test.",
    "an empty label": b"innocent..test",
    "a label of 64 letters": b"a" * 64 + b".test",
    "no IDNA": b"xn--a.innocent.test",
    "an underscore": b"_a.innocent.test",
    "an address": b"192.0.2.7",
    "a space": b"innocent .test",
    "not ASCII": "bücher.test".encode(),
    "empty": b"",
    "260 letters": b".".join([b"a" * 50] * 5) + b".test",
}


@pytest.mark.parametrize("name", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("which", ["small", "lazy"])
def test_a_strange_server_name_never_hangs(
    request: pytest.FixtureRequest, origin: Origin, which: str, name: bytes
) -> None:
    """Whatever becomes of it, the client hears of it: a ServerHello, an alert, or the end."""
    proxy: Proxy = request.getfixturevalue(which)
    with tunnel(proxy, "innocent.test:443") as connection:
        connection.sendall(with_server_names(HELLO, name))
        first = connection.recv(7)
    assert first[:2] in (b"\x16\x03", b"\x15\x03", b""), first


@pytest.fixture(scope="module")
def lazy(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, options=["--set", "connection_strategy=lazy"])
