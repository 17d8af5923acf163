"""The proxies of the suite: embargo in each mode with each set of options, and mitmproxy without it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from e2e.proxy import Proxy
from evasion.origin import Origin
from evasion.routes import Routed, Transparent, Tun, WireGuard
from evasion.ways import Dialled, Explicit, Reverse, Socks, Way
from ports import free_ports

HERE = Path(__file__).parent
RESOLVER = HERE / "resolver.py"
POLICY = """\
version: 1
settings:
  decrypt: {decrypt}
apps:
  bad:
    endpoints:
      - banned.test
      - {{cidr: 10.66.0.0/16, role: messaging}}
      - {{url: "pages.test/bad/*", role: web}}
  watched: {{endpoints: [watched.test]}}
rules:
  - {{id: watch, apps: watched, action: log}}
  - {{id: ban, apps: bad, action: block}}
"""
FIXED = "c00000z.innocent.test"  # where reverse proxies lead
MODES = {  # mode: its specification, of which the port is filled in
    "regular": "regular@{port}",
    "upstream": "upstream:http://127.0.0.1:{origin}@{port}",
    "socks5 by name": "socks5@{port}",
    "socks5 by address": None,  # the same listener
    "reverse:http": f"reverse:http://{FIXED}:80@{{port}}",
    "reverse:https": f"reverse:https://{FIXED}:443@{{port}}",
    "reverse:tcp": f"reverse:tcp://{FIXED}:443@{{port}}",
    "reverse:tls": f"reverse:tls://{FIXED}:443@{{port}}",
}
ROUTED = {"tun": Tun, "wireguard": WireGuard}
PROXIES = ((*MODES, *ROUTED), ("transparent",))  # modes that one proxy can have at once


def specifications(origin: Origin, modes: Sequence[str]) -> tuple[list[str], dict[str, Way]]:
    """mitmproxy's --mode options for *modes*, and the ways through them."""
    listeners = [mode for mode in modes if MODES[mode] is not None]
    ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
    options, ways = [], {}
    used: set[int] = set()  # by all of them: records tell a client's port
    for mode in modes:
        if mode == "socks5 by address":
            ways[mode] = Socks(mode, ports["socks5 by name"], by_address=True, used=used)
            continue
        specification = MODES[mode]
        assert specification is not None
        options += ["--mode", specification.format(port=ports[mode], origin=origin.port)]
        kind = Socks if mode.startswith("socks5") else Reverse if mode.startswith("reverse") else Explicit
        ways[mode] = kind(mode, ports[mode], used=used)
    return options, ways


class Setting:
    """What a proxy needs for some modes, and the ways through it; to be closed."""

    def __init__(self, origin: Origin, directory: Path, modes: Sequence[str]) -> None:
        """`transparent` cannot be with others: its proxy runs in a namespace."""
        self.options, self.ways = specifications(origin, [mode for mode in modes if mode in MODES])
        self.routes: list[Tun | WireGuard | Transparent] = []
        self.prefix: list[str] = []
        used = next(iter(self.ways.values())).used if self.ways else set()
        for mode in modes:
            if mode in MODES:
                continue
            route = Transparent(origin) if mode == "transparent" else ROUTED[mode](directory)
            self.routes.append(route)
            self.options += ["--mode", route.option]
            self.ways[mode] = Routed(mode, route.namespace, used=used)
            if isinstance(route, Transparent):
                self.prefix = route.router.command()

    def join(self) -> None:
        """Once the proxy is there."""
        for route in self.routes:
            route.join()

    def close(self) -> None:
        for route in self.routes:
            route.close()


def environment(origin: Origin) -> dict[str, str]:
    paths = (str(HERE.parent), str(HERE.parents[1] / "addon"))
    return {
        "EVASION_ORIGIN": str(origin.port),
        "EVASION_GREETER": str(origin.greeter),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def embargo(
    directory: Path, confdir: Path, origin: Origin, setting: Setting, *, decrypt: str, options: Sequence[str]
) -> Proxy:
    """mitmdump with embargo's addon."""
    return Proxy(
        directory,
        POLICY.format(decrypt=decrypt),
        http=origin.port,
        https=origin.port,
        confdir=confdir,
        options=["--set", "keep_host_header=true", *setting.options, *options],
        prefix=setting.prefix,
        redirect=RESOLVER,
        environment=environment(origin),
    )


class Bare:
    """mitmdump alone, or with its own block_list."""

    def __init__(
        self, directory: Path, confdir: Path, origin: Origin, setting: Setting, options: Sequence[str]
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.output = directory / "output.txt"
        command = [
            *setting.prefix,
            str(Path(sys.executable).parent / "mitmdump"),
            *("--listen-host", "127.0.0.1", "-q", "-s", str(RESOLVER)),
            *("--set", f"confdir={confdir}", "--set", "ssl_insecure=true", "--set", "keep_host_header=true"),
            *setting.options,
            *options,
        ]  # fmt: skip
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ | environment(origin)
            )

    def wait_ready(self, setting: Setting) -> "Bare":
        deadline = time.monotonic() + 30
        for way in setting.ways.values():
            while isinstance(way, Dialled):
                try:
                    way.dial().close()
                    break
                except OSError:
                    assert self.process.poll() is None, self.output.read_text()
                    assert time.monotonic() < deadline, self.output.read_text()
                    time.sleep(0.05)
        return self

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
