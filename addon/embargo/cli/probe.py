"""`embargo probe`: asks the running proxy for what its policy blocks, and shows what got through."""

import asyncio
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import click

from embargo.cli.loading import UNREADABLE, loaded_policy
from embargo.cli.options import json_option
from embargo.cli.output import colourful, echo_json, printable, table
from embargo.core.address import plain
from embargo.core.request import Surface
from embargo.core.rules import Policy
from embargo.journal.status import running as statuses
from embargo.paths import default_policy, runtime_directory
from embargo.probe.attempts import AGENT, Line, Listener
from embargo.probe.campaign import Bounds, run
from embargo.probe.channel import Address
from embargo.probe.client import source
from embargo.probe.outcome import Outcome
from embargo.probe.proxies import Running, address, running, spelled
from embargo.probe.report import Report
from embargo.probe.targets import Asker, find
from embargo.probe.ways import WAYS

_CHANCE = random.SystemRandom()
_SURFACES = tuple(dict.fromkeys(way.surface.value for way in WAYS))
_MOST_SHOWN = 40  # findings; --json has all


class HostPort(click.ParamType[Address]):
    """``HOST[:PORT]``."""

    name = "HOST:PORT"

    def __init__(self, port: int) -> None:
        self._port = port

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Host and port; a usage error where it is none."""
        if isinstance(value, tuple):
            return value
        try:
            return address(value, self._port)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(
    epilog="""\b
Examples:
  embargo probe
  embargo probe --app alipay --surface tls --json
  embargo probe --from-client > ways-round.py"""
)
@click.option(
    "--policy",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Policy whose blocked endpoints are asked for; repeat it for layers. Default: the one in force.",
)
@click.option("--proxy", type=HostPort(8080), help="The proxy. Default: the one that runs here.")
@click.option("--socks", type=HostPort(1080), help="A SOCKS listener of the proxy. Default: the one that runs here.")
@click.option("--dns", type=HostPort(53), help="A DNS listener of the proxy. Default: the one that runs here.")
@click.option("--quic", type=HostPort(443), help="A QUIC listener of the proxy. Default: the one that runs here.")
@click.option("--app", "apps", multiple=True, metavar="ID", help="Ask for this app alone; repeatable.")
@click.option(
    "--surface",
    "surfaces",
    multiple=True,
    type=click.Choice(_SURFACES),
    metavar="SURFACE",
    help=f"Ask at this surface alone; repeatable: {', '.join(_SURFACES)}.",
)
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Of each app N endpoints, taken by chance.")
@click.option(
    "--control",
    type=HostPort(443),
    default="example.com:443",
    show_default=True,
    help="A host that must not be refused.",
)
@click.option("--sink", metavar="ADDRESS", help="This machine as the proxy reaches it, for tunnels back to the probe.")
@click.option("--user", metavar="NAME", help="Log in to the proxy; $EMBARGO_PROBE_PASSWORD has the password.")
@click.option("--jobs", type=click.IntRange(1, 64), default=8, show_default=True, help="Attempts at a time.")
@click.option("--rate", type=click.FloatRange(0.1, 2000), default=200, show_default=True, help="Attempts a second.")
@click.option("--timeout", type=click.FloatRange(0.5, 60), default=5, show_default=True, help="Seconds an attempt.")
@click.option("--from-client", is_flag=True, help="Print a Python program that looks for ways round the proxy.")
@json_option
def command(
    policy: tuple[Path, ...],
    proxy: Address | None,
    socks: Address | None,
    dns: Address | None,
    quic: Address | None,
    apps: tuple[str, ...],
    surfaces: tuple[str, ...],
    sample: int | None,
    control: Address,
    sink: str | None,
    user: str | None,
    jobs: int,
    rate: float,
    timeout: float,
    from_client: bool,
    as_json: bool,
) -> None:
    """Ask the running proxy for what its policy blocks, and show what got through.

    Exit 0: all was refused, by embargo. 1: something was not. 2: nothing could be asked, or what is innocent was
    refused too.
    """
    here = _running()
    listeners = dict(here.listeners)
    if proxy is not None and not here.listens_on(proxy):
        here, listeners = running(()), {}  # another proxy, of which those that run here say nothing
    listeners |= {
        listener: given
        for listener, given in zip(Listener, (proxy, socks, dns, quic), strict=True)
        if given is not None
    }
    judged = loaded_policy(policy or here.files or (default_policy(),))
    for app in apps:
        if app not in judged.apps:
            raise click.BadParameter(f"the policy has no app {app!r}", param_hint="--app")
    chosen = frozenset(apps or judged.apps)
    if from_client:
        client = Asker(time=datetime.now(UTC), client=None, user=user, user_agent=AGENT)
        targets = [
            target for target in find(judged, client, _CHANCE, sample=sample or 3).targets if target.app in chosen
        ]
        named = listeners.get(Listener.PROXY)
        if proxy is None and named in here.everywhere:
            named = None
        if named is None:
            click.echo("note: where clients find the proxy is not known; name it with --proxy", err=True)
        click.echo(source(targets, control=control, proxy=named), nl=False)
        return
    if not listeners:
        _fail(f"no proxy is running (no process answers in {runtime_directory()}); name one with --proxy")
    asked = next(listeners[listener] for listener in Listener if listener in listeners)
    own = _own_address(asked)
    report = Report(
        proxy=spelled(asked),
        policy=judged.digest,
        enforced=here.digests,
        mode=here.mode,
        break_glass=here.break_glass,
        answers=here.answers,
        client=own,
        warnings=[*here.warnings, *_differences(judged, here)],
    )
    asker = Asker(time=datetime.now(UTC), client=plain(ip_address(own)), user=user, user_agent=AGENT)
    wanted = frozenset(map(Surface, surfaces or _SURFACES))
    verdicts = frozenset(way.judged for way in WAYS if way.surface in wanted)
    found = find(judged, asker, _CHANCE, sample=sample, surfaces=verdicts)
    report.unasked = [unasked for unasked in found.unasked if unasked.app in chosen]
    bind = own if sink is None else "::" if ":" in own else "0.0.0.0"
    with _progress(shown=not as_json) as progress:
        asyncio.run(
            run(
                Line(listeners=listeners, sink=sink or own, bind=bind, login=_login(user)),
                [target for target in found.targets if target.app in chosen],
                report,
                control=spelled(control),
                surfaces=wanted,
                bounds=Bounds(jobs=jobs, rate=rate, timeout=timeout),
                progress=progress,
            )
        )
    if as_json:
        echo_json(report.document())
    else:
        _show(report)
    if report.exit == UNREADABLE and (detail := report.refused_innocent) is not None:
        click.echo(f"error: what is innocent was refused too, so nothing is proven: {printable(detail)}", err=True)
    sys.exit(report.exit)


def _running() -> Running:
    try:
        return running(statuses(runtime_directory()))
    except OSError as failure:
        _fail(f"{runtime_directory()}: {failure.strerror or failure}")


def _fail(text: str) -> NoReturn:
    click.echo(f"error: {text}", err=True)
    sys.exit(UNREADABLE)


def _own_address(proxy: Address) -> str:
    """Our address on the way to *proxy*, which is what the proxy takes for the client's."""
    try:
        family, kind, *_, peer = socket.getaddrinfo(*proxy, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as way:
            way.connect(peer)  # of a datagram socket: nothing is sent
            return str(way.getsockname()[0]).partition("%")[0]
    except OSError as failure:
        _fail(f"{spelled(proxy)}: {failure.strerror or failure}")


def _login(user: str | None) -> str | None:
    if user is None:
        return None
    password = os.environ.get("EMBARGO_PROBE_PASSWORD")  # not an option: other users of the machine see those
    if password is None:
        raise click.UsageError("--user needs the password in the environment variable EMBARGO_PROBE_PASSWORD")
    return f"{user}:{password}"


def _differences(policy: Policy, here: Running) -> Iterator[str]:
    if not here.answers:
        yield "no process with the addon says that it is this proxy: its mode and policy are not known"
    elif policy.digest not in here.digests:
        enforced = ", ".join(digest[:16] for digest in here.digests) or "no policy"
        yield f"the proxy enforces {enforced}, these files are {policy.digest[:16]}: what is asked for may differ"


# -- what a person sees


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("asking the proxy"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(report: Report) -> None:
    for warning in report.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    click.echo(f"proxy {report.proxy}, asked as {report.client}, policy {report.policy[:16]}")
    for control in report.controls:
        click.echo(f"{'passed' if control.passed else 'FAILED'}: {printable(control.detail)}")
    rows = list(report.rows())
    if rows:
        click.echo("")
        shown = [
            outcome for outcome in Outcome if outcome in (Outcome.REFUSED, Outcome.LEAKED) or report.counts[outcome]
        ]
        table(
            ["app", "surface", *(outcome.value for outcome in shown)],
            [[app, surface.value, *(str(counts[outcome]) for outcome in shown)] for app, surface, counts in rows],
        )
    findings = report.findings
    if findings:
        click.echo("")
        table(
            ["outcome", "app", "surface", "way", "asked for", "seen"],
            [
                [
                    _words(result.finding.outcome),
                    result.target.app,
                    result.way.surface.value,
                    result.way.name,
                    result.target.host,
                    result.finding.detail,
                ]
                for result in findings[:_MOST_SHOWN]
            ],
        )
        if len(findings) > _MOST_SHOWN:
            click.echo(f"and {len(findings) - _MOST_SHOWN} more; --json has them all")
    if report.unasked:
        click.echo("")
        table(
            ["not asked for", "app", "count", "why"],
            [[unasked.what, unasked.app, str(unasked.count), unasked.why] for unasked in report.unasked],
        )
    click.echo("")
    for line in report.mend:
        click.echo(f"mend: {line}")
    click.echo(_styled(_verdict(report), report.exit))


def _words(outcome: Outcome) -> str:
    return "monitored, not refused" if outcome is Outcome.MONITORED else outcome.value


def _verdict(report: Report) -> str:
    if report.exit == 2:
        return "nothing is proven" if report.refused_innocent else "nothing could be asked, so nothing is proven"
    asked, refused = report.asked, report.counts[Outcome.REFUSED]
    if report.exit == 0:
        return f"all {asked} attempts were refused by embargo"
    return f"{len(report.findings)} of {asked} attempts were not refused by embargo, {refused} were"


def _styled(text: str, code: int) -> str:
    return click.style(text, fg="green" if code == 0 else "red", bold=True) if colourful() else text
