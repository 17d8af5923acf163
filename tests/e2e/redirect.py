"""Test-only addon: every upstream address leads to the test's own origin on loopback.

Names keep their spelling, since only their resolution is replaced; literal addresses are swapped where
the connection opens. The environment says where the origin is: EMBARGO_TEST_HTTP, EMBARGO_TEST_HTTPS and
EMBARGO_TEST_PORTS.
"""

import os
import socket

HTTP, HTTPS = int(os.environ["EMBARGO_TEST_HTTP"]), int(os.environ["EMBARGO_TEST_HTTPS"])
PORTS = {80: HTTP, 443: HTTPS}
for pair in os.environ.get("EMBARGO_TEST_PORTS", "").split():  # further ones, as FROM:TO
    asked, _, served = pair.partition(":")
    PORTS[int(asked)] = int(served)
_resolve = socket.getaddrinfo


def resolve(host, port, *args, **kwargs):
    if host in ("127.0.0.1", "localhost", "::1", None):
        return _resolve(host, port, *args, **kwargs)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", PORTS.get(int(port), int(port))))]


socket.getaddrinfo = resolve


class Redirect:
    def server_connect(self, data):
        host, port, *_ = data.server.address
        if not host.startswith("127.") and host.replace(".", "").isdigit():
            data.server.address = ("127.0.0.1", PORTS.get(port, port))


addons = [Redirect()]
