"""`embargo restore`: take an edit back: the policy files as they were under a policy that was in force."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click

from embargo.cli.difference_output import echo_difference
from embargo.cli.findings import counted, now
from embargo.cli.loading import UNREADABLE
from embargo.cli.options import json_option, log_option, policy_option
from embargo.cli.output import echo_json, echo_problems, printable, table
from embargo.cli.words import WORDS, author_option
from embargo.core.rules import LogSettings
from embargo.journal.audit import login_user, record
from embargo.journal.event import Change, ConfigurationChanged, Outcome
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import NotWritten
from embargo.review.difference import Difference, Side, difference
from embargo.review.history import NoSuchPolicy, Version, stored_text, versions
from embargo.review.restoring import NotRestorable, Plan, plan, previous, restore

_SHOWN = 12  # digits of a digest, as `diff` and the proxy's own lines have them
YEAR = timedelta(days=365)  # in which the dates of both policies are followed


@click.command(epilog="\b\nExamples:\n  embargo restore\n  embargo restore previous --reason 'blocked the bank'")
@click.argument("digest", required=False, metavar="[DIGEST|previous]")
@policy_option
@log_option
@click.option("--reason", type=WORDS, metavar="TEXT", help="Why, for the log.")
@author_option
@click.option("--with-exceptions", is_flag=True, help="Take exceptions.yaml back as well; else it stays as it is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    digest: str | None,
    policy: tuple[Path, ...],
    log: Path,
    reason: str | None,
    author: str | None,
    with_exceptions: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take an edit back: the policy files as they were under a policy that was in force.

    Without DIGEST it lists the policies that were, the newest first. `previous` is the newest that the files are not
    now, whatever exceptions were granted since. What would change is shown, the old text is tried out, and the change
    is recorded in the audit log. Exit 0 where it was done, 1 where it cannot be, 2 where a file cannot be read.
    """
    try:
        known = versions(log)
        if digest is None:
            _list(known, as_json=as_json)
            return
        if digest == "previous":
            digest = previous(policy, log, known, exceptions=with_exceptions)
        data = stored_text(log, digest.lower())
        found = plan(policy, data, now(), exceptions=with_exceptions)
    except PolicyError as refused:
        echo_problems(refused.problems)
        _fail("that policy does not load now, with the exceptions that stay, so nothing was changed")
    except (NoSuchPolicy, NotRestorable) as error:
        _fail(str(error))
    except OSError as error:
        click.echo(f"error: {error.filename or log}: {error.strerror or error}", err=True)
        sys.exit(UNREADABLE)
    _carry_out(found, log, reason, author or login_user(), yes=yes, as_json=as_json)


def _list(known: Sequence[Version], *, as_json: bool) -> None:
    if as_json:
        for version in known:
            echo_json(
                {
                    "digest": version.digest,
                    "since": version.since.isoformat(),
                    "files": list(version.files),
                    "stricter": version.stricter,
                    "milder": version.milder,
                    "stored": version.stored,
                }
            )
        return
    if not known:
        click.echo("the log knows of no policy that was in force")
        return
    table(
        ("in force from", "policy", "stricter", "milder", "files"),
        (
            (
                f"{version.since:%Y-%m-%dT%H:%M:%SZ}",
                version.digest[:_SHOWN] + ("" if version.stored else " (text not kept)"),
                str(version.stricter),
                str(version.milder),
                ", ".join(version.files),
            )
            for version in known
        ),
    )


def _carry_out(found: Plan, log: Path, reason: str | None, author: str, *, yes: bool, as_json: bool) -> None:
    moment = now()
    changes = _changes(found, moment)
    if not as_json:
        _show(found, changes)
    if found.replaced:
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("nobody is there to ask: say --yes")
            click.confirm("Go back?", abort=True, err=True)
        _write(found, log, reason, author, moment)
    if as_json:
        document = changes.document() if changes is not None else None
        files = [str(each.path) for each in found.replaced]
        echo_json({"digest": found.then.digest, "files": files, "difference": document})
    elif found.replaced:
        click.echo("done; a running proxy takes it up within two seconds, and `embargo status` shows it")


def _changes(found: Plan, moment: datetime) -> Difference | None:
    """What would change in effect from *moment* on; None where the files as they are do not load."""
    if found.now is None:
        return None
    then = Side(label="what was in force", loaded=found.then, below=found.below, shown="")
    return difference(Side(label="the files as they are", loaded=found.now), then, moment, moment + YEAR)


def _show(found: Plan, changes: Difference | None) -> None:
    if not found.replaced:
        click.echo("the files are that policy already")
        return
    for each in found.replaced:
        was = "is not there" if each.old is None else f"has {counted(len(each.old.splitlines()), 'line')}"
        click.echo(printable(f"{each.path}: {was}, would have {counted(len(each.new.splitlines()), 'line')}"))
    if changes is None:
        click.echo("the files as they are do not load, so what would change against them is not known")
    else:
        echo_difference(changes)


def _write(found: Plan, log: Path, reason: str | None, author: str, moment: datetime) -> None:
    """Record that it is about to be done, do it, and record what came of it."""
    login = login_user()
    settings: LogSettings = found.then.policy.settings.log
    event = ConfigurationChanged(
        time=moment,
        action="policy-restored",
        change=Change.CHANGE,
        outcome=Outcome.UNKNOWN,
        user=author,
        reason=reason,
        policy=found.then.digest,
        subject="restored",
        details={
            "files": tuple(str(each.path) for each in found.replaced),
            "login": login if login != author else None,
        },
    )
    try:
        record(log, event, settings)
    except OSError as error:
        _fail(f"{log}: the change cannot be recorded, so it was not made: {error.strerror or error}")
    try:
        restore(found, f"{author} (embargo restore, process {os.getpid()}, since {moment:%H:%M:%S} UTC)")
    except (NotWritten, NotRestorable) as error:
        _try_record(log, replace(event, time=now(), outcome=Outcome.FAILURE, error=str(error)), settings)
        _fail(str(error))
    _try_record(log, replace(event, time=now(), outcome=Outcome.SUCCESS), settings)


def _try_record(log: Path, event: ConfigurationChanged, settings: LogSettings) -> None:
    try:
        record(log, event, settings)
    except OSError as error:
        what = f"{log}: what came of it could not be recorded: {error.strerror or error}"
        click.echo(f"warning: {printable(what)}", err=True)


def _fail(why: str) -> NoReturn:
    click.echo(f"error: {printable(why)}", err=True)
    sys.exit(1)
