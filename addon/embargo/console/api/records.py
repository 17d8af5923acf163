"""Records by the API: pages of them, one of them, and what they come to in numbers."""

from datetime import timedelta
from typing import Any

from flask import jsonify, request, url_for
from werkzeug.exceptions import BadRequest, NotFound, UnprocessableEntity
from werkzeug.wrappers import Response

from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.api.blueprint import blueprint, known, one_of, selected, whole
from embargo.console.context import account, store
from embargo.console.freshness import refresh
from embargo.console.masking import masked, pseudonym
from embargo.console.selection import Selection
from embargo.journal.query import Query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.store import Dimension, Gone, Key
from embargo.journal.verdict_class import CLASSES

MOST = 1_000  # records a page
USUAL = 100
MOST_VALUES = 100
MOST_CELLS = 20_000  # of a series: nearly half a year by the hour, in five classes
BUCKETS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
DIMENSIONS = tuple(each.value for each in Dimension)
_PEOPLE = ("client", "user")


@blueprint.get("/records")
@requires(Right.ROWS)
def records() -> Response:
    """A page of records, newest first."""
    asked = selected("after", "limit")
    limit = whole("limit", USUAL, 1, MOST)
    begin = after()
    snapshot = _snapshot(asked)
    if begin is None and (who := account()) is not None and who.scopes is not None:
        desk().record("export", details={"filter": str(asked.query), "form": "api"})
    page = store().page(asked.query, snapshot, begin, limit)
    items = [document for row, line in store().lines(page.rows) if line is not None and (document := _read(line))]
    onward = None
    if page.next is not None:
        onward = url_for("api.records", q=str(asked.query), snapshot=snapshot, after=str(page.next), limit=limit)
    response = jsonify({"items": items, "snapshot": snapshot, "query": str(asked.query), "next": onward})
    if onward is not None:
        response.headers["Link"] = f'<{onward}>; rel="next"'  # RFC 8288
    return response


@blueprint.get("/records/<identifier>")
@requires(Right.ROWS)
def record(identifier: str) -> Response:
    """The record of that `event.id`."""
    known()
    refresh()
    try:
        found = store().record(identifier)
    except (Gone, ValueError) as gone:
        raise NotFound("there is no record of that id in the log") from gone
    return jsonify(found.document)


@blueprint.get("/counts")
@requires(Right.COUNTS)
def counts() -> Response:
    """How many records there are, by class: never added up, since a would-be block is no block."""
    asked = selected()
    snapshot = _snapshot(asked)
    found = store().classes(asked.query, snapshot)
    return jsonify({**_head(asked.query, snapshot), **_classes(found)})


@blueprint.get("/series")
@requires(Right.COUNTS)
def series() -> Response:
    """The same over time; buckets without records are left out."""
    asked = selected("bucket")
    bucket = one_of("bucket", "hour", tuple(BUCKETS))
    snapshot = _snapshot(asked)
    cells = store().series(asked.query, snapshot, BUCKETS[bucket])
    if len(cells) > MOST_CELLS:
        raise UnprocessableEntity(f"{len(cells)} values, and at most {MOST_CELLS}: ask by the day")
    by_time: dict[str, dict[Any, int]] = {}
    for cell in cells:
        by_time.setdefault(cell.time.isoformat().replace("+00:00", "Z"), {})[cell.verdict_class] = cell.n
    items = [{"time": time, **_classes(found)} for time, found in by_time.items()]
    return jsonify({**_head(asked.query, snapshot), "bucket": bucket, "items": items})


@blueprint.get("/top")
@requires(Right.COUNTS)
def top() -> Response:
    """The values that come most often, each with its counts and the query that has its records."""
    asked = selected("by", "limit")
    dimension = one_of("by", None, DIMENSIONS)
    limit = whole("limit", 10, 1, MOST_VALUES)
    snapshot = _snapshot(asked)
    hidden = masked() and dimension in _PEOPLE
    items = [
        {
            "value": pseudonym(dimension, each.value) if hidden and each.value is not None else each.value,
            "query": None if hidden else str(each.query),
            **_classes(each.classes),
        }
        for each in store().top(asked.query, snapshot, Dimension(dimension), limit)
    ]
    return jsonify({**_head(asked.query, snapshot), "by": dimension, "items": items})


def _snapshot(asked: Selection) -> int:
    if asked.snapshot is not None:
        return asked.snapshot
    refresh()
    return store().snapshot()


def _head(query: Query, snapshot: int) -> dict[str, Any]:
    return {"query": str(query), "snapshot": snapshot}


def _classes(found: Any) -> dict[str, Any]:
    """Counts by class; `other` is what is no decision."""
    return {"counts": {**{name: found.get(name, 0) for name in CLASSES}, "other": found.get(None, 0)}}


def after() -> Key | None:
    """Where a page begins, as the one before told it. Raises BadRequest."""
    text = request.args.get("after")
    if text is None:
        return None
    try:
        key = Key.read(text)
    except ValueError as wrong:
        raise BadRequest("after is what the page before gave as next") from wrong
    if max(abs(key.time), abs(key.row)) >= 2**62:
        raise BadRequest("after is what the page before gave as next")
    return key


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        return Record.parse(line).document
    except BrokenRecord:
        return None
