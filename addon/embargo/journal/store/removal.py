"""Takes the rows of a file that is gone out of the store, with all that was counted of them."""

from sqlalchemy import Connection, delete, select

from embargo.journal.store import schema
from embargo.journal.store.counts import Counts, rows_of, tidy
from embargo.journal.store.filing import Filed
from embargo.journal.store.interning import Interned

_REMOVALS = "removals"


def remove(connection: Connection, interned: Interned, file: Filed) -> int:
    """Removes *file* in one transaction; returns how many rows it had."""
    interned.begin(connection)
    interned.load(connection)
    rows = rows_of(connection, file.id, file.first_row, file.last_row)
    counts = Counts(interned)
    counts.add(rows, -1)
    counts.write(connection)
    record = schema.record.c
    its_own = (record.row >= file.first_row, record.row <= file.last_row, record.file == file.id)
    connection.execute(delete(schema.heartbeat).where(schema.heartbeat.c.row.in_(select(record.row).where(*its_own))))
    connection.execute(delete(schema.record).where(*its_own))
    connection.execute(delete(schema.broken).where(schema.broken.c.file == file.id))
    connection.execute(delete(schema.file).where(schema.file.c.id == file.id))
    if rows:
        times = [row[0] for row in rows]
        tidy(connection, interned, min(times), max(times))
    interned.write(connection)
    number = removals(connection) + 1
    connection.execute(delete(schema.meta).where(schema.meta.c.key == _REMOVALS))
    connection.execute(schema.meta.insert().values(key=_REMOVALS, value=str(number)))
    return len(rows)


def removals(connection: Connection) -> int:
    """How many files have been taken out of the store since it was built."""
    return int(connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == _REMOVALS)) or 0)
