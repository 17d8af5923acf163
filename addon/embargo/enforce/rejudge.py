"""Judging again what is already open, when the policy changes or a date changes it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from embargo.core.request import Request
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, close, now

_BATCH = 100  # requests judged before other traffic has its turn: a decision costs some 10 µs


async def rejudge(gate: Gate) -> int:
    """Close and record every open connection that the policy now in force blocks; returns how many."""
    closed: set[str] = set()
    for number, (connection, past) in enumerate(list(_open(gate))):
        if number % _BATCH == _BATCH - 1:
            await asyncio.sleep(0)
        if connection.id not in closed and connection.page is None and _is_blocked_now(gate, connection, past):
            close(connection.peer)
            closed.add(connection.id)
    return len(closed)


def _open(gate: Gate) -> Iterator[tuple[Connection, Request]]:
    """What is open, as it was judged: each tunnel, and each request whose flow is live."""
    for connection in gate.connections.values():
        if connection.tunnel_request is not None:
            yield connection, connection.tunnel_request
    for flow, judged in gate.judged.items():
        if flow.live and (known := gate.connections.get(flow.client_conn.id)) is not None:
            yield known, judged.request


def _is_blocked_now(gate: Gate, connection: Connection, past: Request) -> bool:
    request = replace(past, time=now())
    decision = gate.decide(request)
    if decision.blocked:
        gate.record(decision, request.surface, connection, request=request)
    return decision.blocked
