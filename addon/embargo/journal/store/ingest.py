"""Fills the store from the log's files: what is new in them, each record once, and takes out what they no longer hold.

A batch is one transaction: rows, counts, and how far the files have been read. So a crash at any moment leaves a store
that is right as far as it goes.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard
from sqlalchemy import Connection, Engine, delete, func, select, update

from embargo.journal.files import LogFile
from embargo.journal.record import BrokenRecord
from embargo.journal.seal.chain import MARK
from embargo.journal.store import schema
from embargo.journal.store.counts import Counts, rows_of, tidy
from embargo.journal.store.decoded import LineReader, Row
from embargo.journal.store.dialect import changes, insertion
from embargo.journal.store.interning import Interned
from embargo.journal.store.sources import Source, fingerprint, listed, opened, sequence

_BATCH = 20_000  # records a transaction
_BUILDING_BATCH = 100_000  # where nobody reads yet: the larger, the fewer counts are written
_TURN = 2.0  # seconds after which a batch is written, so that others see it
_COLUMNS = 8  # of `record` that a `Row` begins with, in their order
_LONGEST_WHY = 200  # characters

_INSERT_RECORD = insertion(schema.record, ignore=True)
_INSERT_HEARTBEAT = insertion(schema.heartbeat, ignore=True)
_INSERT_BROKEN = insertion(schema.broken, ignore=True)

type Progress = Callable[[int, int], None]  # bytes read, bytes to read; on the disk, as far as known


@dataclass(slots=True)
class Caught:
    """What a pass did."""

    records: int = 0  # new rows
    broken: int = 0  # lines that are no records, and files that cannot be read to their end
    removed: int = 0  # rows of files that are gone
    places: list[str] = field(default_factory=list)  # the first of what is broken, as `FILE: WHY`


@dataclass(slots=True)
class _File:
    """A file that the store knows."""

    id: int
    stem: str
    number: int
    fingerprint: bytes
    name: str
    first: int
    inode: int
    size: int
    position: int = 0
    whole: int = 0
    first_row: int = 0
    last_row: int = 0
    lines: int = 0


class Ingester:
    """Reads a directory into a database. For one thread; after an exception it is to be thrown away."""

    def __init__(self, engine: Engine, directory: Path, *, building: bool = False) -> None:
        """*building*: nobody reads the database yet."""
        self._batch, self._turn = (_BUILDING_BATCH, math.inf) if building else (_BATCH, _TURN)
        self._engine = engine
        self._directory = directory
        self._interned = Interned()
        self._reader = LineReader(self._interned)
        self._files: dict[int, _File] = {}
        self._next_row = 1
        self._done = self._total = 0

    def run(self, progress: Progress | None = None) -> Caught:
        """One pass over all files. Raises OSError where the directory cannot be listed, and the database's errors."""
        caught = Caught()
        with self._engine.begin() as connection:
            self._load(connection)
        with ExitStack() as stack, _uncollected():
            sources, missing = self._present(stack)
            for file in missing:
                caught.removed += self._remove(file)
            self._done, self._total = 0, sum(source.size for _, source in sources)
            for file, source in sources:
                self._read(file, source, caught, progress)
        return caught

    # --- which files

    def _load(self, connection: Connection) -> None:
        """Anew for each pass: another process may have filled the store meanwhile."""
        columns = [schema.file.c[name] for name in _File.__slots__]
        self._files = {row[0]: _File(*row) for row in connection.execute(select(*columns))}
        highest = connection.scalar(select(func.max(schema.record.c.row))) or 0
        self._next_row = max([highest, *(file.last_row for file in self._files.values()), _stored_row(connection)]) + 1

    def _present(self, stack: ExitStack) -> tuple[list[tuple[_File, Source]], list[_File]]:
        """The files to read with what is known of them, oldest first; and those known that are gone.

        The live ones are opened before the rotated ones are listed: so a rotation in between is seen twice and counted
        once, and never missed.
        """
        live = [
            found for file in listed(self._directory) if file.rotated is None and (found := self._open(file, stack))
        ]
        held = {source.inode for source in live}
        by_name = {(file.name, file.inode, file.size): file for file in self._files.values() if file.whole}
        present: set[int] = set()
        sources: list[tuple[_File, Source]] = []
        rotated = [file for file in listed(self._directory) if file.rotated is not None]
        for log_file in rotated:
            try:
                status = log_file.path.stat()
            except OSError:
                status = None
            if status is not None and status.st_ino in held:
                continue
            if status is not None and (known := by_name.get((log_file.path.name, status.st_ino, status.st_size))):
                present.add(known.id)
                continue
            if (source := self._open(log_file, stack)) is not None:
                self._match(source, sources, present)
        for source in live:
            self._match(source, sources, present)
        sources.sort(key=lambda pair: (pair[0].stem, pair[0].number))  # stable: within a chain oldest first
        return sources, [file for file in self._files.values() if file.id not in present]

    def _open(self, file: LogFile, stack: ExitStack) -> Source | None:
        try:
            source = opened(file)
        except OSError as failure:
            raise OSError(failure.errno, failure.strerror, str(file.path)) from failure
        if source is not None:
            stack.callback(source.opened.close)
        return source

    def _match(self, source: Source, sources: list[tuple[_File, Source]], present: set[int]) -> None:
        """Files *source* under what is known of it, or as new."""
        if (line := source.first_line()) is None:
            return  # empty yet
        mark = fingerprint(line)
        log_file = source.file
        known = next(
            (
                file
                for file in self._files.values()
                if file.fingerprint == mark and (file.stem, file.number) == log_file.chain
            ),
            None,
        )
        if known is not None and known.id in present:
            return  # under two names at once
        if known is None:
            known = _File(
                id=max(self._files, default=0) + 1,
                stem=log_file.stem,
                number=log_file.number,
                fingerprint=mark,
                name=log_file.path.name,
                first=sequence(line),
                inode=source.inode,
                size=0,
            )
            self._files[known.id] = known
        elif not log_file.compressed and source.size < known.position:
            self._remove(known)  # cut short: what it holds now is read anew
            known = replace(known, position=0, whole=0, first_row=0, last_row=0, lines=0)
            self._files[known.id] = known
        known.name, known.inode = log_file.path.name, source.inode
        present.add(known.id)
        sources.append((known, source))

    def _remove(self, file: _File) -> int:
        """Takes the rows of a file out, and their counts."""
        with self._engine.begin() as connection:
            self._interned.begin(connection)
            self._interned.load(connection)
            rows = rows_of(connection, file.id, file.first_row, file.last_row)
            counts = Counts(self._interned)
            counts.add(rows, -1)
            counts.write(connection)
            within = (schema.record.c.row >= file.first_row, schema.record.c.row <= file.last_row)
            rows_gone = select(schema.record.c.row).where(*within, schema.record.c.file == file.id)
            connection.execute(delete(schema.heartbeat).where(schema.heartbeat.c.row.in_(rows_gone)))
            connection.execute(delete(schema.record).where(*within, schema.record.c.file == file.id))
            connection.execute(delete(schema.broken).where(schema.broken.c.file == file.id))
            connection.execute(delete(schema.file).where(schema.file.c.id == file.id))
            if rows:
                times = [row[0] for row in rows]
                tidy(connection, self._interned, min(times), max(times))
            self._interned.write(connection)
            _store_row(connection, self._next_row - 1)
        del self._files[file.id]
        return len(rows)

    # --- what is in them

    def _read(self, file: _File, source: Source, caught: Caught, progress: Progress | None) -> None:
        batch: list[tuple[Row, int, int]] = []
        broken: list[tuple[int, int, str]] = []
        began = time.monotonic()
        before = file.position
        with self._engine.connect() as looking:  # numbers are looked up outside of the writing transaction
            self._interned.begin(looking)
            try:
                for lines, offset in _lines(source, file.position):
                    file.position = self._parse(file, lines, offset, batch, broken)
                    if len(batch) + len(broken) >= self._batch or time.monotonic() - began > self._turn:
                        looking.rollback()
                        self._write(file, batch, broken, caught)
                        looking.begin()
                        batch, broken, began = [], [], time.monotonic()
                        if progress is not None:
                            share = file.position if not source.file.compressed else source.opened.tell()
                            progress(self._done + min(share, source.size), self._total)
            except (OSError, zstandard.ZstdError) as failure:
                broken.append((file.id, file.position, f"unreadable from here on: {failure}"[:_LONGEST_WHY]))
        file.size = source.size
        file.whole = int(source.file.rotated is not None)
        self._done += source.size
        if batch or broken or file.position != before or file.whole:
            self._write(file, batch, broken, caught)
        if progress is not None:
            progress(self._done, self._total)

    def _parse(
        self,
        file: _File,
        lines: list[bytes],
        offset: int,
        batch: list[tuple[Row, int, int]],
        broken: list[tuple[int, int, str]],
    ) -> int:
        """Takes *lines*, which begin at *offset*, into *batch*; returns where they end."""
        read, add = self._reader.row, batch.append
        for line in lines:
            length = len(line) + 1
            try:
                if MARK not in line:  # the seal's own records say nothing that happened, as in `Reader`
                    add((read(line), offset, length))
            except BrokenRecord as failure:
                if line.strip():
                    broken.append((file.id, offset, str(failure)[:_LONGEST_WHY]))
            offset += length
        return offset

    def _write(
        self, file: _File, batch: list[tuple[Row, int, int]], broken: list[tuple[int, int, str]], caught: Caught
    ) -> None:
        with self._engine.begin() as connection:
            self._interned.write(connection)
            inserted = self._insert(connection, file, batch)
            if inserted is None:
                batch = self._new_ones(connection, batch)
                inserted = self._insert(connection, file, batch) or 0
            counts = Counts(self._interned)
            counts.add(row[:4] for row, _, _ in batch)
            counts.write(connection)
            heartbeats = [
                (number, row.time, row.heartbeat)
                for number, (row, _, _) in enumerate(batch, self._next_row)
                if row.heartbeat is not None
            ]
            if heartbeats:
                connection.exec_driver_sql(_INSERT_HEARTBEAT, heartbeats)
            if broken:
                connection.exec_driver_sql(_INSERT_BROKEN, broken)
            if inserted:
                file.first_row = file.first_row or self._next_row
                self._next_row += inserted
                file.last_row = self._next_row - 1
                file.lines += inserted
            _store_file(connection, file)
        caught.records += inserted
        caught.broken += len(broken)
        caught.places += [f"{file.name}: {why}" for _, _, why in broken]

    def _insert(self, connection: Connection, file: _File, batch: list[tuple[Row, int, int]]) -> int | None:
        """How many rows were inserted: all; None, and none, where some are there already."""
        if not batch:
            return 0
        number = self._next_row
        rows: list[Any] = [
            (at, *row[:_COLUMNS], file.id, offset, length) for at, (row, offset, length) in enumerate(batch, number)
        ]
        before = changes(connection)
        with connection.begin_nested() as attempt:
            connection.exec_driver_sql(_INSERT_RECORD, rows)
            if changes(connection) - before != len(batch):
                attempt.rollback()
                return None
        return len(batch)

    def _new_ones(self, connection: Connection, batch: list[tuple[Row, int, int]]) -> list[tuple[Row, int, int]]:
        """Those of *batch* whose id is not yet in the store."""
        record = schema.record.c
        seen: set[tuple[int, int]] = set()
        new = []
        for entry in batch:
            high, low = identifier = entry[0].id_high, entry[0].id_low
            if identifier in seen:
                continue
            seen.add(identifier)
            known = select(record.row).where(record.id_high == high, record.id_low == low)
            if connection.scalar(known) is None:
                new.append(entry)
        return new


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of reference cycles, of which a batch of tuples has none: it took a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _lines(source: Source, position: int) -> Iterator[tuple[list[bytes], int]]:
    """The whole lines from *position* on, some at a time, with the offset of the first.

    A last one that is being written is left out.
    """
    held = b""
    for block in source.blocks(position):
        whole, feed, rest = (held + block if held else block).rpartition(b"\n")
        held = rest
        if feed:
            yield whole.split(b"\n"), position
            position += len(whole) + 1
    if held and source.file.rotated is not None:
        raise OSError("it ends within a line")


def _store_file(connection: Connection, file: _File) -> None:
    values = {name: getattr(file, name) for name in _File.__slots__}
    if not connection.execute(update(schema.file).where(schema.file.c.id == file.id).values(values)).rowcount:
        connection.execute(schema.file.insert().values(values))


def _stored_row(connection: Connection) -> int:
    value = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "highest-row"))
    return int(value or 0)


def _store_row(connection: Connection, row: int) -> None:
    """Remembers that numbers up to *row* are used up, where the rows with the highest go."""
    row = max(row, _stored_row(connection))
    connection.execute(delete(schema.meta).where(schema.meta.c.key == "highest-row"))
    connection.execute(schema.meta.insert().values(key="highest-row", value=str(row)))
