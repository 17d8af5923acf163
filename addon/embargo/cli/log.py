"""`embargo log`: query and follow the decision log."""

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from embargo.cli.options import json_option, log_option
from embargo.cli.output import colourful, on_terminal, printable
from embargo.journal.clock import utc_now
from embargo.journal.follow import Follower
from embargo.journal.query import BadTerm, Query, parse_query
from embargo.journal.reader import Entry, Reader
from embargo.journal.table import EXPORTED, SHOWN, csv_line, row

_NEWEST = 50  # records on a terminal: what fits; a pipe gets all
_NEWEST_FOLLOWED = 10  # as tail -f
_POLL = 0.25  # seconds
_REMEMBERED = 100_000  # ids: more than is written between the beginning of following and the end of the past
_WIDTHS = {"time": 19, "verdict": 17, "app": 10, "host": 30, "client": 15, "rule": 18, "surface": 7}  # characters
_WIDEST = 48  # characters of a column
_COLOURS = {"block": "red", "log": "yellow", "allow": "cyan"}


@click.command()
@click.argument("terms", nargs=-1, metavar="[TERM]...")
@log_option
@click.option("--follow", "-f", is_flag=True, help="Then print what is written from now on, until interrupted.")
@click.option("--limit", "-n", type=click.IntRange(min=0), metavar="N", help="The newest N records; 0 for all.")
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
def command(terms: tuple[str, ...], log: Path, follow: bool, limit: int | None, as_json: bool, as_csv: bool) -> None:
    """Query and follow the decision log, oldest first.

    A TERM is key:value (app client user host rule verdict would surface category action since until) or a word to
    find in a host.
    Different keys must all hold, of one key any value. client: takes a network, host: a domain and what is below it,
    or * for any characters; since: and until: take 7d, 2h, 30m, a date, or an RFC 3339 time.

    Prints the newest 50 on a terminal (10 under --follow), all into a pipe; -n says otherwise. --json prints the
    records as they are written, a line each. Example: embargo log app:wechat verdict:block since:7d
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    try:
        query = parse_query(terms, utc_now())
    except BadTerm as bad:
        raise click.UsageError(str(bad)) from bad
    if not follow and not log.is_dir():
        click.echo(f"error: {log}: no such log directory", err=True)
        sys.exit(2)
    if limit is None:
        limit = _NEWEST_FOLLOWED if follow else _NEWEST if on_terminal() and not as_csv and not as_json else 0
    try:
        _print(
            Reader(log, sift=query.may_match),
            query,
            limit,
            follow=follow,
            form="json" if as_json else "csv" if as_csv else "table",
        )
    except BrokenPipeError:
        # whoever read us has seen enough; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        click.echo(err=True)
    except OSError as failure:
        click.echo(f"error: {log}: {failure.strerror or failure}", err=True)
        sys.exit(2)


def _print(reader: Reader, query: Query, limit: int, *, follow: bool, form: str) -> None:
    follower = Follower(reader) if follow else None  # before the past is read, so that nothing falls between
    try:
        seen: deque[str] = deque(maxlen=_REMEMBERED)
        past = _remembered(_past(reader, query, limit), seen)
        for line in _lines(past, form, certain=bool(limit)):
            sys.stdout.write(line)
        sys.stdout.flush()
        if follower is not None:
            _follow(follower, query, form, set(seen))
    finally:
        if follower is not None:
            follower.close()
        if reader.broken.count:
            for place in reader.broken.places:
                click.echo(f"warning: {printable(place)}", err=True)
            count = reader.broken.count
            were = "broken line was" if count == 1 else "broken lines were"
            click.echo(f"warning: {count} {were} left out", err=True)


def _past(reader: Reader, query: Query, limit: int) -> Iterable[Entry]:
    if not reader.directory.is_dir():
        return []  # --follow waits for it
    if not limit:
        return reader.entries(query.matches, query.since)
    newest = reader.newest(limit + 1, query.matches, query.since)
    if len(newest) > limit:
        if on_terminal():
            click.echo(f"the newest {limit} of more; -n 0 prints all", err=True)
        del newest[0]
    return newest


def _remembered(entries: Iterable[Entry], seen: "deque[str]") -> Iterator[Entry]:
    for entry in entries:
        seen.append(entry.record.id)
        yield entry


def _follow(follower: Follower, query: Query, form: str, seen: set[str]) -> None:
    """Prints what comes; *seen* are the ids of the past, whose end may have been written since following began."""
    while True:
        entries = [entry for entry in follower.poll() if entry.record.id not in seen and query.matches(entry.record)]
        for line in _lines(entries, form, certain=False, header=False):
            sys.stdout.write(line)
        sys.stdout.flush()
        time.sleep(_POLL)


def _lines(entries: Iterable[Entry], form: str, *, certain: bool, header: bool = True) -> Iterator[str]:
    """The entries as text; *certain*: all are known, so that columns can fit them."""
    if form == "json":
        for entry in entries:
            yield entry.raw.decode("utf-8", "replace") + "\n"
    elif form == "csv":
        if header:
            yield csv_line(tuple(EXPORTED))
        for entry in entries:
            yield csv_line(row(EXPORTED, entry.record))
    else:
        yield from _table(entries, certain=certain, header=header)


def _table(entries: Iterable[Entry], *, certain: bool, header: bool) -> Iterator[str]:
    terminal = shutil.get_terminal_size().columns if on_terminal() else None
    widths = dict(_WIDTHS)
    if certain:
        entries = list(entries)
        shown = [[printable(text) for text in row(SHOWN, entry.record)] for entry in entries]
        for index, name in enumerate(widths):
            longest = max((len(texts[index]) for texts in shown), default=0)
            widths[name] = min(_WIDEST, max(len(name), longest))
    if header:
        yield _fit([name.upper() for name in SHOWN], widths, terminal) + "\n"
    for entry in entries:
        texts = [printable(text) for text in row(SHOWN, entry.record)]
        line = _fit(texts, widths, terminal)
        colour = _COLOURS.get(entry.record.verdict or "") if colourful() else None
        yield (click.style(line, fg=colour) if colour else line) + "\n"


def _fit(texts: list[str], widths: dict[str, int], terminal: int | None) -> str:
    line = "  ".join(text.ljust(width) for text, width in zip(texts, widths.values(), strict=False))
    line = f"{line}  {texts[-1]}".rstrip()
    return line if terminal is None or len(line) <= terminal else line[: max(1, terminal - 1)] + "…"
