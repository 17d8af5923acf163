"""Ports for servers that have to be told theirs."""

import random
import socket
from pathlib import Path

_LOWEST = 10_000


def free_port() -> int:
    """A port of loopback that nobody has, for TCP and UDP, and that no connection will be given meanwhile: below the
    range from which the kernel takes ports for clients.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = random.randrange(_LOWEST, max(first, _LOWEST + 1000))
        if _is_free(port):
            return port
    raise OSError("no port is free")


def free_ports(number: int) -> list[int]:
    """So many of them, all different."""
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return sorted(ports)


def _is_free(port: int) -> bool:
    with socket.socket() as streams, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        try:
            streams.bind(("127.0.0.1", port))
            datagrams.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
