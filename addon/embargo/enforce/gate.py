"""The gate: the one place in which a hook's request is decided and recorded, and where what fails is refused.

mitmproxy logs an exception in a hook and lets the flow go on (measured), so every hook of ours runs inside
`Gate.run`: what raises there refuses that flow, writes an error record and is counted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import connection as mitm
from mitmproxy import ctx
from mitmproxy import flow as mitm_flow
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from embargo.core.decide import decide, monitored
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Name, Request, Surface
from embargo.core.rules import ClientForm, Decrypt, Mode, Policy, Settings
from embargo.core.unread import unread
from embargo.enforce.accounts import Counters, Sink, Tallies
from embargo.enforce.census.recorder import Census
from embargo.enforce.connection import Connection
from embargo.enforce.datagrams.datagram_layer import say_goodbye
from embargo.enforce.dns.resolved import Resolved
from embargo.enforce.failures import Failures, surface_of
from embargo.enforce.judgement import Judgement
from embargo.enforce.latency import EVERY, Latency
from embargo.enforce.own_services import OwnServices
from embargo.enforce.tls.ca import SigningCa
from embargo.enforce.tls.rejections import Rejections
from embargo.enforce.uninspected import Uninspected
from embargo.journal.event import Event, Judged, Outcome
from embargo.journal.identifier import uuid7

_SHARE_A_RECORD = frozenset(  # one record a connection and verdict (DESIGN 7)
    {Surface.CONNECT, Surface.TLS, Surface.QUIC, Surface.TCP, Surface.UDP, Surface.SERVER}
)


# What break-glass judges by where no policy has loaded: it refuses nothing, and opens no TLS, since nobody has said of
# which that may be.
NOTHING_LOADED = Policy(settings=Settings(mode=Mode.MONITOR, decrypt=Decrypt.NONE))


def now() -> datetime:
    """The current time, UTC: the one clock of enforcement."""
    return datetime.now(UTC)


class Gate:
    """Decides, records, counts, and fails closed. Touched by the event loop's thread alone."""

    def __init__(self) -> None:
        self.policy: Policy | None = None  # by which is judged. None: nothing has loaded yet, so everything is refused
        self.loaded: Policy | None = None  # the same as its files have it, whatever break-glass makes of it
        self.glass: str | None = None  # id of the break-glass in force
        self.journal: Sink | None = None
        self.counters = Counters()
        self.tallies = Tallies()
        self.latency = Latency()
        self._untimed = 1  # decisions until one is timed
        self.census: Census | None = None
        self.keep_messages = True  # of WebSocket and TCP, as mitmproxy does, until their connection ends
        self.connections: dict[str, Connection] = {}
        self.resolved = Resolved()
        self.ca = SigningCa()
        self.rejections = Rejections()
        self.services = OwnServices()
        self.carriers: dict[tuple[object, object], Connection] = {}  # QUIC's, by the client's and our own address
        # Not in a flow's metadata: mitmproxy writes that to flow files, and only takes plain values there.
        self.refused: WeakKeyDictionary[mitm_flow.Flow, Decision] = WeakKeyDictionary()
        self.judged: WeakKeyDictionary[mitm_flow.Flow, Judgement] = WeakKeyDictionary()
        self._waiting: list[Event] = []  # events that found the journal's queue full in the current hook
        self._in_hook = False
        self._failures = Failures()
        self.incident: str | None = None  # id of the record of the newest failure
        self.identify: Callable[[Connection], None] = lambda connection: None  # finds out who asks
        self.before_change: Callable[[], None] = lambda: None  # hears that what holds is about to change

    # -- the wrapper around every hook

    def run[T](
        self,
        judge: Callable[[T], None],
        data: T,
        refuse: Callable[[T, Decision], None],
        peer: Callable[[T], mitm.Client],
    ) -> Awaitable[None] | None:
        """Call *judge*; what raises there is refused by *refuse*. Returns what mitmproxy has to wait for."""
        self._in_hook = True
        try:
            judge(data)
        except AddonHalt:
            raise
        except Exception as error:  # noqa: BLE001 - the gate: whatever fails in a hook blocks the flow
            self._fail(error, data, refuse, peer(data))
        finally:
            self._in_hook = False
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            return self._drain(waiting)
        return None

    async def _drain(self, events: list[Event]) -> None:
        """Hold the flow until the journal has room for its records; bounded by the journal."""
        assert self.journal is not None
        for event in events:
            await self.journal.put(event)

    def _fail[T](self, error: Exception, data: T, refuse: Callable[[T, Decision], None], peer: mitm.Client) -> None:
        self.counters.errors += 1
        judged = data[0] if isinstance(data, tuple) else data  # of a held body: its flow stands before it
        said = self._failures.told(error, judged)
        decision = monitored(self.policy, Decision(verdict=Verdict.BLOCK, reason=Reason.ERROR, error=said[:1024]))
        self.incident = None
        try:
            surface, connection = surface_of(judged), self.connection(peer)
            self.tallies.errors[surface] += 1
            self.incident = self.record(decision, surface, connection, error_type=type(error).__name__)
        except Exception as again:  # noqa: BLE001 - the gate: one that cannot be recorded is refused all the same
            self._failures.told(again, judged)
        if decision.blocked:
            try:
                refuse(data, decision)
            except Exception as again:  # noqa: BLE001 - the gate: the last resort is to cut the client off
                self._failures.told(again, judged)
                close(peer)

    # -- the policy

    def take(self, policy: Policy) -> None:
        """Judge by *policy* from now on, which has loaded whole."""
        self.before_change()
        self.loaded = policy
        self._judge_by_it()

    def break_glass(self, identifier: str | None) -> None:
        """Refuse nothing from now on, by the break-glass of that id; None: as the policy has it again."""
        self.before_change()
        self.glass = identifier
        self._judge_by_it()

    def _judge_by_it(self) -> None:
        loaded = self.loaded
        if self.glass is None or (loaded is not None and loaded.settings.mode is Mode.MONITOR):
            self.policy = loaded
        elif loaded is None:
            self.policy = NOTHING_LOADED
        else:
            self.policy = loaded.varied(settings=replace(loaded.settings, mode=Mode.MONITOR))

    # -- deciding

    def decide(self, request: Request) -> Decision:
        """The decision on *request*, counted; a refusal while no policy has loaded."""
        policy = self.policy
        if policy is None or policy is NOTHING_LOADED:
            decision = Decision(verdict=Verdict.BLOCK, reason=Reason.NO_POLICY, error="no policy has loaded yet")
            return monitored(policy, decision)
        self._untimed -= 1
        if self._untimed:
            return decide(policy, request)
        self._untimed = EVERY
        begun = perf_counter()
        timed = decide(policy, request)
        self.latency.add(perf_counter() - begun)
        return timed

    def decide_unread(self, request: Request) -> Decision:
        """The decision on what is in no protocol that is read, or shows no name: `settings.unknown_protocol` too."""
        return unread(self.policy, request, self.decide(request))

    def undecided(self, error: str, name: Name | None = None) -> Decision:
        """The decision on what never became something that can be judged: refused, or with monitor recorded."""
        decision = Decision(verdict=Verdict.BLOCK, reason=Reason.UNDECIDED, name=name, error=error)
        return monitored(self.policy, decision)

    def named(self, request: Request) -> Request:
        """*request* with the name that its client asked DNS for, where it shows nothing but addresses."""
        return self.resolved.named(request, self.decide)

    def count(self, decision: Decision, surface: Surface) -> None:
        """Count a decision on *surface* that was acted on."""
        counters = self.counters
        counters.judged += 1
        if decision.verdict is Verdict.PASS and decision.would is None:
            counters.passed += 1
            self.tallies.passed[surface] += 1
            return
        self.tallies.count(decision, surface)
        match decision.verdict:
            case Verdict.PASS:
                counters.passed += 1
            case Verdict.LOG:
                counters.logged += 1
            case Verdict.ALLOW:
                counters.allowed += 1
            case Verdict.BLOCK:
                counters.blocked += 1

    def uninspected(self, why: Uninspected) -> None:
        """Count a connection that goes on, or had to end, without anybody having looked inside."""
        self.tallies.uninspected[why] += 1

    def passed(self, decision: Decision, connection: Connection, request: Request) -> None:
        """Count *decision*, by which *request* passed, and the host for the census, whose failure costs no flow."""
        self.count(decision, request.surface)
        if self.census is not None:
            try:
                self.census.passed(connection, request)
            except Exception as error:  # noqa: BLE001 - the gate would refuse the flow for it
                self.census.fail(error)
                self.census = None

    # -- recording

    def record(
        self,
        decision: Decision,
        surface: Surface,
        connection: Connection,
        *,
        request: Request | None = None,
        asked: Name | None = None,
        **facts: Any,
    ) -> str | None:
        """Write the record of *decision*; returns its id, or None where none is due.

        What passes is not recorded; surfaces of a connection share one record a verdict. *asked* is what the
        client was after, by default the name that decided; *facts* are further fields of `Judged`.
        """
        if decision.verdict is Verdict.PASS and request is not None:
            self.passed(decision, connection, request)
        else:
            self.count(decision, surface)
        if decision.reason is Reason.NAMELESS and not decision.blocked and not connection.nameless:
            connection.nameless = True
            self.counters.nameless += 1
        if decision.verdict is Verdict.PASS:
            return None
        if surface in _SHARE_A_RECORD and decision.reason is not Reason.OWN_SERVICE:
            key = (decision.verdict, decision.would)
            if key in connection.recorded:
                return None
            connection.recorded.add(key)
        identifier = uuid7()
        if asked is None and request is not None:
            asked = decision.name or next(iter(request.names), None)
        if asked is not None:
            facts.setdefault("destination", str(asked.host) if asked.host is not None else asked.text)
            facts.setdefault("destination_port", asked.port)
        seen = request.user_agent if request is not None else None
        facts.setdefault("user_agent", seen if seen is not None else connection.user_agent)
        self.write(
            Judged(
                id=identifier,
                time=request.time if request is not None else now(),
                decision=decision,
                surface=surface,
                connection=connection.id,
                policy=self.policy.digest if self.policy is not None else "",
                query_values=self.policy is not None and self.policy.settings.query_values,
                client_form=self.policy.settings.client if self.policy is not None else ClientForm.FULL,
                outcome=Outcome.FAILURE if decision.reason is Reason.ERROR else Outcome.SUCCESS,
                client=str(connection.client) if connection.client is not None else None,
                client_port=connection.port,
                user=connection.user,
                identity_source=connection.identity_source,
                sni=connection.snis[0].text if connection.snis else None,
                transport=request.transport if request is not None else "tcp",
                names=request.names if request is not None and decision.mismatch else (),
                reference=_reference(self.policy, decision),
                break_glass=self.glass if decision.held_back and self.policy is not self.loaded else None,
                **facts,
            )
        )
        return identifier

    def write(self, event: Event) -> None:
        """Hand *event* to the journal; where its queue is full the current flow will wait for room."""
        if self.journal is not None and not self.journal.offer(event):
            if self._in_hook:
                self._waiting.append(event)
            else:
                self.journal.submit(event)

    # -- connections

    def connection(self, peer: mitm.Client) -> Connection:
        """The memory of *peer*'s connection."""
        known = self.connections.get(peer.id)
        if known is None and peer.tls_version == "QUICv1":  # each stream has a client of its own (mitmproxy 12.2)
            known = self.carriers.get((peer.peername, peer.sockname))
        if known is None:
            known = Connection.of(peer)
            self.identify(known)
            if peer.timestamp_end is None:  # hooks still come for one that has ended: those must not be remembered
                self.connections[peer.id] = known
        return known

    def forget(self, peer: mitm.Client) -> None:
        """The connection has ended."""
        self.connections.pop(peer.id, None)
        if peer.transport_protocol == "udp":
            self.carriers.pop((peer.peername, peer.sockname), None)


def close(peer: mitm.Client) -> None:
    """Cut the client's connection, and with it all that hangs on it."""
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(peer.id) if server is not None else None
    transport = handler.transports.get(peer) if handler is not None else None
    if transport is not None and transport.handler is not None:
        transport.handler.cancel("refused by embargo")  # takes effect once the loop has its turn
        if peer.transport_protocol == "udp":
            say_goodbye(handler)


def cut(data: ServerConnectionHookData) -> None:
    """Break an upstream connection that has just opened, before anything is sent there, and its client's with it.

    A client whose tunnel alone had ended would wait in it.
    """
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(data.client.id) if server is not None else None
    opened = handler.transports.get(data.server) if handler is not None else None
    if opened is not None and isinstance(opened.writer, asyncio.StreamWriter):
        opened.writer.transport.abort()
    close(data.client)


def _reference(policy: Policy | None, decision: Decision) -> str | None:
    """URL of the order behind the rule: of those that it selects by, or of any that names the app."""
    if policy is None:
        return None
    selecting = decision.rule.apps.named_in if decision.rule is not None else ()
    for identifier, _ in decision.authorities:
        if not selecting or identifier in selecting:
            return policy.authorities[identifier].url
    return None


def release(peer: mitm.Client) -> None:
    """Close what mitmproxy 12.2 leaves open of a connection that has ended.

    It cancels a connection's task to close it; where more data has just come in, that task waits for a lock
    outside of the block that would close the socket, which then stays open for good (measured: a killed upload).
    """
    server = ctx.master.addons.get("proxyserver")
    handler = server.connections.get(peer.id) if server is not None else None
    for transport in handler.transports.values() if handler is not None else ():
        if transport.writer is not None:
            transport.writer.close()
