"""Runs the attempts: controls first, then each target by each way, bounded in number and rate."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from embargo.core.request import Surface
from embargo.probe.attempts import AGENT, Line, Listener, asked_for_tunnel, authority_of, tls_finding
from embargo.probe.channel import datagrams, opened, trap
from embargo.probe.hello import client_hello, record
from embargo.probe.initial import is_refusal, opening
from embargo.probe.mend import mend
from embargo.probe.outcome import Finding, Outcome, Response
from embargo.probe.question import query, read
from embargo.probe.report import Control, Report, Result
from embargo.probe.socks import tunnel
from embargo.probe.targets import INNOCENT, Target, Unasked
from embargo.probe.ways import WAYS, Way

OUTWARD = "outward"  # name of the control that the way out is open, for names
INWARD = "inward"  # that the proxy reaches the traps


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How hard the proxy is asked."""

    jobs: int = 8  # attempts at a time
    rate: float = 200.0  # attempts begun a second, at most
    timeout: float = 5.0  # seconds an attempt may take; an innocent one three times that


async def run(
    line: Line,
    targets: Iterable[Target],
    report: Report,
    *,
    control: str,
    surfaces: frozenset[Surface],
    bounds: Bounds,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Ask the proxy on *line* for *targets* at *surfaces*, and file what comes of it in *report*.

    *control*: an innocent `HOST:PORT`; *progress* is told how many attempts of how many have ended.
    """
    usable = await _controlled(line, report, control, surfaces, bounds)
    plan = list(_plan(targets, usable))
    pace = _Pace(bounds.rate)
    places = asyncio.Semaphore(bounds.jobs)
    done = 0

    async def attempt(target: Target, way: Way) -> Result:
        nonlocal done
        async with places:
            await pace.wait()
            finding = await _attempted(line, target, way, bounds.timeout)
        done += 1
        progress(done, len(plan))
        if finding.outcome is Outcome.LEAKED and report.mode == "monitor":
            finding = replace(finding, outcome=Outcome.MONITORED)
        return Result(target, way, finding)

    report.results += await asyncio.gather(*(attempt(target, way) for target, way in plan))
    report.mend = mend(report)


def _plan(targets: Iterable[Target], ways: list[Way]) -> Iterable[tuple[Target, Way]]:
    asked_once: set[tuple[str, str]] = set()
    for target in targets:
        for way in ways:
            if target.kind not in way.kinds or way.judged not in target.blocked:
                continue
            if way.once:
                if (target.app, way.name) in asked_once:
                    continue
                asked_once.add((target.app, way.name))
            yield target, way


async def _attempted(line: Line, target: Target, way: Way, patience: float) -> Finding:
    try:
        async with asyncio.timeout(patience):
            return await way.attempt(line, target, target.blocked[way.judged])
    except TimeoutError:
        return Finding(Outcome.UNCLEAR, f"no answer within {patience:g} s")
    except OSError as failure:
        return Finding(Outcome.UNCLEAR, failure.strerror or str(failure) or type(failure).__name__)


class _Pace:
    """Lets so many begin a second."""

    def __init__(self, rate: float) -> None:
        self._gap = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        clock = asyncio.get_running_loop().time
        at = max(self._next, clock())
        self._next = at + self._gap
        await asyncio.sleep(at - clock())


# -- controls


async def _controlled(
    line: Line, report: Report, control: str, surfaces: frozenset[Surface], bounds: Bounds
) -> list[Way]:
    """Try what is innocent; the ways that can prove something then."""
    patience = 3 * bounds.timeout
    wanted = [way for way in WAYS if way.surface in surfaces]
    passed: dict[str, bool] = {}

    async def test(name: str, trial: Awaitable[Control | None]) -> bool:
        try:
            async with asyncio.timeout(patience):
                outcome = await trial
        except TimeoutError:
            outcome = Control(name, False, f"no answer within {patience:g} s")
        except OSError as failure:
            outcome = Control(name, False, failure.strerror or str(failure))
        if outcome is not None:
            report.controls.append(outcome)
        passed[name] = outcome is None or outcome.passed
        return passed[name]

    listeners = {way.listener for way in wanted if way.listener in line.listeners}
    if Listener.PROXY in listeners and await test(OUTWARD, _outward(line, control)):
        await test(INWARD, _inward(line))
        if passed[INWARD]:
            await test(Surface.TLS, _tls(line))
    if Listener.SOCKS in listeners:
        await test(Listener.SOCKS, _socks(line))
    if Listener.DNS in listeners:
        await test(Listener.DNS, _dns(line, control, bounds.timeout))
    if Listener.QUIC in listeners:
        await test(Listener.QUIC, _quic(line, bounds.timeout))
    usable = []
    for way in wanted:
        why = _why_not(way, line, passed)
        if why is None:
            usable.append(way)
        else:
            report.unasked.append(Unasked("all", f"{way.surface.value}: {way.does}", why))
    return usable


def _why_not(way: Way, line: Line, passed: dict[str, bool]) -> str | None:
    """Why *way* proves nothing; None where it does."""
    if way.listener not in line.listeners:
        return f"nothing listens for it that could be asked ({way.listener.value})"
    if way.listener is not Listener.PROXY:
        return None if passed[way.listener] else "what is innocent is refused or not answered as well"
    if not passed[OUTWARD]:
        return "the proxy does not answer, or refuses what is innocent as well"
    if way.trapped and not passed[INWARD]:
        return f"the proxy does not reach this machine as {line.sink} (--sink)"
    if way.trapped and way.judged is Surface.TLS and not passed[Surface.TLS]:
        return "an innocent ClientHello is refused as well"
    return None


async def _outward(line: Line, control: str) -> Control:
    async with opened(line.proxy) as channel:
        response = await asked_for_tunnel(line, channel, control, AGENT)
        return _innocent(OUTWARD, f"a tunnel to {control}", response)


def _innocent(name: str, what: str, response: Response | None) -> Control:
    if response is None:
        return Control(name, False, f"{what}: closed without an answer", refused=True)
    if response.is_refusal:
        detail = f"{what}: refused by embargo with {response.status}, so it refuses everything"
        return Control(name, False, detail, refused=True)
    if response.status == 407:
        return Control(name, False, f"{what}: 407, the proxy asks who it is (--user)", refused=True)
    if 400 <= response.status < 500:
        return Control(name, False, f"{what}: {response.status} from something that is not embargo", refused=True)
    return Control(name, True, f"{what}: {'opened' if response.status == 200 else f'tried, {response.status}'}")


async def _inward(line: Line) -> Control:
    what = f"a tunnel back to {line.sink}"
    async with trap(line.sink, bind=line.bind) as net, opened(line.proxy) as channel:
        response = await asked_for_tunnel(line, channel, authority_of(net), AGENT)
        if response is None or response.status != 200:
            return Control(INWARD, False, f"{what}: {'closed' if response is None else response.status}")
        channel.send(f"GET / HTTP/1.1\r\nHost: {INNOCENT}\r\nUser-Agent: {AGENT}\r\n\r\n".encode())
        answer = await channel.response()
        if net.received:
            return Control(INWARD, True, f"{what}: opened, and HTTP came through")
        return Control(INWARD, False, f"{what}: nothing came through ({'closed' if answer is None else answer.status})")


async def _socks(line: Line) -> Control:
    what = f"a SOCKS tunnel back to {line.sink}"
    async with trap(line.sink, bind=line.bind) as net, opened(line.listeners[Listener.SOCKS]) as channel:
        if not await tunnel(channel, net.address, line.login):
            return Control(Listener.SOCKS, False, f"{what}: not opened", refused=True)
        channel.send(f"GET / HTTP/1.1\r\nHost: {INNOCENT}\r\nUser-Agent: {AGENT}\r\n\r\n".encode())
        await channel.response()
        return Control(Listener.SOCKS, bool(net.received), f"{what}: {'opened' if net.received else 'nothing came'}")


async def _tls(line: Line) -> Control:
    async with trap(line.sink, bind=line.bind) as net, opened(line.proxy) as channel:
        response = await asked_for_tunnel(line, channel, authority_of(net), AGENT)
        if response is not None and response.status == 200:
            channel.send(record(client_hello(INNOCENT)))
            await channel.until(7)
            if net.received or tls_finding(bytes(channel.received)).outcome is not Outcome.REFUSED:
                return Control(Surface.TLS, True, "an innocent ClientHello: passed")
        return Control(Surface.TLS, False, "an innocent ClientHello: refused", refused=True)


async def _dns(line: Line, control: str, patience: float) -> Control:
    host = control.rpartition(":")[0]
    asked = query(host)
    async with datagrams(line.listeners[Listener.DNS]) as (transport, protocol):
        transport.sendto(asked)
        try:
            async with asyncio.timeout(patience):
                said = read(await protocol.answers.get(), asked)
        except TimeoutError:  # upstream may be out of reach; a refusal would have come at once
            return Control(Listener.DNS, True, f"DNS for {host}: no answer, and so no refusal")
    if said is not None and said.ours:
        return Control(Listener.DNS, False, f"DNS for {host}: refused by embargo", refused=True)
    return Control(Listener.DNS, True, f"DNS for {host}: {said.text if said else 'answered'}")


async def _quic(line: Line, patience: float) -> Control:
    begun = opening(INNOCENT)
    async with datagrams(line.listeners[Listener.QUIC]) as (transport, protocol):
        transport.sendto(begun.datagram)
        try:
            async with asyncio.timeout(patience):
                refused = is_refusal(await protocol.answers.get(), begun)
        except TimeoutError:
            refused = False
    what = f"QUIC for an innocent name: {'refused' if refused else 'not refused'}"
    return Control(Listener.QUIC, not refused, what, refused=refused)
