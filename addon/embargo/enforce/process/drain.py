"""An orderly end: no new connections, what is under way may finish, and then the process ends.

mitmdump by itself cuts every connection at the signal, in the middle of an upload or an answer.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler, ServerInstance

from embargo.enforce.gate import Gate, close

LONGEST = 8.0  # seconds; container engines kill after 10, and the log wants its share
SILENT = 1.0  # seconds after which a tunnel, whose requests nobody sees, counts as idle
_LOOK = 0.05  # seconds between looks at what still runs


async def drain(gate: Gate) -> int:
    """Stop listening, then close connections as they fall idle; how many were left after `LONGEST`."""
    server = ctx.master.addons.get("proxyserver")
    _stop_listening(server.servers)
    deadline = time.monotonic() + LONGEST
    while True:
        asked, relaying = _under_way(gate)
        left = 0
        for handler in list(server.connections.values()):
            client = handler.client
            if client.id in asked or _unsent(handler) or (_is_tunnel(handler, relaying) and _is_lively(handler)):
                left += 1
            else:
                close(client)
        if not server.connections or time.monotonic() >= deadline:
            return left
        await asyncio.sleep(_LOOK)


def _stop_listening(instances: Iterable[ServerInstance[Any]]) -> None:
    """Refuse new TCP connections, in every mode. UDP stays open: the same socket carries what is under way."""
    for instance in instances:
        for listener in getattr(instance, "_servers", ()):
            if isinstance(listener, asyncio.Server):
                listener.close()


def _under_way(gate: Gate) -> tuple[set[str], set[str]]:
    """Ids of the connections on which a request is being answered, and of those that are relayed unread."""
    asked: set[str] = set()
    relaying = {connection.id for connection in gate.connections.values() if connection.tunnel_request is not None}
    for flow in list(gate.judged):
        if flow.live:
            (relaying if getattr(flow, "websocket", None) is not None else asked).add(flow.client_conn.id)
    return asked, relaying


def _unsent(handler: ProxyConnectionHandler) -> bool:
    """Whether a part of an answer is still to be sent to the client."""
    transport = handler.transports.get(handler.client)
    writer = transport.writer if transport is not None else None
    return isinstance(writer, asyncio.StreamWriter) and writer.transport.get_write_buffer_size() > 0


def _is_tunnel(handler: ProxyConnectionHandler, relaying: set[str]) -> bool:
    return handler.client.id in relaying or handler.client.transport_protocol == "udp"


def _is_lively(handler: ProxyConnectionHandler) -> bool:
    """Whether the connection has carried anything lately, in either direction."""
    return time.time() - handler.timeout_watchdog.last_activity < SILENT
