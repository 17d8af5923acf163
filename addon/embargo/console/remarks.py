"""What auditors and operators said of records, kept at hand for this process."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from flask import current_app

from embargo.console.context import now, store
from embargo.console.marking import ASKED, MARKED, Remarks, Said
from embargo.journal.query import Query, parse_query
from embargo.journal.record import BrokenRecord, Record

if TYPE_CHECKING:
    from embargo.journal.store import Store

_KEY = "embargo-remarks"


def remarks_on(identifier: str) -> tuple[Said, ...]:
    """All that was said of the record of that id, oldest first."""
    known: Remarks = current_app.extensions.setdefault(_KEY, Remarks())
    filled = store()
    query = parse_query([f"action:{MARKED}", f"action:{ASKED}"], now())
    snapshot = filled.snapshot()
    known.take((filled.count(query, snapshot), filled.place.database()), lambda: _all(filled, query, snapshot))
    return known.on(identifier)


def _all(filled: "Store", query: Query, snapshot: int) -> Iterator[Record]:
    for _, line in filled.lines(filled.rows(query, snapshot)):
        if line is not None:
            with suppress(BrokenRecord):
                yield Record.parse(line)
