"""Where the answers of `embargo log` come from: the store, brought up to the log; the files themselves without one.

Both give the same records. Where nothing is looked for, and where no store can be kept or filled now, the files are
read: what was asked for stands in most of their lines.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.output import printable
from embargo.journal.query import Query
from embargo.journal.reader import Entry, Reader
from embargo.journal.record import BrokenRecord, Record

if TYPE_CHECKING:
    from embargo.journal.store import Store

_PATIENCE = 5.0  # seconds to wait for another process that fills the store
_SHOWN_FROM = 32 << 20  # bytes to read from which on a bar shows how far it is


class Source:
    """The records of a directory that a query takes."""

    def __init__(self, log: Path, query: Query, *, store: bool) -> None:
        self.reader = Reader(log, sift=query.may_match)
        self._query = query
        self._store = opened(log) if store and log.is_dir() and any(term.sign != "-" for term in query.terms) else None

    def entries(self) -> Iterable[Entry]:
        """All of them, oldest first. Raises OSError."""
        if self._store is None:
            return self.reader.entries(self._query.matches, self._query.since)
        return self._stored(self._store, None)

    def newest(self, count: int) -> list[Entry]:
        """The newest *count*, oldest first. Raises OSError."""
        if self._store is None:
            return self.reader.newest(count, self._query.matches, self._query.since)
        return list(self._stored(self._store, count))

    def broken(self) -> tuple[int, list[str]]:
        """How many lines are no records, and the first of them as `FILE: WHY`."""
        if self._store is None:
            return self.reader.broken.count, self.reader.broken.places
        return self._store.broken()

    def _stored(self, store: "Store", limit: int | None) -> Iterator[Entry]:
        gone = 0
        for _, line in store.lines(store.rows(self._query, store.snapshot(), limit)):
            entry = None
            if line is not None:
                with suppress(BrokenRecord):
                    entry = Entry(Record.parse(line), line)
            if entry is None:
                gone += 1
            else:
                yield entry
        if gone:
            click.echo(f"warning: {gone} records are no longer in the log's files", err=True)


def opened(log: Path, patience: float = _PATIENCE) -> "Store | None":
    """The store of *log*, with all that is in the log now; None where there can be none, told where it matters.

    Raises OSError where the log cannot be read.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from embargo.journal.store import Busy, NoPlace, Store, UnknownVersion

    try:
        store = Store.open(log)
        with bar("reading the log") as progress:
            store.catch_up(progress, patience)
    except (Busy, NoPlace):
        return None
    except UnknownVersion as newer:
        click.echo(f"warning: {newer}; the files are read", err=True)
        return None
    except SQLAlchemyError as failure:
        click.echo(f"warning: the store cannot be used, the files are read: {printable(str(failure))}", err=True)
        return None
    for notice in store.notices:
        click.echo(f"notice: {printable(notice)}", err=True)
    return store


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows on a terminal's standard error how far long work is: call it with bytes done and bytes to do."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    shown = None

    def update(done: int, total: int) -> None:
        nonlocal shown
        if shown is None and total - done >= _SHOWN_FROM:
            from rich.console import Console  # costs 50 ms, which a quick answer need not pay
            from rich.progress import Progress

            shown = Progress(console=Console(stderr=True), transient=True)
            shown.add_task(what, total=total)
            shown.start()
        if shown is not None:
            shown.update(shown.task_ids[0], completed=done, total=total)

    try:
        yield update
    finally:
        if shown is not None:
            shown.stop()
