"""Judging again what is already open, when the policy changes or a date changes it."""

import asyncio
from dataclasses import replace

from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, close, now

_BATCH = 100  # connections judged before other traffic has its turn: a decision costs some 10 µs


async def rejudge(gate: Gate) -> int:
    """Close and record every open connection that the policy now in force blocks; returns how many."""
    closed = 0
    for number, connection in enumerate(list(gate.connections.values())):
        if number % _BATCH == _BATCH - 1:
            await asyncio.sleep(0)
        if connection.page is None and _now_blocked(gate, connection):
            close(connection.peer)
            closed += 1
    return closed


def _now_blocked(gate: Gate, connection: Connection) -> bool:
    for past in connection.open_requests():
        request = replace(past, time=now())
        decision = gate.decide(request)
        if decision.blocked:
            target = decision.name
            gate.record(
                decision,
                request.surface,
                connection,
                request=request,
                destination=str(target.host) if target is not None and target.host is not None else None,
                destination_port=target.port if target is not None else None,
            )
            return True
    return False
