"""Clients that hold on: slow ones, endless ones, silent ones. They are bounded, and nobody waits for them."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from clienthello import client_hello
from e2e.clients import Refused, connect, curl, read_all, read_response, read_until, tunnel
from e2e.conftest import HERE, SMALL, Start
from e2e.origin import Origin
from e2e.process import own_memory
from e2e.proxy import Proxy, field

QUIET = ("--set", "flow_detail=0", "--set", "termlog_verbosity=warn")
READ = 65535  # bytes that mitmproxy reads at a time
MIB = 1024 * 1024


def pour(connection: socket.socket, piece: bytes, most: int) -> int:
    """Send *piece* again and again until the peer closes, or *most* bytes have gone; how many went."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < most:
            sent += connection.send(piece)
    return sent


def still_answers(proxy: Proxy) -> None:
    assert curl(proxy, "http://banned.test/the-secret").status == 403
    assert curl(proxy, "http://innocent.test/").status == 200


ENDLESS = {  # what comes before the pieces, and the piece that is repeated
    "a header": (b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"),
    "one header line": (b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\nX: ", b"x" * 1000),
    "a request line": (b"GET http://innocent.test/", b"x" * 1000),
    "a line break": (b"", b"\r\n" * 500),
}


@pytest.fixture(scope="module")
def proxy(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, options=QUIET)


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("place", ["of the proxy", "of a second request", "inside a tunnel"])
def test_an_endless(proxy: Proxy, origin: Origin, begin: bytes, piece: bytes, place: str) -> None:
    """The connection is closed at a bound, far below what was sent, and it is recorded."""
    before, held = proxy.settled(), own_memory(proxy.process.pid)
    inside = place == "inside a tunnel"
    if inside:
        begin = begin.replace(b"http://banned.test", b"").replace(b"http://innocent.test", b"")
    with tunnel(proxy, "innocent.test:80") if inside else connect(proxy) as connection:
        if place == "of a second request":
            connection.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
            assert b"bytes\n" in read_until(connection, b"bytes\n")
        origin.reset()
        connection.sendall(begin)
        assert pour(connection, piece, 64 * MIB) < 32 * MIB, "it takes all that is sent"
    assert own_memory(proxy.process.pid) - held < 16 * MIB
    (record, *_) = proxy.wait_decisions(before, 1)
    assert field(record, "embargo.verdict") == "block"
    assert origin.connections <= inside  # which mitmproxy opens before the first byte
    assert origin.received == b""
    still_answers(proxy)


def test_an_endless_body_of_a_refused_request(proxy: Proxy, origin: Origin) -> None:
    before, held = proxy.settled(), own_memory(proxy.process.pid)
    with connect(proxy) as connection:
        connection.sendall(
            b"POST http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        sent = pour(connection, b"3e8\r\n" + b"x" * 1000 + b"\r\n", 64 * MIB)
    assert sent < 32 * MIB
    assert own_memory(proxy.process.pid) - held < 16 * MIB
    (record,) = proxy.wait_decisions(before, 1)
    assert field(record, "embargo.verdict") == "block"
    assert origin.connections == 0
    still_answers(proxy)


@pytest.fixture
def impatient(start: Start) -> Proxy:
    """The wait for a head is a second here instead of half a minute."""
    return start(SMALL, options=QUIET, after=[HERE / "impatient.py"])


def drip(connection: socket.socket, data: bytes) -> Iterator[bytes]:
    """Send *data* a byte at a time, for as long as the peer takes it."""
    for number in range(len(data)):
        try:
            connection.sendall(data[number : number + 1])
        except OSError:
            return
        yield data[: number + 1]


SLOW = {  # what is sent byte by byte, and whether inside a tunnel
    "a request": (b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nX: " + b"x" * 400, False),
    "a request in a tunnel": (b"GET / HTTP/1.1\r\nHost: banned.test\r\nX: " + b"x" * 400, True),
    "a ClientHello": (client_hello("www.banned.test"), True),
}


@pytest.mark.parametrize(("data", "inside"), SLOW.values(), ids=SLOW)
def test_a_client_that_sends_a_byte_now_and_then(impatient: Proxy, origin: Origin, data: bytes, inside: bool) -> None:
    """It is not the bytes that keep a connection open: their end has to come in time."""
    connection = tunnel(impatient, "innocent.test:443") if inside else connect(impatient)
    begun = time.monotonic()
    for _ in drip(connection, data):
        still_answers(impatient) if time.monotonic() - begun < 0.2 else time.sleep(0.05)
        assert time.monotonic() - begun < 15, "it is never closed"
    read_all(connection)
    assert b"banned" not in origin.received
    impatient.wait_record(embargo__verdict="block", embargo__reason="undecided")
    still_answers(impatient)


def test_a_client_that_never_reads_its_pages(proxy: Proxy, origin: Origin) -> None:
    """Thousands of refused requests, pipelined: once its buffers are full, no more are read."""
    request = b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nAccept: text/html\r\n\r\n"
    with connect(proxy) as one:
        one.sendall(request)
        page = len(read_response(one)[1])
    held = own_memory(proxy.process.pid)
    with contextlib.ExitStack() as stack:
        sent = []
        for _ in range(20):
            connection = stack.enter_context(connect(proxy))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(1)
            sent.append(pour(connection, request * 500, 8 * MIB))
        assert all(count < 8 * MIB for count in sent), "they are all read, and their answers kept"
        of_one_read = READ // len(request) * page  # bytes of answers, before which nothing holds the client up
        assert own_memory(proxy.process.pid) - held < 20 * 1.5 * of_one_read
        still_answers(proxy)
        assert b"banned" not in origin.received
    proxy.wait(lambda: proxy.status()["connections"] == 0, "the connections to end")  # type: ignore[index]


def test_a_client_that_reads_its_page_a_byte_at_a_time(proxy: Proxy, origin: Origin) -> None:
    with connect(proxy) as connection:
        connection.sendall(b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nAccept: text/html\r\n\r\n")
        page = b""
        while b"</html>" not in page and (byte := connection.recv(1)):
            page += byte
            if len(page) == 100:
                still_answers(proxy)
    assert b"Bad App is blocked" in page


def test_a_storm_of_half_closed_and_reset_connections(proxy: Proxy, origin: Origin) -> None:
    """A FIN right behind the request, a RST in the middle of it, a CONNECT that is dropped."""
    request = b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n"

    def storm() -> None:
        for number in range(100):
            with contextlib.suppress(OSError, Refused):
                connection = connect(proxy)
                connection.sendall(request[: 20 + number])
                connection.shutdown(socket.SHUT_WR)
                if number % 3 == 0:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                if number % 3 == 1:
                    read_all(connection)
                connection.close()
                tunnel(proxy, "banned.test:443").close()

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    proxy.wait(lambda: proxy.status()["connections"] == 0, "the connections to end")  # type: ignore[index]
    assert origin.connections == 0
    still_answers(proxy)
