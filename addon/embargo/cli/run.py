"""`embargo run`: the proxy with the addon."""

from pathlib import Path

import click

from embargo.cli.options import log_option


@click.command(
    "run",
    context_settings={"ignore_unknown_options": False},
    epilog="\b\nExamples:\n  embargo run\n  embargo run --policy site.yaml --port 3128\n"
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
@click.option("--console-url", default="", metavar="URL", help="The console's address, for the link on the page.")
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
    console_url: str,
    balancers: tuple[str, ...],
    front_proxies: tuple[str, ...],
    user_header: str,
    identities: Path | None,
    stock_hooks: bool,
    mitmproxy_options: tuple[str, ...],
) -> None:
    """Run the proxy with embargo in it. Options after -- go to mitmproxy."""
    from embargo.enforce.launcher import run  # not before it is needed: mitmproxy takes a third of a second

    arguments = ["--listen-host", host, "--listen-port", str(port), "--set", f"embargo_log={log}"]
    for path in policy:
        arguments += ["--set", f"embargo_policy={path}"]
    if block_page is not None:
        arguments += ["--set", f"embargo_block_page={block_page}"]
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
    run([*arguments, *mitmproxy_options], cached_hooks=not stock_hooks)
