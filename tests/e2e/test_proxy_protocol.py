"""Behind a balancer: the client's address comes in the PROXY protocol, from named balancers alone."""

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from e2e.clients import BOUND, curl, read_all, read_response, read_until, tls
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy, field
from e2e.servers import program, serving
from embargo.core.proxy_protocol import SIGNATURE_2
from ports import free_port

BALANCER, STRANGER = "127.0.0.9", "127.0.0.8"
POLICY = SMALL.replace(
    "rules:\n",
    """\
rules:
  - {id: lab, apps: bad, clients: [192.0.2.0/24, "2001:db8::/32"], action: allow}
  - {id: not-them, apps: watched, clients: 198.51.100.7, action: block}
""",
)


@pytest.fixture(scope="module", params=["embargo", "mitmdump"])
def behind(request: pytest.FixtureRequest, start_for_module: Start) -> Proxy:
    if request.param == "embargo":
        return start_for_module(POLICY, command="embargo", flags=["--proxy-protocol-from", f"{BALANCER}/32"])
    return start_for_module(POLICY, options=["--set", f"embargo_balancers={BALANCER}"])


def v1(client: str, port: int = 51000) -> bytes:
    family = 4 if ip_address(client).version == 4 else 6
    return f"PROXY TCP{family} {client} {client} {port} 8080\r\n".encode()


def v2(client: str | None, port: int = 51000, extensions: bytes = b"") -> bytes:
    if client is None:
        return SIGNATURE_2 + struct.pack("!BBH", 0x20, 0, 0)
    packed = ip_address(client).packed
    body = packed * 2 + struct.pack("!HH", port, 8080) + extensions
    return SIGNATURE_2 + struct.pack("!BBH", 0x21, 0x11 if len(packed) == 4 else 0x21, len(body)) + body


def dial(proxy: Proxy, source: str = BALANCER) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=BOUND, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def get(host: str) -> bytes:
    return f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def counts(proxy: Proxy) -> dict[str, Any]:
    status = proxy.status()
    assert status is not None
    return status["proxy_protocol"]


HEADS = {  # case: (head, host, status, client in the record)
    "v1": (v1("192.0.2.7"), "banned.test", 200, "192.0.2.7"),
    "v1, IPv6": (v1("2001:db8::7"), "banned.test", 200, "2001:db8::7"),
    "v2": (v2("192.0.2.7"), "banned.test", 200, "192.0.2.7"),
    "v2, IPv6": (v2("2001:db8::7"), "banned.test", 200, "2001:db8::7"),
    "v2 with extensions": (v2("192.0.2.7", extensions=b"\x04\x00\x04abcd" * 20), "banned.test", 200, "192.0.2.7"),
    "no rule for this client": (v2("203.0.113.1"), "banned.test", 403, "203.0.113.1"),
    "a rule for this client": (v1("198.51.100.7"), "watched.test", 403, "198.51.100.7"),
    "no rule for another": (v1("198.51.100.8"), "watched.test", 200, "198.51.100.8"),
    "v1 of unknown origin": (b"PROXY UNKNOWN\r\n", "banned.test", 403, BALANCER),
    "the balancer's own": (v2(None), "banned.test", 403, BALANCER),
}


@pytest.mark.parametrize(("head", "host", "status", "client"), HEADS.values(), ids=HEADS)
def test_the_client_is_whom_the_head_says(
    behind: Proxy, origin: Origin, head: bytes, host: str, status: int, client: str
) -> None:
    before = behind.settled()
    with dial(behind) as connection:
        connection.sendall(head + get(host))
        assert read_response(connection)[0] == status
    (record,) = behind.wait_decisions(before, 1)
    assert field(record, "source.ip") == client
    assert (field(record, "source.port") == 51000) is (client != BALANCER)
    if status == 403:
        assert origin.connections == 0


@pytest.mark.parametrize("head", [v1("192.0.2.7"), v2("192.0.2.7")], ids=["v1", "v2"])
def test_a_head_in_single_bytes(behind: Proxy, origin: Origin, head: bytes) -> None:
    with dial(behind) as connection:
        for byte in head + get("banned.test"):
            connection.sendall(bytes([byte]))
        assert read_response(connection)[0] == 200


@pytest.mark.parametrize("head", [v1("192.0.2.7"), v2("192.0.2.7")], ids=["v1", "v2"])
def test_a_tunnel_right_behind_the_head(behind: Proxy, origin: Origin, head: bytes) -> None:
    with dial(behind) as connection:
        connection.sendall(head + b"CONNECT banned.test:443 HTTP/1.1\r\nHost: banned.test:443\r\n\r\n")
        assert b" 200 " in read_until(connection, b"\r\n\r\n")
        with tls(connection, "banned.test") as inside:
            inside.sendall(b"GET / HTTP/1.1\r\nHost: banned.test\r\n\r\n")
            assert read_response(inside)[0] == 200


def test_tls_to_the_proxy_right_behind_the_head(behind: Proxy, origin: Origin) -> None:
    """The ClientHello in the segment of the head: not one byte of it may be lost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    talk = context.wrap_bio(incoming, outgoing, server_hostname="proxy.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    with dial(behind) as connection:
        connection.sendall(v2("192.0.2.7") + outgoing.read())
        while True:
            try:
                talk.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outgoing.read())
                incoming.write(connection.recv(65536))
        talk.write(get("banned.test"))
        connection.sendall(outgoing.read())
        answer = b""
        while b"\r\n\r\n" not in answer:
            try:
                answer += talk.read()
            except ssl.SSLWantReadError:
                incoming.write(connection.recv(65536))
    assert answer.startswith(b"HTTP/1.1 200 ")


REFUSED = {  # case: (bytes from a named balancer, part of the record's error)
    "no head": (get("innocent.test"), "neither signature"),
    "TLS at once": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "neither signature"),
    "malformed": (b"PROXY TCP4 x y 1 2\r\n" + get("innocent.test"), "cannot be read"),
    "an endless line": (b"PROXY UNKNOWN " + b"x" * 4096, "more than 107"),
    "an oversized head": (SIGNATURE_2 + b"\x21\x11\xff\xff" + bytes(70_000), "more than 4096"),
    "a bad length": (SIGNATURE_2 + b"\x21\x11\x00\x04" + b"\xc0\x00\x02\x07" + get("innocent.test"), "too short"),
    "another version": (SIGNATURE_2 + b"\x11\x11\x00\x0c" + bytes(12), "version 1"),
}


@pytest.mark.parametrize(("data", "error"), REFUSED.values(), ids=REFUSED)
def test_without_a_head_a_balancer_gets_nothing(behind: Proxy, origin: Origin, data: bytes, error: str) -> None:
    before, refused = behind.settled(), counts(behind)["refused"]
    with dial(behind) as connection:
        with contextlib.suppress(OSError):  # it may be closed while we write
            connection.sendall(data)
        assert read_all(connection) == b""
    (record,) = behind.wait_decisions(before, 1)
    assert error in field(record, "embargo.error")
    assert (field(record, "embargo.verdict"), field(record, "embargo.reason")) == ("block", "undecided")
    assert field(record, "source.ip") == BALANCER
    assert counts(behind)["refused"] == refused + 1
    assert origin.connections == 0


def test_a_head_that_ends_in_the_middle(behind: Proxy, origin: Origin) -> None:
    before = behind.settled()
    with dial(behind) as connection:
        connection.sendall(v2("192.0.2.7")[:20])
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    assert "not whole" in field(behind.wait_decisions(before, 1)[0], "embargo.error")


def test_a_balancer_that_says_nothing_is_not_waited_for(behind: Proxy, origin: Origin) -> None:
    before = behind.settled()
    with dial(behind) as silent, dial(behind) as slow, dial(behind) as whole:
        slow.sendall(b"PROXY TCP4 192.")
        whole.sendall(v2("192.0.2.7") + get("banned.test"))
        assert read_response(whole)[0] == 200, "others do not wait for it"
        assert read_all(silent) == read_all(slow) == b""
    late = [r for r in behind.wait_decisions(before, 3) if "within" in (field(r, "embargo.error") or "")]
    assert len(late) == 2


def test_health_checks_make_no_noise(behind: Proxy, origin: Origin) -> None:
    before, said, own = behind.settled(), behind.text(), counts(behind)["own"]
    for head in (b"", b"", v2(None), b"PROXY UNKNOWN\r\n"):
        with dial(behind) as connection:
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == b""
    with dial(behind) as reset:  # as a balancer does that is content with the handshake
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    behind.wait(lambda: counts(behind)["own"] == own + 5, "all to be counted")
    assert behind.settled() == before
    news = behind.text().removeprefix(said)
    assert not [line for line in news.splitlines() if "connect" not in line], "mitmdump's own lines about connections"


STRANGERS = {  # case: pieces in which the head comes
    "v1": [v1("192.0.2.7") + get("banned.test")],
    "v2": [v2("192.0.2.7") + get("banned.test")],
    "v1 in two pieces": [v1("192.0.2.7")[:3], v1("192.0.2.7")[3:] + get("banned.test")],
    "v2 in two pieces": [v2("192.0.2.7")[:5], v2("192.0.2.7")[5:] + get("banned.test")],
    "v1 of unknown origin": [b"PROXY UNKNOWN\r\n" + get("banned.test")],
}


@pytest.mark.parametrize("pieces", STRANGERS.values(), ids=STRANGERS)
def test_a_head_from_anybody_else_is_refused(behind: Proxy, origin: Origin, pieces: list[bytes]) -> None:
    before, refused = behind.settled(), counts(behind)["refused"]
    with dial(behind, STRANGER) as connection:
        for piece in pieces:
            with contextlib.suppress(OSError):
                connection.sendall(piece)
        assert read_all(connection) == b""
    (record,) = behind.wait_decisions(before, 1)
    assert "not named" in field(record, "embargo.error")
    assert field(record, "source.ip") == STRANGER, "nobody is whom he says he is"
    assert counts(behind)["refused"] == refused + 1
    assert origin.connections == 0


HONEST = {"GET": b"GET ", "POST": b"POST ", "PUT": b"PUT ", "PROPFIND": b"PROPFIND ", "PROX": b"PROX "}


@pytest.mark.parametrize("method", HONEST.values(), ids=HONEST)
def test_everybody_else_is_served_as_ever(behind: Proxy, origin: Origin, method: bytes) -> None:
    request = method + get("innocent.test").partition(b" ")[2].replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
    with dial(behind, STRANGER) as connection:
        for byte in request:
            connection.sendall(bytes([byte]))
        assert read_response(connection)[0] == 200


def test_nobody_is_named(start: Start, origin: Origin) -> None:
    """Without the option no head is believed either, and the record says what the operator forgot."""
    proxy = start(POLICY)
    with dial(proxy) as connection:
        connection.sendall(v1("192.0.2.7") + get("banned.test"))
        assert read_all(connection) == b""
    assert "not named" in field(proxy.wait_record(embargo__reason="undecided"), "embargo.error")


def test_monitor_does_not_guess_either(start: Start, origin: Origin) -> None:
    proxy = start(
        POLICY.replace("settings:\n", "settings:\n  mode: monitor\n"),
        options=["--set", f"embargo_balancers={BALANCER}"],
    )
    with dial(proxy) as connection:
        connection.sendall(get("innocent.test"))
        assert read_all(connection) == b""
    assert field(proxy.wait_record(embargo__reason="undecided"), "embargo.verdict") == "block"
    with dial(proxy) as connection:
        connection.sendall(v1("203.0.113.1") + get("banned.test"))
        assert read_response(connection)[0] == 200


@pytest.mark.parametrize("wrong", ["10.0.9.1/24", "balancer.test", ""])
def test_what_is_no_network_ends_the_start(start: Start, wrong: str) -> None:
    proxy = start(POLICY, ready=False, options=["--set", f"embargo_balancers={wrong}"])
    assert proxy.process.wait(PATIENCE) == 1
    assert f"embargo_balancers: found {wrong!r}, expected an address or a network" in proxy.text()
    assert "Traceback" not in proxy.text()


def test_a_password_behind_a_balancer(start: Start, origin: Origin) -> None:
    proxy = start(POLICY, options=["--set", f"embargo_balancers={BALANCER}", "--set", "proxyauth=alice:single-secret"])
    with dial(proxy) as connection:
        connection.sendall(v2("203.0.113.5") + get("watched.test"))
        assert read_response(connection)[0] == 407
        connection.sendall(
            get("watched.test").replace(
                b"\r\n\r\n", b"\r\nProxy-Authorization: Basic YWxpY2U6c2luZ2xlLXNlY3JldA==\r\n\r\n"
            )
        )
        assert read_response(connection)[0] == 200
    record = proxy.wait_record(user__name="alice")
    assert field(record, "source.ip") == "203.0.113.5"


HAPROXY = """\
global
    log stderr local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen proxies
    bind 127.0.0.1:{port}
    balance leastconn
    option tcp-check
    server one 127.0.0.1:{to} check inter 200ms send-proxy-v2 check-send-proxy source 127.0.0.9
"""


@pytest.fixture
def haproxy(behind: Proxy, tmp_path: Path) -> Iterator[int]:
    """A real HAProxy before the proxy; its port."""
    port = free_port()
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(port=port, to=behind.port))
    with serving([program("haproxy"), "-db", "-f", configuration], port, tmp_path / "haproxy.txt"):
        yield port


CLIENTS = {  # case: (client address, host, status): the policy below has rules by address
    "in the lab": ("127.0.0.21", "banned.test", 200),
    "elsewhere": ("127.0.0.22", "banned.test", 403),
}


@pytest.mark.parametrize(("client", "host", "status"), CLIENTS.values(), ids=CLIENTS)
def test_behind_haproxy(behind: Proxy, origin: Origin, haproxy: int, client: str, host: str, status: int) -> None:
    original = behind.policy.read_text()
    old = (behind.status() or {})["policy"]["digest"]
    behind.policy.write_text(original.replace("192.0.2.0/24", "127.0.0.21/32"))
    behind.wait(lambda: (behind.status() or {})["policy"]["digest"] != old, "the policy with the client's address")
    try:
        before, own = behind.settled(), counts(behind)["own"]
        for scheme in ("http", "https"):
            answer = curl(behind, "-x", f"http://127.0.0.1:{haproxy}", "--interface", client, f"{scheme}://{host}/")
            assert status in (answer.status, answer.connect)
        records = behind.wait_decisions(before, 2)
        assert {field(record, "source.ip") for record in records} == {client}
        behind.wait(lambda: counts(behind)["own"] > own + 1, "health checks to be seen")
        assert all(field(record, "source.ip") == client for record in behind.decisions(before)), "and not heard"
    finally:
        behind.policy.write_text(original)
        behind.wait(lambda: (behind.status() or {})["policy"]["digest"] == old, "the policy as it was")


def test_in_socks_mode(start: Start, origin: Origin) -> None:
    """Whoever asks for the head asks before the mode's own protocol begins."""
    proxy = start(POLICY, options=["--mode", "socks5", "--set", f"embargo_balancers={BALANCER}"])
    for client, status in (("192.0.2.7", 200), ("203.0.113.1", None)):
        with dial(proxy) as connection:
            connection.sendall(v2(client) + b"\x05\x01\x00")
            assert connection.recv(2) == b"\x05\x00"
            connection.sendall(b"\x05\x01\x00\x03\x0bbanned.test\x00\x50")
            reply = connection.recv(10)
            assert (reply[1] == 0) is (status == 200)
            if status:
                connection.sendall(get("banned.test").replace(b"http://banned.test", b""))
                assert read_response(connection)[0] == status
        assert field(proxy.wait_record(source__ip=client), "embargo.app") == ["bad"]
