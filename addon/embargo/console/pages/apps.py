"""The apps: the catalogue under the policy of now, and the traffic that met it, endpoint by endpoint."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, abort, render_template, request, url_for
from markupsafe import Markup

from embargo.console.access.rights import Right, requires
from embargo.console.context import now, policy, store
from embargo.console.counting import WORDS, Counted, Number
from embargo.console.freshness import refresh
from embargo.console.moments import DAY, HOUR, buckets, in_days, zone_name, zone_of
from embargo.console.spans import Span, chosen
from embargo.core.catalogue import App
from embargo.core.rules import Policy
from embargo.journal.query import Query
from embargo.journal.store import Dimension, Top
from embargo.review.catalogue import AppAccount, Entry, Held, account
from embargo.review.chart.lanes import Lane, lanes
from embargo.review.chart.lanes import Span as Bar
from embargo.review.chart.look import STATES
from embargo.review.chart.timeline import timeline
from embargo.review.remainder import Remainder, remainder
from embargo.review.remaining import remaining
from embargo.review.report.orders import course

blueprint = Blueprint("apps", __name__)

_PAGE = 100  # apps on one page
_MOST = 100_000  # endpoints of an app that met something: lists have as many names
_OTHERS = 20  # endpoints that the catalogue has in lists, or had once, told one by one
_STORES = (  # label, member of `Stores`, where people find the listing
    ("Apple", "apple", "https://apps.apple.com/app/id"),
    ("Google Play", "google_play", "https://play.google.com/store/apps/details?id="),
    ("Microsoft", "microsoft", "https://apps.microsoft.com/detail/"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """An app in the list."""

    account: AppAccount
    url: str
    numbers: tuple[Number, ...]  # by class

    @property
    def met(self) -> bool:
        """Whether anything asked for it."""
        return any(number.count for number in self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRow:
    """An endpoint, or a list of them."""

    entry: Entry
    numbers: tuple[Number, ...]
    trial: Number | None  # of one on trial: what met it


@blueprint.get("/apps")
@requires(Right.COUNTS)
def show() -> str:
    """All apps."""
    refresh()
    span, known, moment = chosen(), policy(), now()
    counted = Counted.now(moment)
    query = counted.query("verdict:*", since=span.since, until=span.until)
    tops = {top.value: top for top in store().top(query, counted.snapshot, Dimension.APP, _MOST)}
    wanted, met = request.args.get("q", "").strip()[:100], request.args.get("met") == "yes"
    apps = [app for app in _sorted(known) if _found(app, wanted) and (not met or app.id in tops)]
    begin = min(_number(request.args.get("from", "")), max(0, len(apps) - 1))
    rows = [_row(known, app, moment, counted, query, tops.get(app.id)) for app in apps[begin : begin + _PAGE]]
    gone = [name for name in tops if name is not None and name not in known.apps]
    given = {"q": wanted or None, "met": "yes" if met else None}
    return render_template(
        "apps.html",
        span=span,
        presets=list(span.presets("apps.show", **given)),
        words=list(WORDS.values()),
        rows=rows,
        q=wanted,
        met=met,
        total=len(apps),
        everything=len(known.apps),
        unmet=len(known.apps) - sum(app in tops for app in known.apps),
        gone=[(name, _numbers(counted, query.and_(f"app:={name}"), tops[name])) for name in sorted(gone)],
        previous=_page_url(span, begin - _PAGE, given) if begin else None,
        following=_page_url(span, begin + _PAGE, given) if begin + _PAGE < len(apps) else None,
        snapshot=counted.snapshot,
    )


@blueprint.get("/apps/<identifier>")
@requires(Right.COUNTS)
def app(identifier: str) -> str:
    """One app."""
    known, moment = policy(), now()
    found = known.apps.get(identifier)
    if found is None:
        abort(404, f"The policy of now has no app {identifier[:64]!r}.")
    refresh()
    span, counted = chosen(), Counted.now(moment)
    query = counted.query(f"app:={found.id}", "verdict:*", since=span.since, until=span.until)
    told = account(known, found, moment)
    tops = {top.value: top for top in store().top(query, counted.snapshot, Dimension.ENDPOINT, _MOST)}
    rows = [_endpoint(entry, found, query, counted, tops) for entry in told.entries]
    listings = [_endpoint(entry, found, query, counted, tops) for entry in told.listings]
    named = {str(row.entry.endpoint) for row in (*rows, *listings) if row.entry.source is None}
    others = [top for name, top in tops.items() if name not in named]
    rest = remainder(known, told, moment)
    return render_template(
        "app.html",
        app=found,
        told=told,
        span=span,
        presets=list(span.presets("apps.app", identifier=found.id)),
        words=list(WORDS.values()),
        numbers=counted.of_classes(query),
        rows=rows,
        listings=listings,
        others=[(top.value or "no endpoint", counted.of_classes(top.query, top.classes)) for top in others[:_OTHERS]],
        more=len(others) - _OTHERS,
        unmet=[row for row in rows if row.entry.source is None and not any(n.count for n in row.numbers)],
        rest=rest,
        remedy=_remedy(rest),
        stores=list(_listed(found)),
        charts=list(_charts(told.held, span, query, counted)),
        log_url=counted.url(query),
        snapshot=counted.snapshot,
    )


def _sorted(known: Policy) -> list[App]:
    return sorted(known.apps.values(), key=lambda app: (app.name.casefold(), app.id))


def _found(app: App, wanted: str) -> bool:
    texts = (app.id, app.name, app.vendor or "", *app.named_in)
    return not wanted or any(wanted.casefold() in text.casefold() for text in texts)


def _row(known: Policy, app: App, moment: datetime, counted: Counted, query: Query, top: Top | None) -> AppRow:
    return AppRow(
        account=account(known, app, moment),
        url=url_for("apps.app", identifier=app.id, span=request.args.get("span")),
        numbers=_numbers(counted, query, top),
    )


def _numbers(counted: Counted, query: Query, top: Top | None) -> tuple[Number, ...]:
    """Those of *top*, which is None where nothing came."""
    return counted.of_classes(top.query if top is not None else query, top.classes if top is not None else {})


def _endpoint(entry: Entry, app: App, query: Query, counted: Counted, tops: Mapping[str | None, Top]) -> EndpointRow:
    trial = None
    if entry.endpoint.shadow and entry.source is None:
        trial = counted.number(query.and_(f"trial:={app.id}").and_(f"trial:={entry.endpoint}"), "on trial")
    top = tops.get(str(entry.endpoint)) if entry.source is None else None
    return EndpointRow(entry=entry, numbers=_numbers(counted, query, top), trial=trial)


def _remedy(rest: Remainder) -> Sequence[str]:
    """What would block the rest, as `embargo apps` prints it."""
    lines = list(remaining(rest))
    at = next((number for number, line in enumerate(lines) if line.startswith("to block the rest")), None)
    return [] if at is None else lines[at:]


def _listed(app: App) -> Iterator[tuple[str, str, str]]:
    for label, member, place in _STORES:
        for identifier in getattr(app.stores, member):
            yield label, identifier, place + quote(identifier, safe="")


def _charts(held: Sequence[Held], span: Span, query: Query, counted: Counted) -> Iterator[Markup]:
    """Each order drawn over the app's traffic; then each since its first date."""
    days = in_days(span.since, span.until)
    zone = UTC if days else zone_of(span.since)
    cells = store().series(query, counted.snapshot, DAY if days else HOUR)
    bars = buckets(cells, span.since, span.until, query, counted, zone=zone)
    if not held:
        yield timeline("traffic", "Traffic", bars, zone=zone_name(zone))
        return
    start, end = span.since.astimezone(zone), span.until.astimezone(zone)
    rows = [_lane(each, span.since, span.until) for each in held]
    title = f"The orders over the traffic of {span.label}"
    yield lanes("orders-now", title, start, end, rows, STATES, traffic=bars, zone=zone_name(zone))
    first = min(
        (each.authority.timeline.changes[0][0] for each in held if each.authority.timeline.changes), default=None
    )
    if first is not None and first < span.since:
        whole = [_lane(each, first, span.until) for each in held]
        yield lanes("orders-ever", "The orders since their first date", first.astimezone(UTC), end, whole, STATES)


def _lane(held: Held, start: datetime, end: datetime) -> Lane:
    spans = [Bar(start=each.start, end=each.end, state=each.state) for each in course(held.authority, start, end)]
    return Lane(label=f"{held.authority.title}: {held.text}", spans=spans)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _page_url(span: Span, begin: int, given: Mapping[str, str | None]) -> str:
    name = None if span.name == span.usual else span.name
    values: dict[str, Any] = {**given, "span": name, "from": max(0, begin) or None}
    return url_for("apps.show", **values)
