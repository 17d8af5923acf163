"""The modes in which clients know of no proxy: all that leaves their network namespace goes through it."""

import itertools
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from mitmproxy_rs import wireguard

from e2e.namespace import Namespace
from e2e.wireguard import Tunnel, _open_tun
from evasion.origin import Origin
from evasion.ways import PATIENCE, Refusal
from ports import free_port

_numbers = itertools.count()
_PORTS = {22: False, 80: False, 443: False, 1080: False, 25: True, 587: True}  # whether the server there greets


@dataclass
class Routed:
    """A client in a namespace of its own, which dials addresses."""

    mode: str
    namespace: Namespace
    used: set[int] = field(default_factory=set)
    by_address: bool = True

    def dial(self, host: str = "", port: int = 0) -> socket.socket:
        """A socket with a port of its own; where no connection comes about, records tell that port all the same."""
        while True:
            connection = self.namespace.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            connection.bind(("", 0))
            source = connection.getsockname()[1]
            if source not in self.used:
                self.used.add(source)
                return connection
            connection.close()

    def enter(self, connection: socket.socket, host: str, port: int) -> None:
        connection.settimeout(PATIENCE)
        try:
            connection.connect((host, port))
        except ConnectionError as error:
            raise Refusal(repr(error).encode()) from error


class Tun:
    """mitmproxy's `tun` mode: its device moves into the client's namespace."""

    mode = "tun"

    def __init__(self, directory: Path) -> None:
        self.device = f"eva{os.getpid() % 100_000}x{next(_numbers)}"
        self.namespace = Namespace()
        self.option = f"tun:{self.device}"

    def join(self) -> None:
        """Once the proxy is there."""
        deadline = time.monotonic() + 30
        while not Path("/sys/class/net", self.device).exists():
            assert time.monotonic() < deadline, "mitmproxy has made no TUN device"
            time.sleep(0.02)
        self.namespace.adopt(self.device)

    def close(self) -> None:
        self.namespace.close()


class WireGuard:
    """mitmproxy's `wireguard` mode."""

    mode = "wireguard"

    def __init__(self, directory: Path) -> None:
        self._keys = {"server_key": wireguard.genkey(), "client_key": wireguard.genkey()}
        keys = directory / "wireguard.conf"
        keys.write_text(json.dumps(self._keys))
        self._port = free_port()
        self.namespace = Namespace()
        self.option = f"wireguard:{keys}@{self._port}"
        self._tunnel: Tunnel | None = None

    def join(self) -> None:
        """Once the proxy is there."""
        device = self.namespace.run(lambda: _open_tun("wg0"))
        self.namespace.route("wg0")
        server = ("127.0.0.1", self._port)
        self._tunnel = Tunnel(device, server, self._keys["client_key"], self._keys["server_key"])

    def close(self) -> None:
        if self._tunnel is not None:
            self._tunnel.close()
        self.namespace.close()


class Transparent:
    """mitmproxy's `transparent` mode: a router redirects what its clients send, and is all the world."""

    mode = "transparent"
    port = 8080

    def __init__(self, origin: Origin) -> None:
        self.router, self.namespace = Namespace(), Namespace()
        ours, its = f"evr{os.getpid() % 100_000}", f"evc{os.getpid() % 100_000}"
        for command in (
            f"ip -n {self.router.name} link add {ours} type veth peer name {its} netns {self.namespace.name}",
            f"ip -n {self.router.name} address add 192.0.2.1/24 dev {ours}",
            f"ip -n {self.router.name} link set {ours} up",
            f"ip -n {self.router.name} route add local 10.66.0.0/16 dev lo",
            f"ip -n {self.router.name} route add local 10.77.0.0/16 dev lo",
            f"ip -n {self.namespace.name} address add 192.0.2.2/24 dev {its}",
            f"ip -n {self.namespace.name} link set {its} up",
            f"ip -n {self.namespace.name} route add default via 192.0.2.1",
        ):
            run(*command.split())
        redirect = f"iptables-legacy -t nat -A PREROUTING -i {ours} -p tcp -j REDIRECT --to-ports {self.port}"
        run(*self.router.command(*redirect.split()))
        for port, greets in _PORTS.items():
            listener = self.router.run(lambda port=port: socket.create_server(("0.0.0.0", port), backlog=512))
            origin.listen(listener, greets=greets)
        self.option = f"transparent@192.0.2.1:{self.port}"

    def join(self) -> None:
        """Once the proxy listens."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.namespace.run(lambda: socket.create_connection(("192.0.2.1", self.port), timeout=PATIENCE)).close()
                return
            except ConnectionError:
                assert time.monotonic() < deadline, "mitmproxy does not listen"
                time.sleep(0.05)

    def close(self) -> None:
        self.router.close()
        self.namespace.close()


def run(*command: str) -> None:
    """Raises AssertionError with what *command* said."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
