"""What auditors and operators said of records, kept at hand for this process."""

from collections.abc import Iterator

from flask import current_app

from embargo.console.context import now, store
from embargo.console.marking import ASKED, MARKED, Remarks, Said
from embargo.journal.query import parse_query
from embargo.journal.record import Record

_KEY = "embargo-remarks"


def remarks_on(identifier: str) -> tuple[Said, ...]:
    """All that was said of the record of that id, oldest first."""
    known: Remarks = current_app.extensions.setdefault(_KEY, Remarks())
    snapshot = store().snapshot()
    known.take(snapshot, lambda after: _newer(after, snapshot))
    return known.on(identifier)


def _newer(after: int, snapshot: int) -> Iterator[Record]:
    filled = store()
    query = parse_query([f"action:{MARKED}", f"action:{ASKED}"], now())
    yield from filled.read([row for row in filled.rows(query, snapshot) if row.row > after])
