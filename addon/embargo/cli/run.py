"""`embargo run`: the proxy with the addon, in this process or in several under a supervisor, and the console."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.options import log_option

if TYPE_CHECKING:
    from embargo.enforce.metrics.page import Access
    from embargo.enforce.process.companions import Companion

CONSOLE = "127.0.0.1:8090"


@click.command(
    "run",
    context_settings={"ignore_unknown_options": False},
    epilog="\b\nExamples:\n  embargo run\n  embargo run --policy site.yaml --port 3128\n"
    "  embargo run --workers auto --health 8081 --metrics 9090\n"
    "  embargo run -- --set proxyauth=@/etc/embargo/htpasswd",
)
@click.option(
    "--policy",
    "policy",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Policy file; repeat it for layers. Default: ./domains.yaml, else the shipped one.",
)
@log_option
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", "-p", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option("--block-page", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Jinja2 template.")
@click.option(
    "--console",
    default=CONSOLE,
    show_default=True,
    metavar="[ADDRESS:]PORT",
    callback=lambda _context, _option, value: _address(value),
    help="Where the web console is.",
)
@click.option("--no-console", is_flag=True, help="The proxy alone, without the console and what fills its database.")
@click.option(
    "--console-url", default="", metavar="URL", help="The console's address, for the link on the page. [--console]"
)
@click.option(
    "--proxy-protocol-from",
    "balancers",
    multiple=True,
    metavar="NET",
    help="Address or network of a balancer that sends the PROXY protocol; repeatable.",
)
@click.option(
    "--front-proxy",
    "front_proxies",
    multiple=True,
    metavar="NET",
    help="Address or network of a proxy in front, whose user header and X-Forwarded-For are believed; repeatable.",
)
@click.option("--user-header", default="", metavar="NAME", help="Header of the front proxy. [X-Authenticated-User]")
@click.option(
    "--identities",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Map of addresses to users: address,user,from,until.",
)
@click.option(
    "--workers",
    metavar="N",
    callback=lambda _context, _option, value: _workers(value),
    help="Processes that share the port, under a supervisor that starts a lost one again; auto: one a core.",
)
@click.option(
    "--health",
    metavar="[ADDRESS:]PORT",
    callback=lambda _context, _option, value: _address(value),
    help="Answer balancers there: GET /healthz is 200 while a policy is enforced and recorded. [127.0.0.1]",
)
@click.option(
    "--metrics",
    metavar="[ADDRESS:]PORT",
    callback=lambda _context, _option, value: _address(value),
    help="Answer Prometheus there: GET /metrics. Elsewhere than on loopback with --metrics-token. [127.0.0.1]",
)
@click.option(
    "--metrics-token",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A file with the token that Prometheus has to send (Authorization: Bearer).",
)
@click.option(
    "--drain-delay",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="At SIGTERM go on serving for so long while /healthz says 503, so that balancers turn away first. [0]",
)
@click.option(
    "--stock-hooks",
    is_flag=True,
    help="Call hooks as stock mitmproxy does, for a script that adds hooks to itself while it runs.",
)
@click.argument("mitmproxy_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- MITMPROXY OPTIONS]")
def command(
    policy: tuple[Path, ...],
    log: Path,
    host: str,
    port: int,
    block_page: Path | None,
    console: tuple[str, int],
    no_console: bool,
    console_url: str,
    balancers: tuple[str, ...],
    front_proxies: tuple[str, ...],
    user_header: str,
    identities: Path | None,
    workers: int | None,
    health: tuple[str, int] | None,
    metrics: tuple[str, int] | None,
    metrics_token: Path | None,
    drain_delay: float,
    stock_hooks: bool,
    mitmproxy_options: tuple[str, ...],
) -> None:
    """Run the proxy with embargo in it. Options after -- go to mitmproxy."""
    arguments = ["--set", f"embargo_log={log}"]
    for path in policy:
        arguments += ["--set", f"embargo_policy={path}"]
    if block_page is not None:
        arguments += ["--set", f"embargo_block_page={block_page}"]
    if not no_console:
        from embargo.core.address import is_loopback
        from embargo.enforce.process.pages import shown_address

        arguments += ["--set", f"embargo_services={shown_address(console)}"]
        if not console_url and is_loopback(console[0]):  # elsewhere it has TLS and a name, which nobody has told us
            console_url = f"http://{shown_address(console)}"
    if console_url:
        arguments += ["--set", f"embargo_console={console_url}"]
    for network in balancers:
        arguments += ["--set", f"embargo_balancers={network}"]
    for network in front_proxies:
        arguments += ["--set", f"embargo_front_proxies={network}"]
    if user_header:
        arguments += ["--set", f"embargo_user_header={user_header}"]
    if identities is not None:
        arguments += ["--set", f"embargo_identities={identities}"]
    if stock_hooks:
        arguments += ["--set", "embargo_stock_hooks=true"]
    arguments += mitmproxy_options
    companions = _companions(policy, log, None if no_console else console)
    access = _metrics_access(metrics, metrics_token)
    if workers is not None or health is not None or access is not None or os.environ.get("NOTIFY_SOCKET"):
        sys.exit(_supervise(arguments, host, port, workers or 1, health, drain_delay, access, companions, log))
    if drain_delay:
        raise click.UsageError("--drain-delay is for balancers, which ask the health endpoint: add --health.")
    from embargo.enforce.process.launcher import run  # not before it is needed: mitmproxy takes a third of a second

    run(["--listen-host", host, "--listen-port", str(port), *arguments], companions=companions)


def _companions(policy: Sequence[Path], log: Path, console: tuple[str, int] | None) -> "tuple[Companion, ...]":
    """What runs beside the proxy."""
    from embargo.enforce.process.companions import SINKS, Companion

    files = [part for path in policy for part in ("--policy", str(path))]
    found = [Companion(SINKS, ("sinks", "run", "--log", str(log), *files))]
    if console is not None:
        place = ("--host", console[0], "--port", str(console[1]))
        found.append(Companion("console", ("console", "--no-store", "--log", str(log), *files, *place)))
        found.append(Companion("store", ("store", "follow", "--log", str(log))))
    return tuple(found)


def _metrics_access(metrics: tuple[str, int] | None, token: Path | None) -> "Access | None":
    if metrics is None:
        if token is not None:
            raise click.UsageError("--metrics-token is for --metrics.")
        return None
    from embargo.enforce.metrics.page import Access, UnusableToken

    try:
        return Access.of(metrics, token)
    except UnusableToken as unusable:
        raise click.UsageError(f"--metrics-token: {unusable}") from unusable


def _supervise(
    arguments: Sequence[str],
    host: str,
    port: int,
    count: int,
    health: tuple[str, int] | None,
    drain_delay: float,
    metrics: "Access | None",
    companions: "Sequence[Companion]",
    log: Path,
) -> int:
    """Run the workers; the exit code."""
    import asyncio
    from functools import partial

    from embargo.enforce.metrics.sinks import sink_series
    from embargo.enforce.process.supervisor import Supervisor

    if count > 1 and sys.platform != "linux":
        raise click.UsageError("Several workers need Linux, which spreads a port's connections over processes.")
    for argument in arguments:
        if argument in ("--listen-port", "--listen-host") or argument.startswith(_OF_THE_ADDRESS):
            raise click.UsageError(
                f"With --workers, --health or --metrics the address is given by --host and --port: {argument}"
            )
    supervisor = Supervisor(
        arguments,
        count=count,
        host=host,
        port=port,
        health=health,
        drain_delay=drain_delay,
        metrics=metrics,
        companions=companions,
        others=partial(sink_series, log),
    )
    return asyncio.run(supervisor.run())


_OF_THE_ADDRESS = ("-p", "--listen-port=", "--listen-host=", "listen_port=", "listen_host=", "--set=listen_")
_MOST_WORKERS = 256


def _workers(text: str | None) -> int | None:
    """The number that `--workers` asks for; None where it asks for nothing."""
    if text is None:
        return None
    if text == "auto":
        from embargo.enforce.process.cores import usable_cores

        return min(usable_cores(), _MOST_WORKERS)
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_WORKERS:
        return int(text)
    raise click.BadParameter(f"{text!r} is neither auto nor a number from 1 to {_MOST_WORKERS}.")


def _address(text: str | None) -> tuple[str, int] | None:
    """Address and port of `[ADDRESS:]PORT`; of IPv6 in brackets."""
    if text is None:
        return None
    from embargo.enforce.process.pages import listening_address

    try:
        return listening_address(text)
    except ValueError as malformed:
        raise click.BadParameter(str(malformed)) from malformed
