"""The log: rows of a filter that stands in the URL, page by page, folded or not; saved views; completion."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, Response, abort, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as Answer

from embargo.console import views
from embargo.console.access.accounts import Account
from embargo.console.access.desk import desk
from embargo.console.access.guard import local_path
from embargo.console.access.rights import Right, requires
from embargo.console.completing import completions as completed
from embargo.console.completing import known
from embargo.console.context import account, now, policy, settings, store
from embargo.console.freshness import refresh
from embargo.console.masking import masked, refuse_names
from embargo.console.pages.display import display
from embargo.console.pages.record import incident_of
from embargo.console.rows import Row, row_of
from embargo.console.selection import COLUMNS, PRESETS, Selection, instant
from embargo.journal.query import BadTerm, Query
from embargo.journal.store.rows import Key
from embargo.policy.problem import PolicyError

blueprint = Blueprint("log", __name__)

ROWS = 50  # a page
_MILLISECOND = timedelta(milliseconds=1)  # so that a record of that very instant is on the page


@dataclass(frozen=True, slots=True)
class Column:
    """A column that there is."""

    name: str
    label: str
    key: str | None  # of the term that filters for its values
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A page of rows."""

    rows: tuple[Row, ...]
    total: int  # records of the filter, on all pages, folded or not
    everything: int  # records of the log
    snapshot: int
    text: str  # the filter, its times fixed
    first: bool  # it is the newest
    first_url: str
    previous_url: str | None
    next_url: str | None
    fresh_url: str | None  # the same without its snapshot


@blueprint.get("/log")
@requires(Right.COUNTS)
def show() -> str | tuple[str, int] | Answer:
    """Rows of a filter."""
    typed = request.args.get("q", "")
    if (incident := incident_of(typed)) is not None:
        return redirect(url_for("record.show", identifier=incident), 303)
    try:
        selection = Selection.read(request.args, now(), display().typed)
        refuse_names(selection)
        if request.args.get("at", "").strip():
            return redirect(_at(selection).url(), 303)
    except BadTerm as bad:
        return _page(Selection.of(Query(), now()), problem=str(bad), typed=typed), 400
    if selection.snapshot is None:
        refresh()
    return _page(selection)


@blueprint.get("/log/completions")
@requires(Right.COUNTS)
def completions() -> Response:
    """What the search box offers, as JSON."""
    return jsonify(completions=completed(request.args.get("q", "")[:1000], known_values()))


@blueprint.post("/log/views")
@requires(Right.COUNTS)
def save_view() -> Answer:
    """Keep a filter under a name."""
    name, query = request.form.get("name", ""), request.form.get("query", "")
    try:
        views.save(desk().database, _account(), name, _clean(query))
    except (views.NotSaved, BadTerm) as refused:
        flash(f"Not saved: {refused}.", "error")
    else:
        flash(f"Saved as {' '.join(name.split())}.", "done")
    return redirect(_back(), 303)


@blueprint.post("/log/views/remove")
@requires(Right.COUNTS)
def remove_view() -> Answer:
    """Forget a view."""
    name = request.form.get("name", "")
    if not views.remove(desk().database, _account(), name):
        abort(404, f"You have no view {name!r}.")
    flash(f"The view {name} is gone.", "done")
    return redirect(_back(), 303)


def _at(selection: Selection) -> Selection:
    """At the time that somebody wants to jump to. Raises BadTerm."""
    moment = instant(request.args["at"], now(), display().typed)
    return selection if moment is None else selection.at(after=Key.at(moment + _MILLISECOND))


def _rows(selection: Selection) -> LogPage:
    filled = store()
    snapshot = selection.snapshot if selection.snapshot is not None else filled.snapshot()
    pinned = selection.pinned(snapshot)
    found = filled.page(
        selection.query, snapshot, after=selection.after, before=selection.before, limit=ROWS, fold=selection.fold
    )
    first = selection.after is None and selection.before is None
    return LogPage(
        rows=tuple(row_of(row, pinned) for row in found.rows),
        total=filled.count(selection.query, snapshot),
        everything=filled.count(Query(), snapshot),
        snapshot=snapshot,
        text=pinned.text,
        first=first or found.previous is None,
        first_url=pinned.at().url(),
        previous_url=pinned.at(before=found.previous).url() if found.previous is not None else None,
        next_url=pinned.at(after=found.next).url() if found.next is not None else None,
        fresh_url=replace(selection, snapshot=None, after=None, before=None).url()
        if selection.snapshot is not None
        else None,
    )


def _page(selection: Selection, *, problem: str | None = None, typed: str | None = None) -> str:
    shown = [column for column in _columns(selection) if column.shown]
    return render_template(
        "log.html",
        selection=selection,
        typed=selection.text if typed is None else typed,
        problem=problem,
        page=None if problem is not None else _rows(selection),
        masked=masked(),
        columns=_columns(selection),
        shown=shown,
        presets=list(_presets(selection)),
        completions=completed("", known_values()),
        views=list(_views()),
        overview_url=selection.at().url("overview.show"),
        log_directory=settings().log,
    )


def _columns(selection: Selection) -> list[Column]:
    return [Column(name, label, key, name in selection.columns) for name, (label, key) in COLUMNS.items()]


def _presets(selection: Selection) -> Iterator[dict[str, Any]]:
    everything = selection.timeless()
    yield {"label": "all", "url": replace(everything, snapshot=None).url(), "current": not selection.period}
    for label, span in PRESETS:
        chosen = selection.last(span)
        yield {"label": label, "url": chosen.url(), "current": chosen.text == selection.text}


def _views() -> Iterator[dict[str, str]]:
    for view in views.views(desk().database, _account()):
        yield {"name": view.name, "url": f"{url_for('log.show')}?{view.query}"}


def _clean(query: str) -> str:
    """A view's query as this console writes it. Raises BadTerm."""
    given = MultiDict(pair for pair in _pairs(query))
    return Selection.read(given, now()).lasting()


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query[:8000])


def _back() -> str:
    return local_path(request.form.get("next")) or url_for("log.show")


def known_values() -> dict[str, tuple[str, ...]]:
    """What completion knows: with the names of the policy, where one loads."""
    try:
        return known(policy())
    except PolicyError:
        return known(None)


def _account() -> Account:
    who = account()
    assert who is not None, "the guard lets nobody else in"
    return who
