"""The judge of datagrams: what goes on, by which layer, and what is remembered of a flow that has ended."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from mitmproxy import options
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers import ServerQuicLayer, UDPLayer, modes
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import taddons

from dns_writing import query
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.hostname import Host
from embargo.core.request import Request
from embargo.core.rules import Action, Decrypt, Mode, Policy
from embargo.enforce.datagrams.datagram import Datagrams
from embargo.enforce.datagrams.datagram_flow import DatagramFlow
from embargo.enforce.datagrams.datagram_layer import Datagram
from embargo.enforce.gate import Gate
from embargo.enforce.refusals import Refusals
from embargo.enforce.tls.ca import SigningCa
from initials import SHORT, crypto, dtls_hello, early, first_datagrams, hello, initial, unknown_version
from sample import app, pattern, policy, rule
from sink import Sink

INNOCENT, BANNED = initial(crypto(hello("ok.innocent.test"))), initial(crypto(hello("www.banned.test")))
PAGES = initial(crypto(hello("pages.test")))
APPS = [app("bad", "banned.test", "cidr:203.0.113.0/24 udp", "url:pages.test/bad/*")]
RULES = [rule("ban", "block")]
PLACE, BANNED_PLACE = ("198.51.100.7", 443), ("203.0.113.7", 443)


def by(*, decrypt: Decrypt = Decrypt.NEEDED, mode: Mode = Mode.ENFORCE, **more: object) -> Policy:
    return policy(APPS, RULES, decrypt=decrypt, mode=mode, **more)


@pytest.fixture(autouse=True)
def master() -> Iterator[None]:
    """A mitmproxy without listeners."""
    with taddons.context():
        yield


@dataclass
class Bench:
    """A judge with its gate, and flows of one client."""

    gate: Gate
    judge: Datagrams
    sink: Sink
    port: int = 50_000

    def flow(self, place: tuple[str, int] = PLACE, mode: str = "tun") -> "Flow":
        client = Client(
            peername=("10.0.0.2", self.port),
            sockname=place,
            transport_protocol="udp",
            proxy_mode=ProxyMode.parse(mode),
            state=ConnectionState.OPEN,
        )
        context = Context(client, options.Options())
        context.server.address = place
        if mode.startswith("reverse"):
            modes.ReverseProxy(context)
        else:
            modes.TransparentProxy(context)
        return Flow(self, context, DatagramFlow())


@dataclass
class Flow:
    bench: Bench
    context: Context
    seen: DatagramFlow
    begun: bool = False

    def send(self, content: bytes) -> Datagram:
        datagram = Datagram(self.context, self.seen, content, begun=self.begun)
        self.bench.judge.judge(datagram)
        self.begun = self.begun or bool(datagram.release)
        return datagram


def bench(rules: Policy | None) -> Bench:
    gate, sink = Gate(), Sink()
    gate.policy, gate.journal = rules, sink
    return Bench(gate, Datagrams(gate), sink)


NEVER = (pattern("innocent.test"),)
CHILDREN: dict[str, tuple[Policy, bytes, str, type]] = {  # case: (policy, first datagram, mode, what carries it on)
    "all": (by(decrypt=Decrypt.ALL), INNOCENT, "tun", NextLayer),
    "all, never opened": (by(decrypt=Decrypt.ALL, never_decrypt=NEVER), INNOCENT, "tun", UDPLayer),
    "needed": (by(), INNOCENT, "tun", UDPLayer),
    "needed, a banned page": (by(), PAGES, "tun", ServerQuicLayer),
    "needed, a banned page, reverse": (by(), PAGES, "reverse:quic://192.0.2.1:443", ServerQuicLayer),
    "none, a banned page": (by(decrypt=Decrypt.NONE), PAGES, "tun", UDPLayer),
    "monitor, a banned page": (by(mode=Mode.MONITOR), PAGES, "tun", UDPLayer),
    "raw": (by(decrypt=Decrypt.ALL), b"ping", "tun", UDPLayer),
    "raw, reverse": (by(), b"ping", "reverse:udp://192.0.2.1:443", NextLayer),
    "DTLS, all": (by(decrypt=Decrypt.ALL), dtls_hello("ok.innocent.test"), "tun", NextLayer),
    "DTLS, needed": (by(), dtls_hello("ok.innocent.test"), "tun", UDPLayer),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "first", "mode", "carried"), CHILDREN.values(), ids=CHILDREN)
def test_what_carries_a_flow_on(rules: Policy, first: bytes, mode: str, carried: type) -> None:
    flow = bench(rules).flow(mode=mode)
    datagram = flow.send(first)
    assert datagram.release == [first]
    assert isinstance(datagram.child(flow.context), carried)


class PagesAlone(SigningCa):
    """A CA with name constraints."""

    def permits(self, host: Host | None) -> bool:
        return host is not None and host.text == "pages.test"


LATER = initial(crypto(hello("later.test")))
CONSTRAINED: dict[str, tuple[Decrypt, bytes, type]] = {  # case: (decrypt, first datagram, what carries it on)
    "all, permitted": (Decrypt.ALL, PAGES, NextLayer),
    "all, not permitted": (Decrypt.ALL, INNOCENT, UDPLayer),
    "needed, permitted": (Decrypt.NEEDED, PAGES, ServerQuicLayer),
    "needed, not permitted": (Decrypt.NEEDED, LATER, UDPLayer),
    "DTLS, not permitted": (Decrypt.ALL, dtls_hello("ok.innocent.test"), UDPLayer),
    "DTLS, permitted": (Decrypt.ALL, dtls_hello("pages.test"), NextLayer),
}


@pytest.mark.parametrize(("decrypt", "first", "carried"), CONSTRAINED.values(), ids=CONSTRAINED)
def test_what_the_ca_does_not_permit_stays_closed(decrypt: Decrypt, first: bytes, carried: type) -> None:
    apps = [app("bad", "banned.test", "url:pages.test/bad/*", "url:later.test/bad/*")]
    made = bench(policy(apps, RULES, decrypt=decrypt))
    made.gate.ca = PagesAlone()
    flow = made.flow()
    datagram = flow.send(first)
    assert datagram.release == [first]
    assert isinstance(datagram.child(flow.context), carried)
    again = made.flow()
    assert again.send(first).release == [first], "a second connection of the flow is not cut for it"


def test_early_data_does_not_reach_a_connection_that_is_opened() -> None:
    first, zero_rtt = initial(crypto(hello("pages.test")), destination=b"same id."), early(destination=b"same id.")
    flow = bench(by()).flow()
    assert flow.send(zero_rtt).release == []
    assert flow.send(first).release == [first]
    relayed = bench(by(decrypt=Decrypt.NONE)).flow()
    relayed.send(zero_rtt)
    assert relayed.send(first).release == [zero_rtt, first]


def test_a_flow_that_ended_goes_on() -> None:
    made = bench(by())
    made.flow().send(INNOCENT)
    again = made.flow()
    assert again.send(SHORT).release == [SHORT]
    assert again.send(SHORT).release == [SHORT]
    assert [name.text for name in made.gate.connection(again.context.client).snis] == ["ok.innocent.test"]


STRICTER = {
    "by name": (policy([app("bad", "innocent.test")], RULES, decrypt=Decrypt.NEEDED), Reason.RULE),
    "inside": (policy([app("bad", "url:ok.innocent.test/x")], RULES, decrypt=Decrypt.NEEDED), Reason.UNDECIDED),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "reason"), STRICTER.values(), ids=STRICTER)
def test_a_flow_that_ended_is_judged_by_the_policy_of_now(rules: Policy, reason: Reason) -> None:
    made = bench(by())
    made.flow().send(INNOCENT)
    made.gate.policy = rules
    assert made.flow().send(SHORT).release == []
    assert made.sink.judged[-1].decision.reason is reason


def test_a_flow_that_ended_is_judged_by_who_asks_now() -> None:
    made = bench(by())
    made.flow().send(INNOCENT)
    again = made.flow()
    made.gate.connection(again.context.client).user = "carol"
    again.send(SHORT)
    request = made.gate.connection(again.context.client).tunnel_request
    assert request is not None
    assert request.user == "carol"


LATE: dict[str, tuple[tuple[str, int], int, bool]] = {  # case: (place, port of the client, whether it goes on)
    "the same flow": (("198.51.100.7", 4433), 50_000, True),
    "another flow to where QUIC was seen": (("198.51.100.7", 4433), 50_001, False),
    "where QUIC usually is": (("198.51.100.8", 443), 50_001, False),
    "elsewhere": (("198.51.100.8", 4433), 50_001, True),
}


@pytest.mark.parametrize(("place", "port", "goes_on"), LATE.values(), ids=LATE)
def test_the_middle_of_a_connection(place: tuple[str, int], port: int, goes_on: bool) -> None:
    made = bench(by())
    made.flow(("198.51.100.7", 4433)).send(INNOCENT)
    made.port = port
    assert bool(made.flow(place).send(SHORT).release) is goes_on
    monitoring = bench(by(mode=Mode.MONITOR))
    assert monitoring.flow(place).send(SHORT).release == [SHORT]


AT_DNS: dict[str, tuple[bytes, bool]] = {  # case: (datagram, whether it goes on)
    "QUIC": (INNOCENT, False),
    "DTLS": (dtls_hello("ok.innocent.test"), False),
    "a DTLS record without a hello": (b"\x16\xfe\xfd" + bytes(11), False),
    "a query": (query("innocent.test"), True),
}


@pytest.mark.parametrize(("datagram", "goes_on"), AT_DNS.values(), ids=AT_DNS)
def test_nothing_is_relayed_unread_to_a_resolver(datagram: bytes, goes_on: bool) -> None:
    made = bench(by())
    flow = made.flow(("198.51.100.7", 53))
    assert bool(flow.send(datagram).release) is goes_on
    assert [record.decision.reason for record in made.sink.judged] == ([] if goes_on else [Reason.UNDECIDED])
    monitoring = bench(by(mode=Mode.MONITOR)).flow(("198.51.100.7", 53))
    assert monitoring.send(datagram).release == [datagram]


NAMELESS: dict[str, tuple[Action, bytes, Verdict | None]] = {  # case: (unknown_protocol, datagram, recorded verdict)
    "raw, logged": (Action.LOG, b"ping", Verdict.LOG),
    "raw, blocked": (Action.BLOCK, b"ping", Verdict.BLOCK),
    "raw, allowed": (Action.ALLOW, b"ping", None),
    "QUIC without a name, blocked": (Action.BLOCK, first_datagrams(None)[0], Verdict.BLOCK),
    "QUIC with one, blocked": (Action.BLOCK, INNOCENT, None),
    "DTLS without a name, blocked": (Action.BLOCK, dtls_hello(None), Verdict.BLOCK),
}


@pytest.mark.parametrize(("action", "datagram", "verdict"), NAMELESS.values(), ids=NAMELESS)
def test_unknown_protocol(action: Action, datagram: bytes, verdict: Verdict | None) -> None:
    made = bench(by(unknown_protocol=action))
    released = made.flow().send(datagram).release
    assert [record.decision.verdict for record in made.sink.judged] == ([verdict] if verdict is not None else [])
    assert bool(released) is (verdict is not Verdict.BLOCK)


def test_a_flow_does_not_gather_names_without_end() -> None:
    flow = bench(by()).flow()
    passed = [
        bool(flow.send(initial(crypto(hello(f"n{n}.innocent.test")), destination=n.to_bytes(8))).release)
        for n in range(70)
    ]
    assert passed == [True] * 64 + [False] * 6


def test_connections_of_a_flow_are_judged_apart_and_remembered_together() -> None:
    made = bench(by())
    flow = made.flow()
    assert flow.send(BANNED).refusal
    assert flow.send(INNOCENT).release == [INNOCENT]
    other = initial(crypto(hello("fine.test")), destination=b"another!")
    assert flow.send(other).release == [other]
    judged = made.gate.connection(flow.context.client).tunnel_request
    assert judged is not None
    assert {name.text for name in judged.names} == {"ok.innocent.test", "fine.test", "198.51.100.7"}


FAULTS: dict[str, bytes] = {"QUIC": BANNED, "DTLS": dtls_hello("www.banned.test")}


@pytest.mark.parametrize("banned", FAULTS.values(), ids=FAULTS)
def test_what_could_not_be_judged_is_judged_when_it_comes_again(banned: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(by())
    flow, refusals = made.flow(), Refusals(made.gate)

    def send() -> Datagram:
        datagram = Datagram(flow.context, flow.seen, banned, begun=False)
        made.gate.run(made.judge.judge, datagram, refusals.failed_datagram, lambda late: late.context.client)
        return datagram

    def fails(request: Request) -> Decision:
        monkeypatch.undo()
        raise RuntimeError("once")

    monkeypatch.setattr(made.gate, "decide", fails)
    assert [send().release for _ in range(3)] == [[], [], []]
    assert (made.gate.counters.errors, made.gate.counters.blocked) == (1, 3)


def test_one_record_a_connection_and_verdict() -> None:
    made = bench(by())
    flow = made.flow()
    for number in range(3):
        assert flow.send(initial(crypto(hello("www.banned.test")), packet=number)).release == []
    (record,) = made.sink.judged
    assert (record.sni, record.protocol, record.transport) == ("www.banned.test", "quic", "udp")


def test_a_reserved_version_is_answered_and_not_recorded() -> None:
    made = bench(by())
    datagram = made.flow().send(unknown_version(0x1A2A3A4A))
    assert (datagram.release, bool(datagram.refusal), made.sink.judged) == ([], True, [])


def test_nothing_passes_before_a_policy_has_loaded() -> None:
    flow = bench(None).flow()
    for datagram in (INNOCENT, b"ping", dtls_hello("ok.innocent.test"), unknown_version(0x1A2A3A4A)):
        assert flow.send(datagram).release == []


def test_the_address_is_judged_with_an_innocent_name() -> None:
    made = bench(by())
    assert made.flow(BANNED_PLACE).send(INNOCENT).release == []
    assert made.sink.judged[0].decision.rule_id == "ban"
