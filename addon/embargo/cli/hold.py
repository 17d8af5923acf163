"""`embargo hold`: parts of the log that are kept whatever their age."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from embargo.cli.options import Instant, json_option, log_option
from embargo.cli.output import echo_json, printable
from embargo.journal.audit import login_user
from embargo.journal.retention.holds import Hold, HoldsUnreadable, holds
from embargo.review.holds import NoSuchHold, begin, end, kept_files

_LONGEST = {"reason": 1_000, "author": 256, "ticket": 256}  # characters


@click.group()
def command() -> None:
    """Keep a part of the log whatever its age: nothing of it is deleted until the hold is ended.

    Orders and ends are recorded. Where `holds.json` beside the log cannot be read, nothing is deleted at all.

    Example: embargo hold add --from 2026-03-01 --to 2026-06-01 --reason "discovery in Doe v. Example Corp"
    """


def _text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """*value* without blanks around it. A usage error where nothing is left, or too much."""
    if value is None:
        return None
    assert param.name is not None
    text = value.encode(errors="replace").decode().strip()
    if not text or len(text) > _LONGEST[param.name]:
        raise click.BadParameter(f"expected 1 to {_LONGEST[param.name]} characters", ctx, param)
    return text


def _author_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--author", callback=_text, help="Who orders it. Default: the login user.")(function)


@command.command()
@click.option("--from", "since", type=Instant(), required=True, help="Keep what was written from then on: a date, …")
@click.option("--to", "until", type=Instant(), help="… and before then. Default: open, until the hold is ended.")
@click.option("--reason", required=True, callback=_text, help="Why. It stands in the log.")
@click.option("--ticket", callback=_text, help="Where it is tracked.")
@_author_option
@log_option
@json_option
def add(
    since: datetime,
    until: datetime | None,
    reason: str,
    ticket: str | None,
    author: str | None,
    log: Path,
    as_json: bool,
) -> None:
    """Order a hold.

    Every file that overlaps the time is kept whole.

    Example: embargo hold add --from 2026-03-01 --to 2026-06-01 --reason "discovery in Doe v. Example Corp"
    """
    if until is not None and until <= since:
        raise click.UsageError("--to is not after --from.")
    with _told():
        hold = begin(log, begin=since, end=until, reason=reason, author=author or login_user(), ticket=ticket, now=_now)
        kept = len(kept_files(log, hold))
    if as_json:
        echo_json(_object(hold, kept))
    else:
        click.echo(f"{hold.id}: nothing that was written {_span(hold)} is deleted; {_files(kept)} of that time now")


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were ended, too.")
@log_option
@json_option
def show(everything: bool, log: Path, as_json: bool) -> None:
    """List the holds.

    Example: embargo hold list --json
    """
    with _told():
        found = [(hold, len(kept_files(log, hold))) for hold in _known(log) if everything or hold.holds]
    if as_json:
        for hold, kept in found:
            echo_json(_object(hold, kept))
        return
    for hold, kept in found:
        ticket = f" ({printable(hold.ticket)})" if hold.ticket is not None else ""
        click.echo(f"{hold.id}  {_span(hold)}, {_files(kept)}")
        click.echo(f"  by {printable(hold.author)} on {_time(hold.since)}{ticket}: {printable(hold.reason)}")
        if hold.ended is not None:
            by, why = printable(hold.ended_by or "?"), printable(hold.end_reason or "")
            click.echo(f"  ended by {by} on {_time(hold.ended)}: {why}")
    if not found:
        click.echo("nothing is on hold")


@command.command("end")
@click.argument("identifier", metavar="ID")
@click.option("--reason", required=True, callback=_text, help="Why. It stands in the log.")
@_author_option
@log_option
@json_option
def finish(identifier: str, reason: str, author: str | None, log: Path, as_json: bool) -> None:
    """End a hold: what it kept is deleted once it is older than `settings.log.retention`.

    Example: embargo hold end hold-20260401-1 --reason "settled"
    """
    with _told():
        hold = end(log, identifier, by=author or login_user(), reason=reason, now=_now)
    if as_json:
        echo_json(_object(hold, 0))
    else:
        click.echo(f"{hold.id} is ended: what it kept may be deleted again")


def _known(log: Path) -> tuple[Hold, ...]:
    if not log.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(log))
    return holds(log)


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong, as one line, and exit 2."""
    try:
        yield
    except (HoldsUnreadable, NoSuchHold) as refused:
        _fail(str(refused))
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename is not None else ""
        _fail(f"{where}{failure.strerror or failure}")


def _fail(text: str) -> None:
    click.echo(f"error: {printable(text)}", err=True)
    sys.exit(2)


def _span(hold: Hold) -> str:
    until = f"to {_time(hold.end)}" if hold.end is not None else "on"
    return f"from {_time(hold.begin)} {until}"


def _files(count: int) -> str:
    return f"{count} rotated file{'' if count == 1 else 's'}"


def _time(instant: datetime) -> str:
    if (instant.hour, instant.minute, instant.second) == (0, 0, 0):
        return f"{instant:%Y-%m-%d}"
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _object(hold: Hold, kept: int) -> dict[str, Any]:
    return {
        "id": hold.id,
        "from": hold.begin.isoformat(),
        "to": hold.end.isoformat() if hold.end is not None else None,
        "reason": hold.reason,
        "author": hold.author,
        "ticket": hold.ticket,
        "since": hold.since.isoformat(),
        "holds": hold.holds,
        "ended": hold.ended.isoformat() if hold.ended is not None else None,
        "ended_by": hold.ended_by,
        "end_reason": hold.end_reason,
        "files": kept,
    }
