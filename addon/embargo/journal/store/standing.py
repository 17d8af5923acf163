"""How a store stands to its log: what it has, what it lacks, what of the log it could not read."""

import os
from pathlib import Path

from sqlalchemy import Connection, func, select

from embargo.journal.store import schema
from embargo.journal.store.migrations import VERSION
from embargo.journal.store.place import Place
from embargo.journal.store.rows import StoreStatus
from embargo.journal.store.sources import listed
from embargo.journal.store.spans import instant


def broken(connection: Connection, limit: int) -> tuple[int, list[str]]:
    """How many lines of the log are no records, and the first of them as `FILE: WHY`."""
    n = connection.scalar(select(func.count()).select_from(schema.broken)) or 0
    rows = connection.execute(
        select(schema.file.c.name, schema.broken.c.why)
        .join_from(schema.broken, schema.file, schema.file.c.id == schema.broken.c.file)
        .order_by(schema.broken.c.file, schema.broken.c.offset)
        .limit(limit)
    )
    return n, [f"{name}: {why}" for name, why in rows]


def status(connection: Connection, place: Place, log: Path, notices: tuple[str, ...]) -> StoreStatus:
    """How it stands. Raises OSError where the log cannot be listed."""
    newest = connection.scalar(select(func.max(schema.record.c.time)))
    files = connection.scalar(select(func.count()).select_from(schema.file)) or 0
    return StoreStatus(
        path=os.fspath(place.link),
        version=VERSION,
        rows=connection.scalar(select(func.sum(schema.file.c.lines))) or 0,
        highest=connection.scalar(select(func.max(schema.record.c.row))) or 0,
        files=files,
        broken=connection.scalar(select(func.count()).select_from(schema.broken)) or 0,
        behind=_behind(connection, log),
        size=_size(place),
        newest=None if newest is None else instant(newest),
        notices=notices,
    )


def _behind(connection: Connection, log: Path) -> int:
    """Bytes that have not been read."""
    table = schema.file.c
    known = {
        (name, inode): (position, whole)
        for name, inode, position, whole in connection.execute(
            select(table.name, table.inode, table.position, table.whole)
        )
    }
    behind = 0
    for file in listed(log):
        try:
            found = file.path.stat()
        except FileNotFoundError:
            continue  # rotated or compressed since
        position, whole = known.get((file.path.name, found.st_ino), (0, 0))
        behind += 0 if whole else max(0, found.st_size - position)
    return behind


def _size(place: Place) -> int:
    database, size = place.database(), 0
    if database is None:
        return 0
    for beside in ("", "-wal"):
        path = database.with_name(database.name + beside)
        size += path.stat().st_size if path.exists() else 0
    return size
