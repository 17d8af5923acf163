"""A network namespace whose only way out is the proxy's TUN device: clients inside need no proxy setting.

mitmproxy makes the device in its own namespace; moved into the client's, it carries all of its TCP and UDP.
"""

import contextlib
import itertools
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.proxy import Proxy

_numbers = itertools.count()
CLIENT = "10.203.0.2"  # the client's address on the device
_UP = 1  # IFF_UP, netdevice(7)


class Namespace:
    """A network namespace, removed by `close`."""

    def __init__(self) -> None:
        self.name = f"embargo-{os.getpid()}-{next(_numbers)}"
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def adopt(self, device: str) -> None:
        """Take *device* from the tests' own namespace, and send everything through it."""
        _ip("link", "set", device, "netns", self.name)
        self.route(device)

    def route(self, device: str) -> None:
        """Send everything through *device*, which is in the namespace."""
        _ip("-n", self.name, "address", "add", f"{CLIENT}/24", "dev", device)
        _ip("-n", self.name, "link", "set", device, "up")
        _ip("-n", self.name, "route", "add", "default", "dev", device)

    def run[T](self, function: Callable[[], T]) -> T:
        """What *function* returns, called by a thread inside the namespace; its sockets stay there."""
        outcome: list[Any] = []

        def inside() -> None:
            try:
                with Path("/run/netns", self.name).open() as namespace:
                    os.setns(namespace.fileno(), os.CLONE_NEWNET)  # of this thread alone
                outcome.append((function(), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    def command(self, *arguments: str) -> list[str]:
        """*arguments* as a command that runs inside."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "delete", self.name)


class TunProxy(Proxy):
    """A proxy in `tun` mode, and the namespace before it; `namespace.run` is a client."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.device = f"emb{os.getpid() % 100_000}x{next(_numbers)}"
        self.namespace = Namespace()
        given = options.pop("options", ())
        super().__init__(*arguments, options=["--mode", f"tun:{self.device}", *given], **options)

    def wait_ready(self, *, policy: bool = True) -> "TunProxy":
        """Until the device is there and, with *policy*, one is enforced."""

        def ready() -> bool:
            return self._is_up() and (not policy or bool((self.status() or {}).get("policy")))

        self.wait(ready, "the TUN device and the policy")
        self.namespace.adopt(self.device)
        return self

    def _is_up(self) -> bool:
        """Whether mitmproxy is done with the device: one that is moved before gets no address, and is gone."""
        try:
            flags = int(Path("/sys/class/net", self.device, "flags").read_text(), 16)
        except OSError:
            return False
        return bool(flags & _UP)

    def stop(self, *arguments: Any) -> None:
        super().stop(*arguments)
        self.namespace.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
