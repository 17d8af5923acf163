"""The live tail: server-sent events with the rows of a filter as they come. The page decides when it shows them."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from time import monotonic

from flask import Blueprint, Response, render_template, request, stream_with_context

from embargo.console.access.guard import still_signed_in
from embargo.console.access.rights import Right, requires
from embargo.console.context import Busy, account, console, now, store
from embargo.console.freshness import refresh
from embargo.console.masking import masked, refuse_names
from embargo.console.pages.display import display
from embargo.console.rows import row_of
from embargo.console.selection import COLUMNS, Selection
from embargo.journal.query import BadTerm

blueprint = Blueprint("tail", __name__)

_TURN = 1.0  # seconds between two looks
_LONGEST = 300.0  # seconds of a stream: then the browser asks anew, and whoever has been signed out is refused
_SILENT = 15.0  # seconds after which a word is sent that says nothing, so that a browser that has gone is noticed
_MOST = 200  # rows at once; of more the newest


@blueprint.get("/log/tail")
@requires(Right.COUNTS)
def show() -> Response:
    """The stream of what comes behind the row `after`."""
    stack = ExitStack()
    try:
        selection = replace(Selection.read(request.args, now(), display().typed), snapshot=None)
        refuse_names(selection)
        who = account()
        stack.enter_context(console().tail(who.id if who is not None else ""))
    except (BadTerm, Busy) as refused:
        return _stream(iter([_event("refused", {"message": str(refused)})]))
    answer = _stream(_events(selection, _start()))
    answer.call_on_close(stack.close)
    return answer


def _start() -> int:
    """The row behind which new ones are: where a browser's last stream ended, else where its page did."""
    given = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else store().snapshot()


def _stream(events: Iterator[str]) -> Response:
    answer = Response(stream_with_context(events), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"  # nginx would keep it back
    return answer


def _events(selection: Selection, seen: int) -> Iterator[str]:
    begun = spoken = monotonic()
    pause = Event()
    yield "retry: 3000\n\n"
    while monotonic() - begun < _LONGEST and still_signed_in():
        refresh()
        newest = store().snapshot()
        if newest > seen:
            rows = _rows(selection, newest, seen)
            seen = newest
            yield _event("rows", {"rows": rows}, seen) if rows else f"id: {seen}\n\n"
            spoken = monotonic()
        elif monotonic() - spoken >= _SILENT:
            yield ": nothing new\n\n"
            spoken = monotonic()
        pause.wait(_TURN)


def _rows(selection: Selection, newest: int, seen: int) -> list[str]:
    """The rows between the two, the oldest first, as HTML."""
    found = store().page(selection.query, newest, limit=_MOST)
    shown = [
        {"name": name, "label": label, "key": key}
        for name, (label, key) in COLUMNS.items()
        if name in selection.columns
    ]
    return [
        render_template("tail_row.html", row=row_of(row), shown=shown, selection=selection, masked=masked())
        for row in reversed(found.rows)
        if row.row > seen
    ]


def _event(name: str, data: dict[str, object], identifier: int | None = None) -> str:
    number = f"id: {identifier}\n" if identifier is not None else ""
    return f"event: {name}\n{number}data: {json.dumps(data)}\n\n"
