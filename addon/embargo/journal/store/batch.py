"""Rows on their way into the store: written with their counts in one transaction, each record once."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, select

from embargo.journal.store import schema
from embargo.journal.store.counts import Counts
from embargo.journal.store.decoded import Row
from embargo.journal.store.dialect import changes, insertion
from embargo.journal.store.interning import Interned

_COLUMNS = 8  # of `record` that a `Row` begins with, in their order
_INSERT_RECORD = insertion(schema.record, ignore=True)
_INSERT_HEARTBEAT = insertion(schema.heartbeat, ignore=True)
_INSERT_BROKEN = insertion(schema.broken, ignore=True)
_HIGHEST = "highest-row"

type Entry = tuple[Row, int, int]  # with the offset and the length of its line


@dataclass(slots=True)
class Batch:
    """What was read of one file since the last batch."""

    file: int
    entries: list[Entry] = field(default_factory=list)
    broken: list[tuple[int, int, str]] = field(default_factory=list)  # file, offset, why

    def __len__(self) -> int:
        return len(self.entries) + len(self.broken)

    def write(self, connection: Connection, interned: Interned, first: int, *, building: bool) -> int:
        """Writes it, with numbers from *first* on; returns how many rows are new.

        *building*: counts are left for `counts.widen` to finish.
        """
        interned.write(connection)
        if not self._insert(connection, first):
            self.entries = _new_ones(connection, self.entries)
            self._insert(connection, first)
        counts = Counts(interned)
        counts.add([entry[0][:4] for entry in self.entries])
        counts.write(connection, widened=not building)
        beats = [
            (number, row.time, *row.heartbeat)
            for number, (row, _, _) in enumerate(self.entries, first)
            if row.heartbeat is not None
        ]
        if beats:
            connection.exec_driver_sql(_INSERT_HEARTBEAT, beats)
        if self.broken:
            connection.exec_driver_sql(_INSERT_BROKEN, self.broken)
        return len(self.entries)

    def _insert(self, connection: Connection, first: int) -> bool:
        """Inserts all; or, where some are there already, none."""
        if not self.entries:
            return True
        file = self.file
        rows: list[Any] = [
            (number, *row[:_COLUMNS], file, offset, length)
            for number, (row, offset, length) in enumerate(self.entries, first)
        ]
        before = changes(connection)
        with connection.begin_nested() as attempt:
            connection.exec_driver_sql(_INSERT_RECORD, rows)
            if changes(connection) - before != len(rows):
                attempt.rollback()
                return False
        return True


def _new_ones(connection: Connection, entries: list[Entry]) -> list[Entry]:
    """Those of *entries* whose id is not yet in the store."""
    record = schema.record.c
    seen: set[tuple[int, int]] = set()
    new = []
    for entry in entries:
        high, low = identifier = entry[0].id_high, entry[0].id_low
        if identifier in seen:
            continue
        seen.add(identifier)
        known = select(record.row).where(record.id_high == high, record.id_low == low)
        if connection.scalar(known) is None:
            new.append(entry)
    return new


def highest_row(connection: Connection) -> int:
    """The highest number that any row has, or had."""
    value = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == _HIGHEST))
    files = connection.scalar(select(func.max(schema.file.c.last_row))) or 0
    rows = connection.scalar(select(func.max(schema.record.c.row))) or 0
    return max(int(value or 0), files, rows)


def use_up(connection: Connection, row: int) -> None:
    """Remembers that numbers up to *row* are used up, where the rows with the highest go."""
    row = max(row, highest_row(connection))
    connection.execute(delete(schema.meta).where(schema.meta.c.key == _HIGHEST))
    connection.execute(schema.meta.insert().values(key=_HIGHEST, value=str(row)))
