"""The proxy in the modes that carry DNS, a bare one beside it, and clients that ask them by hand."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dns_reading import Read, read
from dns_writing import framed
from e2e.clients import BOUND
from e2e.dns_origin import DnsOrigin
from e2e.proxy import REDIRECT, Proxy

NOERROR, FORMERR, NXDOMAIN, REFUSED = 0, 1, 3, 5  # codes of answers
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
RESOLVER = f"127.53.53.{53 + int(WORKER)}"  # of `--mode dns`, which asks at port 53 alone
POLICY = """\
version: 1
apps:
  bad:
    name: Bad App
    endpoints: [banned.test, {cidr: 203.0.113.0/24}, {cidr: 198.51.100.0/24, port: 8080}]
  quiet: {endpoints: [quiet.test]}
  null: {endpoints: [null.test]}
  paged: {endpoints: [paged.test]}
  known: {endpoints: [alias-we-know.test]}
  later: {endpoints: [later.test]}
  watched: {endpoints: [watched.test]}
rules:
  - {id: known, apps: known, action: allow}
  - {id: later, apps: later, action: block, surfaces: [connect, tls, http, tcp]}
  - {id: watch, apps: watched, action: log}
  - {id: quiet, apps: quiet, action: block, respond: refused}
  - {id: "null", apps: "null", action: block, respond: null-address}
  - {id: paged, apps: paged, action: block, respond: [page, reset, refused, nxdomain]}
  - {id: ban, apps: bad, action: block, message: This app is not allowed here., reason: a secret reason}
"""

type Address = tuple[str, int]


def address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


class Fronts:
    """One proxy in three modes, with the name servers behind it."""

    def __init__(self, proxy: Proxy, listen: list[str]) -> None:
        self.proxy = proxy
        regular, self.reverse, self.resolving = map(address, listen)
        proxy.port = regular[1]


def options(server: DnsOrigin) -> list[str]:
    modes = ["regular@127.0.0.1:0", f"reverse:dns://127.0.0.1:{server.port}@127.0.0.2:0", "dns@127.0.0.3:0"]
    return [part for mode in modes for part in ("--mode", mode)] + [
        "--set", f"dns_name_servers={RESOLVER}", "--set", "dns_use_hosts_file=false",
    ]  # fmt: skip


def fronts(start: Callable[..., Proxy], policy: str, server: DnsOrigin, *more: str) -> Fronts:
    proxy = start(policy, options=[*options(server), *more])
    status = proxy.status()
    assert status is not None
    return Fronts(proxy, sorted(set(status["listen"])))


class Bare:
    """The same mitmdump without us: what leaks there is what a test here can see."""

    def __init__(self, directory: Path, server: DnsOrigin, confdir: Path, environment: dict[str, str]) -> None:
        output = directory / "output.txt"
        arguments = [str(Path(sys.executable).parent / "mitmdump"), "--set", f"confdir={confdir}"]
        arguments += ["--set", "ssl_insecure=true", *options(server), "-s", str(REDIRECT)]
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, cwd=directory
            )
        deadline = time.monotonic() + 30
        while len(found := sorted(set(re.findall(r"listening at (127[\d.]+:\d+)", output.read_text())))) < 3:
            assert self.process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        regular, self.reverse, self.resolving = map(address, found)
        self.port = regular[1]


def udp(front: Address, *messages: bytes) -> list[Read]:
    """The answer to each of *messages*, sent one after another from one socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(BOUND)
        client.connect(front)
        found = []
        for message in messages:
            client.send(message)
            found.append(read(client.recv(65535)))
    return found


def one_message(connection: socket.socket) -> bytes:
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2]):
        piece = connection.recv(65536)
        assert piece, f"closed after {data!r}"
        data += piece
    return data[2:]


def over(connection: socket.socket, *messages: bytes) -> list[Read]:
    """The answers to *messages* over TCP."""
    found = []
    for message in messages:
        connection.sendall(framed(message))
        found.append(read(one_message(connection)))
    return found


def tcp(front: Address, *messages: bytes) -> list[Read]:
    with socket.create_connection(front, timeout=BOUND) as connection:
        return over(connection, *messages)


TRANSPORTS = {"udp": udp, "tcp": tcp}
