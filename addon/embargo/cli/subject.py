"""`embargo log --subject --export`: what is recorded about one person; that it was taken out is recorded, too."""

import sys
from pathlib import Path

import click

from embargo.cli.log_source import Source
from embargo.cli.output import printable
from embargo.journal import audit
from embargo.journal.clock import utc_now
from embargo.journal.event import ConsoleUsed, Outcome
from embargo.journal.query import BadTerm, Query
from embargo.journal.subject import paths_of, subject_term, write


def export_subject(log: Path, subject: str, query: Query, path: Path) -> None:
    """Writes the files, and records it before and after. Raises OSError where it cannot be recorded or written."""
    try:
        query = query.and_(subject_term(subject))
    except BadTerm as bad:
        raise click.UsageError(str(bad)) from bad
    for file in paths_of(path):
        if file.exists():
            click.echo(f"error: {file} is there already; give another name", err=True)
            sys.exit(2)
    user = audit.login_user()

    def record(outcome: Outcome, records: int | None = None) -> None:
        details = {"subject": subject, "terms": str(query), "records": records}
        audit.record(log, ConsoleUsed(time=utc_now(), action="export", outcome=outcome, user=user, details=details))

    record(Outcome.UNKNOWN)  # nothing leaves that is not recorded
    try:
        export = write(path, query, Source(log, query, store=True).entries(), utc_now())
    except OSError:
        record(Outcome.FAILURE)
        raise
    record(Outcome.SUCCESS, export.records)
    for file in export.files:
        click.echo(printable(str(file)))
    click.echo(f"{export.records} records", err=True)
