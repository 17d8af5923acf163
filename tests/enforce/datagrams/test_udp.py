"""UDP flows that our own layer does not see: judged when they begin, and watched."""

from collections.abc import Iterator

import pytest
from mitmproxy import udp
from mitmproxy.test import taddons, tflow

from embargo.core.decision import Reason
from embargo.core.rules import Mode, Policy
from embargo.enforce.datagrams.udp import UdpFlows
from embargo.enforce.gate import Gate
from initials import SHORT, crypto, dtls_hello, hello, initial, unknown_version
from sample import app, policy, rule
from sink import Sink

APPS = [app("bad", "banned.test", "cidr:203.0.113.0/24 udp")]
RULES = policy(APPS, [rule("ban", "block")])
MONITOR = policy(APPS, [rule("ban", "block")], mode=Mode.MONITOR)
HELLO = hello("www.banned.test")
BANNED, INNOCENT = initial(crypto(HELLO)), initial(crypto(hello("ok.innocent.test")), destination=b"another!")


@pytest.fixture(autouse=True)
def master() -> Iterator[None]:
    with taddons.context():
        yield


def started(rules: Policy, place: str = "198.51.100.7", *, opened: bool = True) -> tuple[UdpFlows, udp.UDPFlow, Sink]:
    gate, records = Gate(), Sink()
    gate.policy, gate.journal = rules, records  # type: ignore[assignment]
    flow = tflow.tudpflow(messages=False, err=None)
    flow.messages = []
    flow.client_conn.timestamp_end, flow.client_conn.tls = None, opened
    flow.client_conn.transport_protocol = "udp"
    flow.server_conn.address = (place, 4433)
    gate.connection(flow.client_conn).watched = True
    flows = UdpFlows(gate)
    flows.start(flow)
    return flows, flow, records


def says(flows: UdpFlows, flow: udp.UDPFlow, content: bytes, *, from_client: bool = True) -> bytes:
    flow.messages.append(udp.UDPMessage(from_client, content))
    flows.message(flow)
    return flow.messages[-1].content


MESSAGES: dict[str, tuple[list[bytes], list[bool]]] = {  # case: (datagrams, whether each goes on)
    "plain": ([b"ping", SHORT], [True, True]),
    "an innocent hello": ([INNOCENT], [True]),
    "a banned hello": ([BANNED, BANNED], [False, False]),
    "a banned hello, later": ([b"ping", INNOCENT, BANNED], [True, True, False]),
    "a hello in two": (
        [initial(crypto(HELLO[:99])), initial(crypto(HELLO[99:], 99), packet=1)],
        [False, False],
    ),
    "a banned DTLS hello": ([dtls_hello("www.banned.test")], [False]),
    "a version that is not read": ([unknown_version(0xFF00001D)], [False]),
    "a reserved version": ([unknown_version(0x1A2A3A4A)], [False]),
}


@pytest.mark.parametrize(("datagrams", "goes_on"), MESSAGES.values(), ids=MESSAGES)
def test_messages(datagrams: list[bytes], goes_on: list[bool]) -> None:
    flows, flow, _ = started(RULES)
    assert [bool(says(flows, flow, datagram)) for datagram in datagrams] == goes_on


def test_monitor_lets_them_go_on() -> None:
    flows, flow, records = started(MONITOR)
    for datagram in (BANNED, unknown_version(0xFF00001D)):
        assert says(flows, flow, datagram) == datagram
    assert records.judged[-1].decision.held_back


def test_the_place_is_judged_at_the_start() -> None:
    _, _, records = started(RULES, "203.0.113.7")
    assert [record.decision.rule_id for record in records.judged] == ["ban"]


def test_what_our_layer_sees_is_left_to_it() -> None:
    flows, flow, records = started(RULES, "203.0.113.7", opened=False)
    assert (says(flows, flow, BANNED), records.judged) == (BANNED, [])


def test_the_server_s_datagrams_go_on() -> None:
    flows, flow, _ = started(RULES)
    assert says(flows, flow, BANNED, from_client=False) == BANNED


def test_an_unread_version_is_recorded_as_undecided() -> None:
    flows, flow, records = started(RULES)
    says(flows, flow, unknown_version(0xFF00001D))
    assert records.judged[-1].decision.reason is Reason.UNDECIDED


def test_messages_are_forgotten_where_nobody_keeps_them() -> None:
    flows, flow, _ = started(RULES)
    flows._gate.keep_messages = False
    for _ in range(3):
        says(flows, flow, b"ping")
    assert len(flow.messages) == 1
    flows.end(flow)
    assert flows._watched == {}
