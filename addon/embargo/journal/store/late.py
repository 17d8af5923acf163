"""Rows of a time that were written behind known places of the log: what came late into a period that was closed."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, and_, false, or_, select

from embargo.journal.store import schema
from embargo.journal.store.rows import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a chain ended once."""

    sequence: int  # of its last record then
    offset: int  # bytes, uncompressed, of the file with that record, up to that record's end


def late_keys(
    connection: Connection, ends: Mapping[tuple[str, int], End], since: int, until: int, snapshot: int, limit: int
) -> list[Key]:
    """The places of rows from *since* to *until* (microseconds) behind *ends*, by chain; the newest *limit* of them.

    All rows of a chain that *ends* does not name came later.
    """
    files = schema.file.c
    later: list[int] = []
    partly: list[tuple[int, int]] = []
    first_row = None
    held: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for row in connection.execute(select(files.id, files.stem, files.number, files.first, files.first_row)):
        held.setdefault((row.stem, row.number), []).append((row.first, row.id, row.first_row))
    for chain, found in held.items():
        found.sort()
        end = ends.get(chain)
        behind = len(found) if end is None else sum(first > end.sequence for first, _, _ in found)
        rest = found[len(found) - behind :] if behind else []
        later += [identifier for _, identifier, _ in rest]
        touched = rest
        if end is not None and behind < len(found):
            split = found[len(found) - behind - 1]
            partly.append((split[1], end.offset))
            touched = [split, *rest]
        for _, _, row_number in touched:
            first_row = row_number if first_row is None else min(first_row, row_number)
    if first_row is None:
        return []
    record = schema.record.c
    behind_end = [and_(record.file == identifier, record.offset >= offset) for identifier, offset in partly]
    statement = (
        select(record.time, record.row)
        .where(record.time >= since, record.time < until, record.row >= first_row, record.row <= snapshot)
        .where(or_(record.file.in_(later) if later else false(), *behind_end))
        .order_by(record.time.desc(), record.row.desc())
        .limit(limit)
    )
    return [Key(time, row) for time, row in connection.execute(statement)]
