"""The overview: what was decided in a period, by class, over time, and of whom. Every number leads to its rows."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as Answer

from embargo.console.access.rights import Right, requires
from embargo.console.completing import completions
from embargo.console.context import now, settings, store
from embargo.console.counting import Counted
from embargo.console.freshness import refresh
from embargo.console.health import notices
from embargo.console.masking import masked, pseudonym, refuse_names
from embargo.console.moments import DAY, buckets, in_days, zone_name, zone_of
from embargo.console.news import news
from embargo.console.pages.display import clip, display
from embargo.console.pages.log import known_values
from embargo.console.pages.record import incident_of
from embargo.console.selection import PRESETS, Selection
from embargo.journal.query import BadTerm, Query
from embargo.journal.store import Cell, Dimension, Top
from embargo.journal.verdict_class import VerdictClass
from embargo.review.chart.bars import Row, bars
from embargo.review.chart.look import VERDICTS
from embargo.review.chart.timeline import timeline

blueprint = Blueprint("overview", __name__)

_WORDS = {"would-block": "would block", "shared": "shared"}  # as badges have them: heads of columns are narrow
_USUAL = timedelta(days=7)
_HOUR = timedelta(hours=1)
_MOST = 10  # of a top list
_LABELS: Mapping[str, tuple[str, str]] = {  # class: its word, and what it means
    "blocked": ("blocked", "refused"),
    "would-block": ("would have been blocked", "let through: monitor, shadow, trial"),
    "logged": ("logged", "passed, and noted"),
    "allowed": ("allowed", "passed by a rule"),
    "shared": ("shared infrastructure", "no use of an app"),
}
_SHORT = tuple(replace(layer, label=_WORDS.get(layer.key, layer.label)) for layer in VERDICTS)
_TOPS = (  # dimension of the store: title, heading
    (Dimension.APP, "Apps", "App"),
    (Dimension.HOST, "Hosts", "Host"),
    (Dimension.CLIENT, "Clients", "Client"),
    (Dimension.USER, "Users", "User"),
    (Dimension.RULE, "Rules", "Rule"),
    (Dimension.AUTHORITY, "Orders", "Order"),
)


@dataclass(frozen=True, slots=True)
class Period:
    """What is looked at; from, and before."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A class's total."""

    name: str
    label: str
    note: str
    count: int
    url: str | None


@blueprint.get("/")
@requires(Right.COUNTS)
def show() -> str | tuple[str, int] | Answer:
    """What was decided in a period."""
    if (incident := incident_of(request.args.get("q", ""))) is not None:
        return redirect(url_for("record.show", identifier=incident), 303)
    try:
        selection = Selection.read(request.args, now(), display().typed)
        refuse_names(selection)
    except BadTerm as bad:
        return _page(Selection.of(Query(), now()), problem=str(bad), typed=request.args.get("q", "")), 400
    if selection.snapshot is None:
        refresh()
    period = _period(selection, now())
    return _page(selection, period=period)


def _page(
    selection: Selection, *, period: Period | None = None, problem: str | None = None, typed: str | None = None
) -> str:
    told: dict[str, Any] = {"totals": None, "snapshot": None, "health": [], "fresh_url": None, "news": None}
    if period is not None:
        told |= _counted(selection, period)
    return render_template(
        "overview.html",
        selection=selection,
        typed=selection.text if typed is None else typed,
        problem=problem,
        period=period,
        masked=masked(),
        presets=list(_presets(selection)),
        completions=completions("", known_values()),
        log_directory=settings().log,
        **told,
    )


def _counted(selection: Selection, period: Period) -> dict[str, Any]:
    filled = store()
    snapshot = selection.snapshot if selection.snapshot is not None else filled.snapshot()
    query = selection.query.between(period.since, period.until)
    counted = Selection.of(query, now(), snapshot)
    series = filled.series(query, snapshot, DAY if in_days(period.since, period.until) else _HOUR)
    cells = [cell for cell in series if cell.verdict_class is not None]
    totals: Counter[str] = Counter()
    for cell in cells:
        totals[str(cell.verdict_class)] += cell.n
    everything = filled.count(query, snapshot)
    return {
        "snapshot": snapshot,
        "totals": [_tile(str(name), totals[name], counted) for name in VerdictClass],
        "decided": sum(totals.values()),
        "everything": everything,
        "recorded": everything or filled.count(Query(), snapshot),
        "rows_url": counted.url(),
        "fresh_url": replace(selection, snapshot=None).url("overview.show") if selection.snapshot is not None else None,
        "timeline": _timeline(cells, period, counted),
        "tops": [_top(dimension, title, heading, counted) for dimension, title, heading in _TOPS],
        "health": notices(now()),
        "news": news(snapshot, period.since),
    }


def _period(selection: Selection, moment: datetime) -> Period:
    """What is chosen; whole hours where a time ago is, since they are counted already."""
    until = selection.until or _floor(moment) + _HOUR
    since = selection.since or until - _USUAL
    if _ago(selection):
        since = _floor(since)
    return Period(min(since, until), until)


def _ago(selection: Selection) -> bool:
    """Whether the period's begin was given as a time ago, or not at all."""
    begun = [term.removeprefix("since:") for term in selection.terms if term.startswith("since:")]
    return not begun or any(len(text) < len("2026-11-24") for text in begun)


def _floor(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _tile(name: str, count: int, counted: Selection) -> Tile:
    label, note = _LABELS[name]
    url = counted.narrowed(f"class:{name}").url() if count else None
    return Tile(name=name, label=label, note=note, count=count, url=url)


def _timeline(cells: list[Cell], period: Period, counted: Selection) -> Markup:
    assert counted.snapshot is not None, "it counted"
    known = Counted(counted.snapshot, counted.now)
    zone = UTC if in_days(period.since, period.until) else zone_of(period.since)
    bars = buckets(cells, period.since, period.until, counted.query, known, zone=zone)
    return timeline("over-time", "Over time", bars, zone=zone_name(zone))


def _top(dimension: Dimension, title: str, heading: str, counted: Selection) -> dict[str, Any]:
    assert counted.snapshot is not None, "it counted"
    found = store().top(counted.query.and_("class:*"), counted.snapshot, dimension, _MOST + 1)
    hidden = dimension in (Dimension.CLIENT, Dimension.USER) and masked()
    rows = [_bar(dimension, heading, each, counted, hidden=hidden) for each in found[:_MOST]]
    more = f"The first {_MOST} of more." if len(found) > _MOST else None
    return {"title": title, "chart": bars(f"top-{dimension}", title, heading, rows, _SHORT, more=more)}


def _bar(dimension: Dimension, heading: str, top: Top, counted: Selection, *, hidden: bool) -> Row:
    label = top.value if top.value is not None else f"no {heading.lower()}"
    counts = {name: top.classes[name] for name in VerdictClass if top.classes.get(name)}
    if hidden:
        label = pseudonym(dimension, label) if top.value is not None else label
        return Row(label=label, counts={str(name): count for name, count in counts.items()})
    return Row(
        label=clip(label),
        counts={str(name): count for name, count in counts.items()},
        hrefs={str(name): replace(counted, query=q, text=str(q)).url() for name in counts if (q := top.of(name))},
    )


def _presets(selection: Selection) -> Iterator[dict[str, Any]]:
    for label, span in PRESETS:
        chosen = selection.last(span)
        current = chosen.text == selection.text or (not selection.period and span == _USUAL)
        yield {"label": label, "url": replace(chosen, snapshot=None).url("overview.show"), "current": current}
