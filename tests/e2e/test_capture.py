"""What real clients say on the wire, captured by tcpdump, is found by `embargo replay`: every name of them."""

import contextlib
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from clienthello import client_hello
from e2e.datagrams import DatagramOrigin, http3
from e2e.dns_origin import DnsOrigin
from e2e.namespace import Namespace
from e2e.origin import Origin
from e2e.proxy import PATIENCE
from e2e.servers import program
from embargo.cli.main import main
from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.review.sources import Format, open_source

LAST = "last.marker.test"
PROTOCOLS = [f"{'p' * 240}{number}" for number in range(5)]  # fill a second Initial
ASKED = {  # client: (surface, name); each is asked for once, by that client alone
    "curl, HTTP/1.1 over TLS": (None, "one.tls.test"),
    "curl, HTTP/2 over TLS": (None, "two.tls.test"),
    "curl, TLS 1.2": (None, "old.tls.test"),
    "a ClientHello in two segments": (None, "split.tls.test"),
    "openssl": (None, "openssl.tls.test"),
    "curl, http": (None, "plain.http.test"),
    "dig": (Surface.DNS, "udp.dns.test"),
    "dig, TCP": (Surface.DNS, "tcp.dns.test"),
    "QUIC": (Surface.QUIC, "one.quic.test"),
    "QUIC, version 2": (Surface.QUIC, "two.quic.test"),
    "QUIC, two Initials": (Surface.QUIC, "split.quic.test"),
}
POLICY = """\
version: 1
apps: {wanted: {endpoints: [tls.test, http.test, dns.test, quic.test]}}
rules: [{id: ban, apps: wanted, action: block}]
"""


@dataclass(frozen=True)
class Captured:
    """Captures of the same traffic."""

    ethernet: Path
    cooked: Path  # of all devices at once: Linux cooked, version 2 or 1
    http_port: int


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Captured]:
    place = tmp_path_factory.mktemp("capture")
    namespace = Namespace()
    try:
        origin = Origin(place / "origin")
        namespace.run(origin.start)
        quic = DatagramOrigin(origin.certificate, origin.key)
        namespace.run(quic.start)
        dns = namespace.run(lambda: DnsOrigin(port=53))
        # the origin has a relay before it, whose own connections say the same once more
        ports = " or ".join(f"port {port}" for port in (53, origin.http_port, origin.https_port, quic.quic_port))
        with (
            capturing(namespace, "lo", place / "lo.pcap", ports),
            capturing(namespace, "any", place / "any.pcap", ports),
        ):
            clients(namespace, origin, quic)
            found = (place / "lo.pcap", place / "any.pcap")
            deadline = time.monotonic() + PATIENCE
            while any(b"\6marker" not in path.read_bytes() for path in found):
                assert time.monotonic() < deadline, "tcpdump writes as packets come"
                time.sleep(0.02)
        yield Captured(*found, http_port=origin.http_port)
        dns.stop()
        quic.stop()
        origin.stop()
    finally:
        namespace.close()


@contextlib.contextmanager
def capturing(namespace: Namespace, device: str, file: Path, wanted: str) -> Iterator[None]:
    """tcpdump of *device*, from when it listens on."""
    command = [program("tcpdump"), "-i", device, "-n", "-U", "--immediate-mode", "-Z", "root", "-w", str(file), wanted]
    process = subprocess.Popen(namespace.command(*command), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "listening on" in line:
                break
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        process.stderr.close()


def clients(namespace: Namespace, origin: Origin, quic: DatagramOrigin) -> None:
    def run(*command: str, stdin: str = "") -> None:
        done = subprocess.run(
            namespace.command(*command), input=stdin, capture_output=True, text=True, timeout=PATIENCE * 4
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    def curl(client: str, scheme: str, *options: str) -> None:
        name = ASKED[client][1]
        port = origin.http_port if scheme == "http" else origin.https_port
        way = ["--noproxy", "*", "--resolve", f"{name}:{port}:127.0.0.1"]
        run(program("curl"), "-sSk", "-o", "/dev/null", *way, *options, f"{scheme}://{name}:{port}/path?{client[:4]}=1")

    def quickly(client: str, **options: object) -> None:
        name = ASKED[client][1]
        (answer,) = namespace.run(lambda: http3(("127.0.0.1", quic.quic_port), name, (name, "/"), **options))
        assert answer.status == 200, client

    curl("curl, HTTP/1.1 over TLS", "https", "--http1.1")
    curl("curl, HTTP/2 over TLS", "https", "--http2")
    curl("curl, TLS 1.2", "https", "--tls-max", "1.2")
    curl("curl, http", "http", "--http1.1", "-A", "capture-test")
    run(program("openssl"), "s_client", "-connect", f"127.0.0.1:{origin.https_port}", "-servername",
        ASKED["openssl"][1], stdin="Q\n")  # fmt: skip
    run("dig", "@127.0.0.1", "+tries=1", ASKED["dig"][1])
    run("dig", "@127.0.0.1", "+tcp", "+tries=1", ASKED["dig, TCP"][1])
    quickly("QUIC")
    quickly("QUIC, version 2", original_version=0x6B3343CF)
    quickly("QUIC, two Initials", alpn_protocols=["h3", *PROTOCOLS])
    namespace.run(lambda: in_two_segments(origin.https_port, client_hello(ASKED["a ClientHello in two segments"][1])))
    run("dig", "@127.0.0.1", "+tries=1", LAST)


def in_two_segments(port: int, hello: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(hello[:100])
        connection.sendall(hello[100:])
        assert connection.recv(1) == b"\x16", "the server took it for a ClientHello"


def read(path: Path, kind: Format = Format.PCAP) -> tuple[list[Seen], list[Unread]]:
    source = open_source(str(path))
    assert source.format is kind
    items = list(source)
    return [item for item in items if isinstance(item, Seen)], [item for item in items if isinstance(item, Unread)]


@pytest.mark.parametrize("which", ["ethernet", "cooked"])
def test_every_name_is_found(captured: Captured, which: str) -> None:
    seen, unread = read(getattr(captured, which))
    assert unread == []
    found = {(item.surface, host_of(item.request)) for item in seen}
    assert found == {*ASKED.values(), (Surface.DNS, LAST)}
    assert all(str(item.client) == "127.0.0.1" and item.time is not None for item in seen)
    assert [item.time for item in seen] == sorted(item.time for item in seen if item.time is not None)


def test_http_has_its_url(captured: Captured) -> None:
    seen, _ = read(captured.ethernet)
    (plain,) = [item for item in seen if "plain.http.test" in item.request]
    assert plain.request == f"http://plain.http.test:{captured.http_port}/path?curl=1"
    assert plain.user_agent == "capture-test"


def test_replay_tells_them(captured: Captured, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    result = CliRunner().invoke(main, ["replay", "--json", "--policy", str(policy), str(captured.ethernet)])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["block"], found["unread"]["count"]) == (len(ASKED), 0)
    assert {row["key"] for row in found["by"]["host"]["rows"] if row["block"]} == {name for _, name in ASKED.values()}
    assert [(row["key"], row["block"]) for row in found["by"]["client"]["rows"]] == [("127.0.0.1", len(ASKED))]


def test_a_capture_that_is_cut_tells_what_it_has(captured: Captured, tmp_path: Path) -> None:
    whole = captured.ethernet.read_bytes()
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(whole[:-7])
    seen, unread = read(cut)
    assert {host_of(item.request) for item in seen} == {name for _, name in ASKED.values()} | {LAST}
    assert [item.why for item in unread] == ["the file is cut within it"]


def host_of(request: str) -> str:
    return request.rpartition("://")[2].partition("/")[0].partition(":")[0]
