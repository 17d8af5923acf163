"""Judging again what is already open, when the policy changes or a date changes it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from mitmproxy import connection as mitm

from embargo.core.decision import Decision
from embargo.core.request import Request, Surface
from embargo.core.unread import nameless
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, close, now

_UNREAD = frozenset({Surface.TCP, Surface.UDP})  # judged as what is in no protocol that is read
_BY_ADDRESS = ("map", "forwarded", None)  # `Connection.identity_source`, where the map may change the user
_BATCH = 100  # requests judged before other traffic has its turn: a decision costs some 10 µs


async def rejudge(gate: Gate) -> int:
    """Close and record every open connection that the policy now in force blocks; returns how many."""
    closed: set[str] = set()

    def judge(opened: Opened) -> None:
        request = replace(opened.past, time=now(), user=_user(opened))
        unread = request.surface in _UNREAD or (opened.connection.sealed and nameless(request))
        decision = gate.decide_unread(request) if unread else gate.decide(request)
        if decision.blocked:
            cut(opened, decision)
            gate.record(decision, request.surface, opened.connection, request=request)
        elif opened.connection.sealed and gate.policy is not None and not gate.ca.can_stay_closed(gate.policy, request):
            cut(opened, decision)  # it may come again, and is opened then

    def cut(opened: Opened, decision: Decision) -> None:
        closed.add(opened.connection.id)
        close(opened.connection.peer)

    for number, opened in enumerate(list(_open(gate))):
        if number % _BATCH == _BATCH - 1:
            await asyncio.sleep(0)
        if opened.connection.id not in closed and opened.connection.page is None:
            # behind the gate as any hook: one that cannot be judged is closed, and the others are judged all the same
            waiting = gate.run(judge, opened, cut, _peer)
            if waiting is not None:
                await waiting
    return len(closed)


class Opened(NamedTuple):
    """Something open, as it was judged last."""

    connection: Connection
    past: Request


def _user(opened: Opened) -> str | None:
    """Who asked; where that is known from the map, whoever has the address now."""
    past, connection = opened.past, opened.connection
    return connection.user if connection.identity_source in _BY_ADDRESS else past.user


def _peer(opened: Opened) -> mitm.Client:
    return opened.connection.peer


def _open(gate: Gate) -> Iterator[Opened]:
    """Each tunnel, and each request whose flow is live and not refused already."""
    for connection in gate.connections.values():
        if connection.tunnel_request is not None:
            yield Opened(connection, connection.tunnel_request)
    for flow, judged in gate.judged.items():
        if flow.live and flow not in gate.refused and (known := gate.connections.get(flow.client_conn.id)) is not None:
            yield Opened(known, judged.request)
