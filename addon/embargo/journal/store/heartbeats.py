"""What workers said of themselves, from the store alone: a year of them is added up without the log's files."""

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, select

from embargo.journal.store import schema
from embargo.journal.store.rows import Heartbeat
from embargo.journal.store.spans import instant, micros


def heartbeats(
    connection: Connection, since: datetime | None, until: datetime | None, snapshot: int
) -> Iterator[Heartbeat]:
    """Those of that time, up to *snapshot*, oldest first."""
    table, file = schema.heartbeat.c, schema.file.c
    statement = (
        select(table.row, table.time, file.stem, file.number, table.host, table.pid, table.text)
        .join_from(schema.heartbeat, schema.record, schema.record.c.row == table.row)
        .join(schema.file, file.id == schema.record.c.file)
        .where(table.row <= snapshot)
        .order_by(table.time, table.row)
    )
    if since is not None:
        statement = statement.where(table.time >= micros(since))
    if until is not None:
        statement = statement.where(table.time < micros(until))
    for row, time, stem, number, host, pid, text in connection.execute(statement):
        yield Heartbeat(row=row, time=instant(time), chain=(stem, number), host=host, pid=pid, members=json.loads(text))
