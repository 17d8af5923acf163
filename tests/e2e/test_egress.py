"""deploy/egress.nft on a real router between namespaces: only the proxy goes out, and `probe --from-client` agrees."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.namespace import Namespace
from e2e.proxy import ROOT
from embargo.core.pattern import Kind
from embargo.probe.client import source
from embargo.probe.targets import Target
from probe.outside import LONGEST, Outside, reported

CLIENT, PROXY, RESOLVER = "10.0.0.2", "10.0.0.8", "10.0.0.53"
WORLD = "203.0.113.10"
BANNED = Target(
    app="bad", endpoint=f"host:{WORLD}", kind=Kind.HOST, host=WORLD, port=443, path="/", user_agent="", blocked={}
)
PORT = 3128
PROGRAM = source([BANNED], control=(WORLD, 443), proxy=(PROXY, PORT))
WAYS = {
    "direct TCP", "direct UDP (QUIC)", "direct HTTP", "outside DNS, UDP", "outside DNS, TCP", "DNS over TLS",
    "DNS over QUIC", "DNS over HTTPS",
}  # fmt: skip


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=LONGEST)


class Network:
    """Client, proxy and world in namespaces of their own, and a router between them."""

    def __init__(self, directory: Path) -> None:
        self.lan, self.world, self.router = Namespace(), Namespace(), Namespace()
        for inner, outer, near, far, there in (
            ("lan1", "lan0", f"{CLIENT}/24", "10.0.0.1/24", self.lan),
            ("world1", "wan0", f"{WORLD}/24", "203.0.113.1/24", self.world),
        ):
            ip("-n", self.router.name, "link", "add", outer, "type", "veth", "peer", inner, "netns", there.name)
            ip("-n", self.router.name, "address", "add", far, "dev", outer)
            ip("-n", self.router.name, "link", "set", outer, "up")
            ip("-n", there.name, "address", "add", near, "dev", inner)
            ip("-n", there.name, "link", "set", inner, "up")
            ip("-n", there.name, "route", "add", "default", "via", far.partition("/")[0])
        for address in (PROXY, RESOLVER):
            ip("-n", self.lan.name, "address", "add", f"{address}/24", "dev", "lan1")
        forwarding = self.router.command("sysctl", "-qw", "net.ipv4.ip_forward=1")
        subprocess.run(forwarding, check=True, capture_output=True, timeout=LONGEST)
        self._proxy = self.lan.run(lambda: socket.create_server((PROXY, PORT)))
        threading.Thread(target=self._answer, daemon=True).start()
        self.outside = self.world.run(lambda: Outside(directory, WORLD, well_known=True))

    def _answer(self) -> None:
        """A proxy that is alive: the program asks it for that alone."""
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._proxy.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def nft(self, *arguments: str) -> str:
        done = subprocess.run(
            self.router.command("nft", *arguments), capture_output=True, text=True, timeout=LONGEST, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self, source_address: str) -> tuple[int, dict[str, Any]]:
        """What the program for clients finds, as *source_address*."""
        ip("-n", self.lan.name, "route", "replace", "default", "via", "10.0.0.1", "src", source_address)
        where = ["--resolver", WORLD, "--doh", f"doh.test={WORLD}", "--quic", WORLD, "--timeout", "2", "--json"]
        return reported(self.lan.command(sys.executable, "-", *where), input=PROGRAM)

    def close(self) -> None:
        self.outside.stop()
        self._proxy.shutdown(socket.SHUT_RDWR)
        self._proxy.close()
        for namespace in (self.lan, self.world, self.router):
            namespace.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    assert os.geteuid() == 0, "namespaces are root's to make"
    assert shutil.which("nft"), "no nft: run tools/install-test-tools"
    made = Network(tmp_path_factory.mktemp("outside"))
    yield made
    made.close()


def ways(report: dict[str, Any], outcome: str) -> set[str]:
    return {way["way"] for way in report["ways"] if way["outcome"] == outcome}


def test_only_the_proxy_goes_out(network: Network) -> None:
    code, report = network.look(CLIENT)
    assert (code, ways(report, "open")) == (1, WAYS), "without the rules everything is open"

    network.nft("-f", str(ROOT / "deploy" / "egress.nft"))
    code, report = network.look(CLIENT)
    assert (code, ways(report, "closed")) == (0, WAYS), report
    code, report = network.look(PROXY)
    assert (code, ways(report, "open")) == (1, WAYS)

    counted = network.nft("list", "table", "inet", "embargo_egress")
    for what in ("QUIC", "DNS", "DNS over TLS and QUIC", "HTTPS and DNS over HTTPS", "other TCP"):
        line = next(line for line in counted.splitlines() if f'comment "{what}"' in line)
        assert "packets 0 " not in line, line

    network.nft("-f", str(ROOT / "deploy" / "egress.nft"))  # a second time changes nothing
    network.nft("delete", "table", "inet", "embargo_egress")
    assert network.look(CLIENT)[0] == 1


def test_refusals_are_told_at_once(network: Network) -> None:
    """A client that is told falls back in a moment; of datagrams some are told: kernels limit how often (icmp(7))."""
    network.nft("-f", str(ROOT / "deploy" / "egress.nft"))
    code, report = network.look(CLIENT)
    assert code == 0
    details: dict[str, set[str]] = {}
    for way in report["ways"]:
        details.setdefault(way["way"], set()).add(way["detail"])
    over_tcp = [details[way] for way in ("direct TCP", "direct HTTP", "DNS over HTTPS")]
    assert over_tcp == [{"Connection refused"}] * 3
    assert any("No route to host" in seen for seen in details.values()), details
