"""Rows of a filter as a file, CSV or JSON Lines, streamed; each export is recorded before its first byte leaves.

The first lines say what it is: filter, period, policies, number of rows, who took it and when. In CSV no cell can be a
formula; JSON Lines are the records as they were written, seal included.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched

from flask import Blueprint, Response, abort, request, stream_with_context

from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.context import account, now, store
from embargo.console.freshness import refresh
from embargo.console.selection import Selection
from embargo.journal.query import BadTerm
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.store import Dimension
from embargo.journal.table import EXPORTED, csv_line, row

blueprint = Blueprint("export", __name__)

_FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
_GONE = "{} of these records are no longer in the log: their files were deleted"
_BATCH = 500  # rows whose text is read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an export says of itself."""

    filter: str
    since: datetime | None
    until: datetime | None
    policies: tuple[str, ...]  # digests, the one with most rows first
    rows: int
    by: str
    at: datetime

    def members(self) -> dict[str, object]:
        """As JSON."""
        return {
            "filter": self.filter,
            "since": _iso(self.since),
            "until": _iso(self.until),
            "policies": list(self.policies),
            "rows": self.rows,
            "by": self.by,
            "at": _iso(self.at),
        }

    def lines(self) -> Iterator[str]:
        """As the first lines of CSV, one cell each."""
        said: Mapping[str, str] = {
            "filter": self.filter or "none",
            "period": f"{_iso(self.since) or 'the beginning'} to {_iso(self.until) or 'the newest'}",
            "policies": " ".join(self.policies) or "none",
            "rows": str(self.rows),
            "by": self.by,
            "at": _iso(self.at) or "",
        }
        for name, text in said.items():
            yield csv_line((f"# {name}: {text}",))


@blueprint.post("/log/export")
@requires(Right.EXPORT)
def take() -> Response:
    """All records of a filter, the oldest first."""
    form = request.form.get("form", "")
    if form not in _FORMS:
        abort(400, "Choose CSV or JSON Lines.")
    try:
        selection = Selection.read(request.form, now())
    except BadTerm as bad:
        abort(400, str(bad))
    if selection.snapshot is None:
        refresh()
    filled = store()
    snapshot = selection.snapshot if selection.snapshot is not None else filled.snapshot()
    who = account()
    head = Head(
        filter=str(selection.query),
        since=selection.since,
        until=selection.until,
        policies=tuple(top.value for top in filled.top(selection.query, snapshot, Dimension.POLICY, 20) if top.value),
        rows=filled.count(selection.query, snapshot),
        by=who.name if who is not None else "",
        at=now(),
    )
    desk().record("export", details={"filter": head.filter, "rows": head.rows, "form": form})
    lines = _csv(selection, snapshot, head) if form == "csv" else _json_lines(selection, snapshot, head)
    answer = Response(stream_with_context(lines), content_type=_FORMS[form])
    name = f"embargo-log-{head.at:%Y%m%dT%H%M%SZ}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _csv(selection: Selection, snapshot: int, head: Head) -> Iterator[str]:
    yield from head.lines()
    yield csv_line(tuple(EXPORTED))
    gone = 0
    for line in _lines(selection, snapshot):
        if line is None:
            gone += 1
            continue
        try:
            yield csv_line(row(EXPORTED, Record.parse(line)))
        except BrokenRecord as broken:  # nothing passes silently
            yield csv_line((f"# a record could not be read: {broken}",))
    if gone:
        yield csv_line((f"# {_GONE.format(gone)}",))


def _json_lines(selection: Selection, snapshot: int, head: Head) -> Iterator[bytes]:
    yield json.dumps({"embargo-export": head.members()}).encode() + b"\n"
    gone = 0
    for line in _lines(selection, snapshot):
        if line is None:
            gone += 1
        else:
            yield line + b"\n"  # byte by byte: the seal is over that
    if gone:
        yield json.dumps({"embargo-export": {"gone": gone, "note": _GONE.format(gone)}}).encode() + b"\n"


def _lines(selection: Selection, snapshot: int) -> Iterator[bytes | None]:
    """The records as they were written, the oldest first; None for one whose file has gone meanwhile."""
    filled = store()
    for batch in batched(filled.rows(selection.query, snapshot), _BATCH):
        yield from (line for _, line in filled.lines(batch))


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
