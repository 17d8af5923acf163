"""`embargo store`: fills and tends the index of the decision log that `embargo log` and the console ask."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from embargo.cli.log_source import bar
from embargo.cli.options import json_option, log_option
from embargo.cli.output import echo_json, printable
from embargo.priority import give_way


@click.group(
    epilog="""\b
Examples:
  embargo store follow
  embargo store rebuild
  embargo store status --json"""
)
def command() -> None:
    """Fill and tend the store: the index of the decision log that `embargo log` and the console ask.

    The log's files are the truth; the store can be built from them at any time.
    """


@command.command("follow")
@log_option
def follow(log: Path) -> None:
    """Keep the store up to the log until interrupted, in the background of everything else."""
    from embargo.journal.store.following import Following

    give_way()
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with _failures(log):
        following = Following(log, lambda text: click.echo(printable(text), err=True))
        following.run(stopped)


@command.command("rebuild")
@log_option
def rebuild(log: Path) -> None:
    """Build the store anew from the log's files; the old one answers until the new one is whole."""
    from embargo.journal.store import Busy, Store
    from embargo.journal.store.place import Place

    _must_be_there(log)
    with _failures(log):
        try:
            with bar("reading the log") as progress:
                caught = Store(log, Place.of(log)).rebuild(progress)
        except Busy:
            click.echo("error: another process is filling the store; try again", err=True)
            sys.exit(2)
    click.echo(f"{caught.records} records")
    for place in caught.places[:20]:
        click.echo(f"warning: {printable(place)}", err=True)
    if caught.broken:
        click.echo(f"warning: {caught.broken} broken lines were left out", err=True)


@command.command("status")
@log_option
@json_option
def status(log: Path, as_json: bool) -> None:
    """Show how many records the store has, and how far it is behind the log. Exit 1 where it is behind."""
    from embargo.journal.store import Store

    _must_be_there(log)
    with _failures(log):
        found = Store.open(log).status()
    if as_json:
        from embargo.journal.ecs import timestamp

        newest = None if found.newest is None else timestamp(found.newest)
        echo_json(asdict(found) | {"newest": newest, "notices": list(found.notices)})
    else:
        click.echo(f"{found.rows} records of {found.files} files, {found.size / 1e6:.1f} MB, version {found.version}")
        click.echo(f"{found.behind} bytes behind the log; {found.broken} broken lines")
        click.echo(printable(found.path))
    for notice in found.notices:
        click.echo(f"notice: {printable(notice)}", err=True)
    sys.exit(1 if found.behind else 0)


def _must_be_there(log: Path) -> None:
    if not log.is_dir():
        click.echo(f"error: {log}: no such log directory", err=True)
        sys.exit(2)


@contextmanager
def _failures(log: Path) -> Iterator[None]:
    """What goes wrong, in one line."""
    from sqlalchemy.exc import SQLAlchemyError

    from embargo.journal.store import Busy, UnknownVersion

    try:
        yield
    except UnknownVersion as newer:
        click.echo(f"error: {newer}", err=True)
    except Busy:
        click.echo("error: another process is filling the store; try again", err=True)
    except OSError as failure:
        click.echo(f"error: {failure.filename or log}: {failure.strerror or failure}", err=True)
    except SQLAlchemyError as failure:
        click.echo(f"error: the store: {printable(str(failure))}", err=True)
    else:
        return
    sys.exit(2)
