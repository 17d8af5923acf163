"""What no app owns, in a protocol that is not read: `settings.unknown_protocol`, and the blind spot that it leaves."""

import re
import socket
import ssl

import pytest

from clienthello import client_hello, with_server_names
from e2e.clients import Refused, curl, read_all, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

ALERT = bytes.fromhex("15030300020231")
GREETING = b"220 greeter ready\r\n"


def with_settings(*lines: str) -> str:
    return SMALL.replace("settings:\n", "settings:\n" + "".join(f"  {line}\n" for line in lines))


@pytest.fixture(scope="module")
def blocking(start_for_module: Start) -> Proxy:
    return start_for_module(with_settings("unknown_protocol: block"))


@pytest.fixture(scope="module")
def closed(start_for_module: Start) -> Proxy:
    """Refuses what it cannot read, and opens no TLS."""
    return start_for_module(with_settings("unknown_protocol: block", "decrypt: none"))


@pytest.fixture(scope="module")
def allowing(start_for_module: Start) -> Proxy:
    return start_for_module(with_settings("unknown_protocol: allow"))


@pytest.fixture(scope="module")
def watching(start_for_module: Start) -> Proxy:
    return start_for_module(with_settings("unknown_protocol: block", "mode: monitor"))


def nameless(proxy: Proxy) -> int:
    return (proxy.status() or {})["flows"]["nameless"]


def greeted(proxy: Proxy, host: str, origin: Origin) -> bytes:
    """What a greeting server behind a tunnel to *host* says; b"" where the tunnel is closed."""
    with tunnel(proxy, f"{host}:{origin.greeter_port}") as connection:
        return read_until(connection, b"\r\n")


def spoken(proxy: Proxy, host: str, data: bytes, origin: Origin) -> bytes:
    """What the origin got of *data* in a tunnel to *host*."""
    with tunnel(proxy, f"{host}:80") as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    return origin.received


@pytest.mark.parametrize("host", ["innocent.test", "192.0.2.7"])
def test_log_lets_it_work_and_records_it(small: Proxy, origin: Origin, host: str) -> None:
    before, blind = small.settled(), nameless(small)
    assert greeted(small, host, origin) == GREETING
    (record,) = small.wait_decisions(before, 1)
    is_nameless = host != "innocent.test"
    assert field(record, "embargo.reason") == ("nameless" if is_nameless else "unknown-protocol")
    assert (field(record, "embargo.verdict"), field(record, "embargo.surface")) == ("log", "tcp")
    assert (field(record, "event.action"), field(record, "event.type")) == ("log", ["connection", "allowed"])
    assert (field(record, "embargo.app"), field(record, "rule.id")) == ([], None)
    assert field(record, "destination.port") == origin.greeter_port
    assert nameless(small) == blind + is_nameless


def test_block_refuses_it_and_says_so(blocking: Proxy, origin: Origin) -> None:
    for host in ("innocent.test", "192.0.2.7"):
        before, blind = blocking.settled(), nameless(blocking)
        assert greeted(blocking, host, origin) == b""
        origin.reset()
        assert spoken(blocking, host, b"\0\1binary\r\n", origin) == b""
        for record in blocking.wait_decisions(before, 2):
            assert field(record, "embargo.verdict") == "block"
            assert field(record, "embargo.reason") == ("unknown-protocol" if host == "innocent.test" else "nameless")
        assert nameless(blocking) == blind


def test_block_leaves_what_is_read_alone(blocking: Proxy, closed: Proxy, origin: Origin) -> None:
    before = blocking.settled(), closed.settled()
    for proxy in (blocking, closed):
        assert curl(proxy, "http://innocent.test/").status == 200
        assert curl(proxy, "https://innocent.test/").status == 200
        assert curl(proxy, "http://192.0.2.7/").status == 200
    assert (blocking.settled(), closed.settled()) == before


def test_allow_lets_it_go_without_a_record_but_counts_the_blind_spot(allowing: Proxy, origin: Origin) -> None:
    before = allowing.settled()
    assert greeted(allowing, "innocent.test", origin) == GREETING
    assert nameless(allowing) == 0
    assert greeted(allowing, "192.0.2.7", origin) == GREETING
    assert nameless(allowing) == 1
    assert allowing.settled() == before
    assert re.search(r"flows .* 1 nameless", allowing.command("status").stdout)


def test_monitor_records_what_it_would_block(watching: Proxy, origin: Origin) -> None:
    before = watching.settled()
    assert greeted(watching, "innocent.test", origin) == GREETING
    (record,) = watching.wait_decisions(before, 1)
    assert (field(record, "embargo.verdict"), field(record, "embargo.would")) == ("log", "block")
    assert field(record, "embargo.reason") == "unknown-protocol"


HELLOS = {
    "no server name": client_hello(None),
    "an address for a name": with_server_names(client_hello(), b"192.0.2.7"),
}


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS)
def test_tls_to_a_bare_address(small: Proxy, blocking: Proxy, closed: Proxy, origin: Origin, hello: bytes) -> None:
    """Recorded and counted; refused only where `block` meets what stays closed."""
    for proxy, first in ((small, b"\x16"), (blocking, b"\x16"), (closed, ALERT[:1])):
        before, blind = proxy.settled(), nameless(proxy)
        origin.reset()
        with tunnel(proxy, "192.0.2.7:443") as connection:
            connection.sendall(hello)
            assert connection.recv(1) == first
        (record,) = proxy.wait_decisions(before, 1)
        assert (field(record, "embargo.reason"), field(record, "embargo.surface")) == ("nameless", "tls")
        assert field(record, "destination.ip") == "192.0.2.7"
        refused = proxy is closed
        assert field(record, "embargo.verdict") == ("block" if refused else "log")
        assert nameless(proxy) == blind + (not refused)
        assert not refused or origin.received == b""


def test_tls_with_a_name_is_no_blind_spot(small: Proxy, closed: Proxy, origin: Origin) -> None:
    for proxy in (small, closed):
        before, blind = proxy.settled(), nameless(proxy)
        tls(tunnel(proxy, "192.0.2.7:443"), "innocent.test").close()
        tls(tunnel(proxy, "innocent.test:443"), None).close()
        assert (proxy.settled(), nameless(proxy)) == (before, blind)


def test_a_blind_spot_is_counted_once_a_connection(small: Proxy, origin: Origin) -> None:
    before, blind = small.settled(), nameless(small)
    with tls(tunnel(small, "192.0.2.7:443"), None) as inside:
        inside.sendall(b"\0\1\2\3 raw inside TLS \r\n")
        inside.shutdown(socket.SHUT_WR)
    small.wait_decisions(before, 1)
    assert nameless(small) == blind + 1


def test_a_reload_that_blocks_it_closes_what_is_open(start: Start, origin: Origin) -> None:
    proxy = start(with_settings("unknown_protocol: log"))
    raw = tunnel(proxy, f"innocent.test:{origin.greeter_port}")
    assert read_until(raw, b"\r\n") == GREETING
    opened = tls(tunnel(proxy, "innocent.test:443"), "innocent.test")
    proxy.policy.write_text(with_settings("unknown_protocol: block"))
    assert read_all(raw) == b""
    opened.sendall(b"GET / HTTP/1.1\r\nHost: innocent.test\r\nConnection: close\r\n\r\n")
    assert b" 200 " in read_all(opened)
    record = proxy.wait_record(embargo__verdict="block")
    assert field(record, "embargo.reason") == "unknown-protocol"


def test_a_banned_address_stays_banned(allowing: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused, match="403"):
        tunnel(allowing, "203.0.113.9:443")
    with pytest.raises(ssl.SSLError):
        tls(tunnel(allowing, "192.0.2.7:443"), "banned.test")
    assert origin.received == b""
