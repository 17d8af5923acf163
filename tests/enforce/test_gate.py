"""The gate: what fails in a hook refuses, monitor excepted, and records find their way."""

import asyncio
from collections.abc import Awaitable

import pytest
from mitmproxy import http
from mitmproxy.exceptions import AddonHalt
from mitmproxy.test import taddons, tflow

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Mode, Policy
from embargo.enforce.gate import Gate
from embargo.journal.event import Event, Judged, Outcome
from sample import app, policy, request, rule


class Queue:
    """A sink with room for so many events at once."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[Event] = []
        self.waited: list[Event] = []
        self.lost: list[Event] = []

    def offer(self, event: Event) -> bool:
        if len(self.taken) >= self.room:
            return False
        self.taken.append(event)
        return True

    async def put(self, event: Event) -> bool:
        self.waited.append(event)
        return True

    def submit(self, event: Event) -> bool:
        self.lost.append(event)
        return False


def gate(rules: Policy | None, room: int = 100) -> tuple[Gate, Queue]:
    made, queue = Gate(), Queue(room)
    made.policy, made.journal = rules, queue
    return made, queue


BANNING = policy([app("bad", "banned.test")], [rule("ban", "block")])
MONITORING = policy([app("bad", "banned.test")], [rule("ban", "block")], mode=Mode.MONITOR)


def run(
    made: Gate, flow: http.HTTPFlow, error: BaseException | None, refused: list[Decision]
) -> Awaitable[None] | None:
    def judge(_: http.HTTPFlow) -> None:
        if error is not None:
            raise error

    return made.run(judge, flow, lambda _, decision: refused.append(decision), lambda data: data.client_conn)


FAULTS = {"no policy yet": (None, True), "enforce": (BANNING, True), "monitor": (MONITORING, False)}


@pytest.mark.parametrize(("rules", "refuses"), FAULTS.values(), ids=FAULTS)
def test_a_fault(rules: Policy | None, refuses: bool) -> None:
    made, queue = gate(rules)
    refused: list[Decision] = []
    with taddons.context():
        assert run(made, tflow.tflow(), RuntimeError("a fault"), refused) is None
    assert bool(refused) is refuses
    (record,) = queue.taken
    assert isinstance(record, Judged)
    assert (record.outcome, record.error_type) == (Outcome.FAILURE, "RuntimeError")
    assert record.decision.error == "RuntimeError: a fault"
    assert made.counters.errors == 1


def test_a_fault_in_a_held_body_is_one_of_its_request() -> None:
    made, queue = gate(BANNING)
    flow = tflow.tflow()
    flow.request.headers["Proxy-Authorization"] = "Basic YWxpY2U6c2VjcmV0LXdvcmQ="

    def judge(_: tuple[http.HTTPFlow, bytes]) -> None:
        raise RuntimeError("a fault, with secret-word")

    with taddons.context():
        made.run(judge, (flow, b"body"), lambda _data, _decision: None, lambda data: data[0].client_conn)
    (record,) = queue.taken
    assert isinstance(record, Judged)
    assert (record.surface, record.decision.error) == (Surface.HTTP, "RuntimeError: a fault, with (withheld)")


def test_what_cannot_be_recorded_or_worded_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made, queue = gate(BANNING)
    refused: list[Decision] = []

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    for what in ("gate.uuid7", "failures.secrets_of", "failures.without"):
        monkeypatch.setattr(f"embargo.enforce.{what}", broken)
    with taddons.context():
        assert run(made, tflow.tflow(), RuntimeError("a secret"), refused) is None
    (decision,) = refused
    assert (decision.verdict, decision.error) == (Verdict.BLOCK, "RuntimeError")
    assert queue.taken == []
    assert made.counters.errors == 1


def test_refusing_may_fail_too() -> None:
    """The last resort cuts the client off; nothing gets out of the hook."""
    made, _ = gate(BANNING)

    def fails(_flow: http.HTTPFlow, _decision: Decision) -> None:
        raise RuntimeError("again")

    def judge(_: http.HTTPFlow) -> None:
        raise RuntimeError("a fault")

    with taddons.context():
        assert made.run(judge, tflow.tflow(), fails, lambda data: data.client_conn) is None


def test_a_halt_of_ours_is_no_fault() -> None:
    made, queue = gate(BANNING)
    with pytest.raises(AddonHalt):
        run(made, tflow.tflow(), AddonHalt(), [])
    assert queue.taken == []
    assert made.counters.errors == 0


def test_without_a_policy_everything_is_refused() -> None:
    made, _ = gate(None)
    decision = made.decide(request("innocent.test"))
    assert (decision.verdict, decision.reason) == (Verdict.BLOCK, Reason.NO_POLICY)


def test_a_full_queue_holds_the_flow_and_what_cannot_wait_is_counted() -> None:
    made, queue = gate(BANNING, room=0)
    flow = tflow.tflow()
    waiting = run(made, flow, RuntimeError("a fault"), [])
    assert waiting is not None
    asyncio.run(waiting)  # type: ignore[arg-type]
    assert (len(queue.waited), len(queue.lost)) == (1, 0)
    made.record(made.decide(request("banned.test")), Surface.HTTP, made.connection(flow.client_conn))
    assert (len(queue.waited), len(queue.lost)) == (1, 1)


def test_surfaces_of_a_connection_share_a_record_a_verdict() -> None:
    made, queue = gate(BANNING)
    connection = made.connection(tflow.tclient_conn())
    blocked, passed = made.decide(request("banned.test")), made.decide(request("innocent.test"))
    surfaces = (Surface.CONNECT, Surface.TLS, Surface.TCP, Surface.SERVER)
    identifiers = [made.record(blocked, surface, connection) for surface in surfaces]
    assert [identifier is not None for identifier in identifiers] == [True, False, False, False]
    assert made.record(blocked, Surface.HTTP, connection) is not None
    assert made.record(passed, Surface.HTTP, connection) is None
    assert len(queue.taken) == 2
    assert made.counters.blocked == 5


def test_who_asks_for_our_own_services_hides_behind_no_other_record() -> None:
    made, queue = gate(BANNING)
    connection = made.connection(tflow.tflow().client_conn)
    ban = made.decide(request("banned.test"))
    kept_out = Decision(verdict=Verdict.BLOCK, reason=Reason.OWN_SERVICE)
    for decision, surface in ((ban, Surface.CONNECT), (kept_out, Surface.SERVER), (kept_out, Surface.SERVER)):
        made.record(decision, surface, connection, request=request("banned.test"))
    assert [event.decision.reason for event in queue.taken if isinstance(event, Judged)] == [
        Reason.RULE,
        Reason.OWN_SERVICE,
        Reason.OWN_SERVICE,
    ]


def test_a_connection_is_remembered_until_it_ends() -> None:
    made, _ = gate(BANNING)
    peer = tflow.tclient_conn()
    peer.timestamp_end = None
    assert made.connection(peer) is made.connection(peer)
    made.forget(peer)
    assert made.connections == {}


def test_a_connection_that_has_ended_is_not_remembered_again() -> None:
    """Hooks still come for it: a CONNECT whose client left while mitmproxy was dialling."""
    made, _ = gate(BANNING)
    peer = tflow.tclient_conn()
    peer.timestamp_end = 1.0
    assert made.connection(peer).peer is peer
    assert made.connections == {}
