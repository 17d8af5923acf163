"""`embargo verify`: whether the log is what was written, by its files and a public key alone."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.loading import UNREADABLE
from embargo.cli.options import Instant, json_option
from embargo.cli.output import echo_json, printable
from embargo.paths import log_directory

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from embargo.journal.seal.verification import Progress

TAMPERED = 1  # exit


@click.command(
    epilog="""\b
Examples:
  embargo verify
  embargo verify /mnt/evidence/log --public-key auditor.pem --anchor /mnt/anchor/proxy1.jsonl
  embargo verify --from 2026-11-01 --to 2026-12-01 --json"""
)
@click.argument("log", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="[LOG]")
@click.option(
    "--public-key",
    "key_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A public key (PEM) that is believed; may be repeated. Default: those in LOG/seal/.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A file of checkpoints that an anchor has, as a syslog server wrote them too: finds a cut end. Repeatable.",
)
@click.option("--from", "since", type=Instant(), metavar="TIME", help="Leave out files that were ended before.")
@click.option("--to", "until", type=Instant(), metavar="TIME", help="Leave out files that were begun after.")
@json_option
def command(
    log: Path | None,
    key_files: tuple[Path, ...],
    anchors: tuple[Path, ...],
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Check that the decision log is what was written: nothing changed, removed, inserted or moved.

    LOG is a log directory, or a copy of one ($LOGS_DIRECTORY, else $XDG_STATE_HOME/embargo/log). Nothing is written,
    and no proxy is asked. Exit 1 where something is wrong: the first line of each fault is named.
    """
    from embargo.journal.seal.anchored import read_anchors
    from embargo.journal.seal.finding import Kind
    from embargo.journal.seal.transcript import transcript
    from embargo.journal.seal.trust import Trust
    from embargo.journal.seal.verification import verify

    directory = log if log is not None else log_directory()
    keys = _keys(directory, key_files)
    try:
        anchored = read_anchors(anchors, Trust(keys))
        with _bar() as progress:
            result = verify(
                directory,
                keys,
                own_key=not key_files,
                heads=anchored.heads,
                since=since,
                until=until,
                progress=progress,
            )
        result = anchored.judged(result)
    except OSError as failure:
        where = failure.filename or directory
        click.echo(f"error: {printable(str(where))}: {failure.strerror or failure}", err=True)
        sys.exit(UNREADABLE)
    if as_json:
        echo_json(dict(result.document()))
    else:
        for line in transcript(result):
            click.echo(printable(line))
    if not result.whole:
        only_unreadable = all(finding.kind is Kind.UNREADABLE for finding in result.findings)
        sys.exit(UNREADABLE if only_unreadable else TAMPERED)


def _keys(directory: Path, files: tuple[Path, ...]) -> "list[Ed25519PublicKey]":
    from embargo.journal.seal.keys import known_keys, load_public_key

    if not files:
        return known_keys(directory)
    found = []
    for path in files:
        try:
            found.append(load_public_key(path))
        except (OSError, ValueError) as failure:
            why = f"{path}: {failure.strerror}" if isinstance(failure, OSError) else str(failure)
            click.echo(f"error: {printable(why)}", err=True)
            sys.exit(UNREADABLE)
    return found


@contextmanager
def _bar() -> "Iterator[Progress | None]":
    """A bar on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # costs 50 ms, which a pipe need not pay
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("verifying", BarColumn(), TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
