"""A port that several processes listen on: bound first by one that does not listen, so that nobody else takes it.

Linux spreads the connections of a port over all sockets that listen on it with SO_REUSEPORT; it admits only those of
the same user, and one that is bound and does not listen gets none.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from typing import Any

_ATTEMPTS = 16  # at a free port that is free on every address of the host


def reserve(host: str, port: int) -> list[socket.socket]:
    """Bind *port* on every address of *host* (empty: all of the machine); 0 takes one that is free on all of them.

    Until they are closed, only sockets of this user with SO_REUSEPORT can be bound there as well. Raises OSError where
    the port is in use, also where those who use it would share it.
    """
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = list(dict.fromkeys((family, address) for family, _, _, _, address in infos))
    for attempt in range(_ATTEMPTS):
        with contextlib.ExitStack() as undo:
            try:
                bound = _bind_all(found, host, port, undo)
            except OSError as refused:
                if port or refused.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                    raise
                continue
            undo.pop_all()
            return bound
    raise AssertionError("the last attempt returns or raises")


def _bind_all(
    found: Sequence[tuple[int, tuple[Any, ...]]],
    host: str,
    port: int,
    undo: contextlib.ExitStack,
) -> list[socket.socket]:
    bound: list[socket.socket] = []
    for family, address in found:
        try:
            opened = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # the machine has no such family, as asyncio takes it too
        undo.callback(opened.close)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart would wait for TIME_WAIT
        chosen = port or (bound[0].getsockname()[1] if bound else 0)
        try:
            opened.bind((address[0], chosen, *address[2:]))
        except OSError as refused:
            if refused.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue
            raise OSError(refused.errno, f"cannot listen on {host or '*'}:{chosen}: {_words(refused)}") from None
        # From here on others with SO_REUSEADDR are refused, those with SO_REUSEPORT admitted.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.append(opened)
    if not bound:
        raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {host or '*'}: no such address here")
    return bound


def join(address: tuple[str, int]) -> socket.socket:
    """A socket bound to *address* beside those that listen there with SO_REUSEPORT. Raises OSError."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    joined = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            joined.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        joined.bind(address)
    except OSError:
        joined.close()
        raise
    return joined


def _words(refused: OSError) -> str:
    return (os.strerror(refused.errno) if refused.errno else str(refused)).lower()
