"""`embargo log`: query and follow the decision log."""

import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from embargo.cli.log_output import Form, Printer
from embargo.cli.log_source import Source
from embargo.cli.options import json_option, log_option
from embargo.cli.output import on_terminal, printable
from embargo.journal.clock import utc_now
from embargo.journal.follow import Follower
from embargo.journal.query import KEYS, BadTerm, Query, parse_query
from embargo.journal.reader import Entry
from embargo.journal.table import UnknownField

_NEWEST = 50  # records on a terminal: what fits; a pipe gets all
_NEWEST_FOLLOWED = 10  # as tail -f
_POLL = 0.25  # seconds
_ROUTINE = "heartbeat"  # an action: one a minute, which people seldom look for; checkpoints no reader shows
_SPECIAL = frozenset({"action", "category", "id"})  # keys by which people ask for what is no decision
_REMEMBERED = 100_000  # ids: more than is written between the beginning of following and the end of the past
_LEFT_OUT = re.compile(rf"-(?:{'|'.join((*KEYS, 'order'))}):.+", re.DOTALL)


class _Terms(click.Command):
    """A command whose terms may begin with a minus, as `-app:qq` does, which is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Behind `--` nothing is taken for an option, and the order of terms does not matter."""
        end = args.index("--") if "--" in args else len(args)
        terms = [word for word in args[:end] if _LEFT_OUT.fullmatch(word)]
        others = [word for word in args[:end] if word not in terms]
        return super().parse_args(ctx, [*others, "--", *terms, *args[end + 1 :]] if terms else args)


@click.command(cls=_Terms)
@click.argument("terms", nargs=-1, metavar="[TERM]...")
@log_option
@click.option("--follow", "-f", is_flag=True, help="Then print what is written from now on, until interrupted.")
@click.option("--limit", "-n", type=click.IntRange(min=0), metavar="N", help="The newest N records; 0 for all.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@click.option("--fields", metavar="NAME,…", help="These columns alone; also members of the record such as event.id.")
@click.option("--subject", metavar="user:NAME|client:IP", help="With --export: the person that all is about.")
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what is recorded about --subject to FILE.jsonl and FILE.html; the export itself is recorded.",
)
def command(
    terms: tuple[str, ...],
    log: Path,
    follow: bool,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    fields: str | None,
    subject: str | None,
    export: Path | None,
) -> None:
    """Query and follow the decision log, oldest first.

    A TERM is key:value (app client user host rule verdict class surface role authority category action since until and
    more) or a word to find in a host. Different keys must all hold, of one key any value; -key:value leaves out.
    client: takes a network, host: a domain and what is below it, or * for any characters; since: and until: take 7d,
    2h, 30m, a date, or an RFC 3339 time.

    Prints the newest 50 on a terminal (10 under --follow), all into a pipe; -n says otherwise. --json prints the
    records as they are written, a line each. Example: embargo log app:wechat verdict:block since:7d
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    if (subject is None) is not (export is None):
        raise click.UsageError("--subject and --export belong together")
    if export is not None and (follow or as_json or as_csv or fields or limit is not None):
        raise click.UsageError("--export writes all there is, and takes no option but --subject and --log")
    form = Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE
    try:
        query = parse_query(terms, utc_now())
        if form is Form.TABLE and not _SPECIAL & {term.key for term in query.terms}:
            query = query.and_(f"-action:{_ROUTINE}")
        printer = Printer(form, tuple(filter(None, (fields or "").split(","))))
    except (BadTerm, UnknownField) as bad:
        raise click.UsageError(str(bad)) from bad
    if not follow and not log.is_dir():
        click.echo(f"error: {log}: no such log directory", err=True)
        sys.exit(2)
    if limit is None:
        limit = _NEWEST_FOLLOWED if follow else _NEWEST if on_terminal() and not as_csv and not as_json else 0
    try:
        if subject is not None and export is not None:
            from embargo.cli.subject import export_subject

            export_subject(log, subject, query, export)
        else:
            _print(Source(log, query, store=True), query, printer, limit, follow=follow)
    except BrokenPipeError:
        # whoever read us has seen enough; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        click.echo(err=True)
    except OSError as failure:
        click.echo(f"error: {failure.filename or log}: {failure.strerror or failure}", err=True)
        sys.exit(2)


def _print(source: Source, query: Query, printer: Printer, limit: int, *, follow: bool) -> None:
    follower = Follower(source.reader) if follow else None  # before the past is read, so that nothing falls between
    try:
        seen: deque[str] = deque(maxlen=_REMEMBERED)
        past = _remembered(_past(source, limit), seen)
        for line in printer.lines(past, certain=bool(limit)):
            sys.stdout.write(line)
        sys.stdout.flush()
        if follower is not None:
            _follow(follower, query, printer, set(seen))
    finally:
        if follower is not None:
            follower.close()
        count, places = source.broken()
        if count:
            for place in places:
                click.echo(f"warning: {printable(place)}", err=True)
            were = "broken line was" if count == 1 else "broken lines were"
            click.echo(f"warning: {count} {were} left out", err=True)


def _past(source: Source, limit: int) -> Iterable[Entry]:
    if not source.reader.directory.is_dir():
        return []  # --follow waits for it
    if not limit:
        return source.entries()
    newest = source.newest(limit + 1)
    if len(newest) > limit:
        if on_terminal():
            click.echo(f"the newest {limit} of more; -n 0 prints all", err=True)
        del newest[0]
    return newest


def _remembered(entries: Iterable[Entry], seen: "deque[str]") -> Iterator[Entry]:
    for entry in entries:
        seen.append(entry.record.id)
        yield entry


def _follow(follower: Follower, query: Query, printer: Printer, seen: set[str]) -> None:
    """Prints what comes; *seen* are the ids of the past, whose end may have been written since following began."""
    while True:
        entries = [entry for entry in follower.poll() if entry.record.id not in seen and query.matches(entry.record)]
        for line in printer.lines(entries, certain=False, header=False):
            sys.stdout.write(line)
        sys.stdout.flush()
        time.sleep(_POLL)
