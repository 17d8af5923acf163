"""`embargo privacy`: what the policy opens and records, for a works council; and the pseudonyms of clients."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from embargo.cli.options import NetworkType, at_option, json_option, log_option, policy_option
from embargo.cli.output import echo_json, printable
from embargo.core.address import Network
from embargo.journal.audit import login_user
from embargo.journal.pseudonym import UnusableKeys
from embargo.paths import state_directory

_LONGEST = 1_000  # characters of a reason


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  embargo privacy > annex.md
  embargo privacy --policy domains.yaml --policy site.yaml --json
  embargo privacy resolve c1-k7q2m4x5n6p3r6t2 --client 10.20.0.0/16 --reason "incident 17" """,
)
@policy_option
@at_option
@json_option
@click.pass_context
def command(ctx: click.Context, policy: tuple[Path, ...], at: datetime, as_json: bool) -> None:
    """Print what the policy opens and why, what is recorded about whom, for how long, who sees it.

    Markdown, the annex for a works council. It says what the proxy does under that policy, and knows nothing of copies
    made elsewhere. Below it: who stands behind a client's pseudonym, and new keys for them.
    """
    if ctx.invoked_subcommand is not None:
        return
    from embargo.cli.loading import loaded_policy
    from embargo.review.annex import markdown
    from embargo.review.privacy import annex

    made = annex(loaded_policy(policy), at)
    if as_json:
        import json

        click.echo(json.dumps(made.document(), ensure_ascii=True))
        return
    for line in markdown(made):
        click.echo(printable(line))


def _reason(ctx: click.Context, param: click.Parameter, value: str) -> str:
    text = value.encode(errors="replace").decode().strip()
    if not text or len(text) > _LONGEST:
        raise click.BadParameter(f"expected 1 to {_LONGEST} characters", ctx, param)
    return text


def _reason_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--reason", required=True, callback=_reason, help="Why. It stands in the log.")(function)


def _author_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--author", help="Who does it. Default: the login user.")(function)


@command.command("resolve")
@click.argument("pseudonym")
@click.option(
    "--client",
    "networks",
    multiple=True,
    required=True,
    type=NetworkType(strict=False),
    help="An address or network to try: up to a /8; repeatable.",
)
@_reason_option
@_author_option
@log_option
@json_option
def resolve(
    pseudonym: str, networks: tuple[Network, ...], reason: str, author: str | None, log: Path, as_json: bool
) -> None:
    """Find the client behind PSEUDONYM, by trying addresses; it is recorded who looked and why.

    Wants the key, which the proxy's user and root can read. Exit 1 where it is none of them.

    Example: embargo privacy resolve c1-k7q2m4x5n6p3r6t2 --client 10.20.0.0/16 --reason "incident 17"
    """
    from embargo.review.unmasking import unmask

    count = sum(network.num_addresses for network in networks)
    with _told(), _progress(count) as progress:
        found = unmask(
            pseudonym,
            networks,
            state=state_directory(),
            log=log,
            author=author or login_user(),
            reason=reason,
            now=_now,
            progress=progress,
        )
    if as_json:
        echo_json({"pseudonym": pseudonym.lower(), "client": str(found) if found is not None else None})
    elif found is not None:
        click.echo(str(found))
    else:
        click.echo("none of these addresses", err=True)
    sys.exit(0 if found is not None else 1)


@command.command("new-key")
@click.option("--forget", is_flag=True, help="Delete the earlier keys: their pseudonyms can never be resolved again.")
@_reason_option
@_author_option
@log_option
@json_option
def new_key(forget: bool, reason: str, author: str | None, log: Path, as_json: bool) -> None:
    """Make a new key: from now on every client has another pseudonym. A running proxy takes it up within 5 s.

    Example: embargo privacy new-key --forget --reason "the year is over"
    """
    from embargo.review.unmasking import renew

    with _told():
        key, forgotten = renew(
            state=state_directory(), log=log, author=author or login_user(), reason=reason, forget=forget, now=_now
        )
    numbers = [earlier.number for earlier in forgotten]
    if as_json:
        echo_json({"key": key.number, "forgotten": numbers})
        return
    told = f"; forgotten: {', '.join(map(str, numbers))}" if numbers else ""
    click.echo(f"key {key.number} is in use from now on: pseudonyms begin with c{key.number}-{told}")


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in one message, with exit code 2."""
    try:
        yield
    except (ValueError, UnusableKeys) as wrong:
        click.echo(f"error: {wrong}", err=True)
    except OSError as failure:
        click.echo(f"error: {failure.filename or ''}: {failure.strerror or failure}", err=True)
    else:
        return
    sys.exit(2)


@contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """A bar over *count* addresses, where they take a while and somebody looks."""
    if count < 100_000 or not sys.stderr.isatty():
        yield lambda tried: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("trying addresses", total=count)
        yield lambda tried: bar.advance(task, tried)


def _now() -> datetime:
    return datetime.now(UTC)
