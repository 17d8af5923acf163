"""Raw streams: whose connection ends with one. What passes, `e2e/test_evasions.py` has."""

import asyncio

import pytest
from mitmproxy import connection as mitm
from mitmproxy.test import taddons, tflow

from embargo.core.decision import Decision
from embargo.enforce.gate import Gate
from embargo.enforce.streams import messages
from sample import policy


def test_a_wait_that_cannot_be_judged_ends_the_connection_of_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of QUIC has a client of its own, which nothing hangs on."""
    gate, closed = Gate(), list[mitm.Client]()
    gate.policy = policy([], [])
    flow = tflow.ttcpflow()
    flow.live, flow.client_conn.tls_version, flow.client_conn.timestamp_end = True, "QUICv1", None
    carrier = gate.connection(tflow.tclient_conn())
    gate.carriers[flow.client_conn.peername, flow.client_conn.sockname] = carrier
    monkeypatch.setattr(messages, "close", closed.append)
    monkeypatch.setattr(messages.first_bytes, "LONGEST_WAIT", 0)

    def broken(*_: object) -> Decision:
        raise ZeroDivisionError

    async def wait() -> None:
        stream = messages.Stream(gate)
        stream.start(flow)
        flow.messages[-1].content, flow.messages[-1].from_client = b"GET / HTTP", True
        stream.message(flow)
        monkeypatch.setattr(gate, "undecided", broken)
        await asyncio.sleep(0.01)

    with taddons.context():
        asyncio.run(wait())
    assert closed == [carrier.peer]
