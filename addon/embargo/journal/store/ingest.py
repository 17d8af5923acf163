"""Fills the store from the log's files: what is new in them, each record once, and takes out what they no longer hold.

A batch is one transaction: rows, counts, and how far the files have been read. So a crash at any moment leaves a store
that is right as far as it goes.
"""

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from sqlalchemy import Engine

from embargo.journal.record import BrokenRecord
from embargo.journal.store.batch import Batch, highest_row, use_up
from embargo.journal.store.counts import widen
from embargo.journal.store.decoded import LineReader
from embargo.journal.store.filing import Filed, Filing
from embargo.journal.store.interning import Interned
from embargo.journal.store.removal import remove
from embargo.journal.store.sources import Source

_BATCH = 100_000  # records a transaction: the more, the fewer counts are written
_TURN = 2.0  # seconds after which a batch is written, so that others see it
_LONGEST_WHY = 200  # characters
_LONGEST_LINE = 64 << 20  # bytes: what is longer was never written by us, and is not held

type Progress = Callable[[int, int], None]  # bytes read, bytes to read; on the disk, as far as known


@dataclass(slots=True)
class Caught:
    """What a pass did."""

    records: int = 0  # new rows
    broken: int = 0  # lines that are no records, and files that cannot be read to their end
    removed: int = 0  # rows of files that are gone
    places: list[str] = field(default_factory=list)  # the first of what is broken, as `FILE: WHY`


class Ingester:
    """Reads a directory into a database. For one thread; after an exception it is to be thrown away."""

    def __init__(self, engine: Engine, directory: Path, *, building: bool = False) -> None:
        """*building*: nobody reads the database yet, and it is empty."""
        self._building = building
        self._turn = math.inf if building else _TURN
        self._engine = engine
        self._interned = Interned()
        self._reader = LineReader(self._interned)
        self._filing = Filing(directory)
        self._next_row = 1
        self._done = self._total = 0

    def run(self, progress: Progress | None = None) -> Caught:
        """One pass over all files. Raises OSError where the directory cannot be listed, and the database's errors."""
        caught = Caught()
        with self._engine.begin() as connection:  # anew for each pass: another process may have filled it meanwhile
            self._filing.load(connection)
            self._next_row = highest_row(connection) + 1
        with ExitStack() as stack, _uncollected():
            present = self._filing.present(stack)
            for file in (*present.shorter, *present.missing):
                caught.removed += self._remove(file)
            self._done, self._total = 0, sum(source.size for _, source in present.sources)
            for file, source in present.sources:
                self._read(file, source, caught, progress)
        if self._building:
            with self._engine.begin() as connection:
                widen(connection)
        return caught

    def close(self) -> None:
        """Give up the connection."""
        self._engine.dispose()

    def _remove(self, file: Filed) -> int:
        with self._engine.begin() as connection:
            removed = remove(connection, self._interned, file)
            use_up(connection, self._next_row - 1)
        if self._filing.files.get(file.id) is file:  # and not what stands there now
            del self._filing.files[file.id]
        return removed

    def _read(self, file: Filed, source: Source, caught: Caught, progress: Progress | None) -> None:
        batch = Batch(file.id)
        began = time.monotonic()
        before = file.position
        with self._engine.connect() as looking:  # numbers are looked up outside of the writing transaction
            self._interned.begin(looking)
            try:
                for lines, offset in _lines(source, file.position):
                    file.position = self._parse(lines, offset, batch)
                    if len(batch) >= _BATCH or time.monotonic() - began > self._turn:
                        looking.rollback()
                        self._write(file, batch, caught)
                        looking.begin()
                        batch, began = Batch(file.id), time.monotonic()
                        if progress is not None:
                            share = file.position if not source.file.compressed else source.opened.tell()
                            progress(self._done + min(share, source.size), self._total)
            except (OSError, zstandard.ZstdError) as failure:
                why = f"unreadable from here on: {failure}"[:_LONGEST_WHY]
                batch.broken.append((file.id, file.position, why))
        file.size = source.size
        file.whole = int(source.file.rotated is not None)
        self._done += source.size
        if batch or file.position != before or file.whole:
            self._write(file, batch, caught)
        if progress is not None:
            progress(self._done, self._total)

    def _parse(self, lines: list[bytes], offset: int, batch: Batch) -> int:
        """Takes *lines*, which begin at *offset*, into *batch*; returns where they end."""
        read, add = self._reader.row, batch.entries.append
        for line in lines:
            length = len(line) + 1
            try:
                if (row := read(line)) is not None:
                    add((row, offset, length))
            except BrokenRecord as failure:
                if line.strip():
                    batch.broken.append((batch.file, offset, str(failure)[:_LONGEST_WHY]))
            offset += length
        return offset

    def _write(self, file: Filed, batch: Batch, caught: Caught) -> None:
        with self._engine.begin() as connection:
            inserted = batch.write(connection, self._interned, self._next_row, building=self._building)
            if inserted:
                file.first_row = file.first_row or self._next_row
                self._next_row += inserted
                file.last_row = self._next_row - 1
                file.lines += inserted
            file.write(connection)
        caught.records += inserted
        caught.broken += len(batch.broken)
        caught.places += [f"{file.name}: {why}" for _, _, why in batch.broken]


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
    held: list[bytes] = []
    for block in source.blocks(position):
        whole, feed, rest = block.rpartition(b"\n")
        if not feed:
            held.append(block)
            if sum(map(len, held)) > _LONGEST_LINE:
                raise OSError(f"a line of more than {_LONGEST_LINE >> 20} MiB")
            continue
        if held:
            whole = b"".join((*held, whole))
        yield whole.split(b"\n"), position
        position += len(whole) + 1
        held = [rest] if rest else []
    if held and source.file.rotated is not None:
        raise OSError("it ends within a line")
