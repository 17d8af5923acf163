"""Script for the proxy under test: names and literal addresses lead to the suite's origin (see places).

The environment says where that listens: EVASION_ORIGIN for all ports, EVASION_GREETER for mail's.
"""

import os
import re
import socket
from pathlib import Path

from evasion.places import place

ORIGIN, GREETER = int(os.environ["EVASION_ORIGIN"]), int(os.environ["EVASION_GREETER"])
_resolve = socket.getaddrinfo


def port_of(port) -> int:
    return GREETER if int(port) in (25, 587) else ORIGIN


def resolve(host, port, *args, **kwargs):
    if host in ("127.0.0.1", "localhost", "::1", None):
        return _resolve(host, port, *args, **kwargs)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place(host), port_of(port)))]


socket.getaddrinfo = resolve
IS_ROUTER = re.search(r"192[.]0[.]2[.]1\b", Path("/proc/self/net/fib_trie").read_text()) is not None


class Resolver:
    """Literal addresses are never resolved, so they are changed where the connection opens.

    In a router's namespace they lead to the origin as they are.
    """

    def server_connect(self, data):
        host, port, *_ = data.server.address
        if not IS_ROUTER and not host.startswith("127.") and (":" in host or host.replace(".", "").isdigit()):
            data.server.address = (place(host), port_of(port))


addons = [Resolver()]
