"""What happened since an auditor last signed a period off: decisions by class, and all that changes what they mean."""

from dataclasses import dataclass
from datetime import datetime

from embargo.console.context import now, store
from embargo.console.selection import Selection
from embargo.journal.query import parse_query
from embargo.journal.store import Gone
from embargo.journal.store.rows import Row

SIGNED_OFF = "period-signed-off"  # event.action of a sign-off; `embargo.console.until`: the end of its period
_ASKED = (  # what is counted: its words, and the terms
    ("blocked", ("class:blocked",)),
    ("would have been blocked", ("class:would-block",)),
    ("shared infrastructure", ("class:shared",)),
    ("policies that took effect", ("action:policy-load", "outcome:success")),
    ("policies that were refused", ("action:policy-load", "outcome:failure")),
    ("exceptions granted", ("action:exception-added", "outcome:success")),
    ("exceptions ended", ("action:exception-ended", "outcome:success")),
    ("exceptions asked for", ("action:exception-asked",)),
    ("break-glass begun", ("action:break-glass-started", "outcome:success")),
    ("proxies that died", ("action:died",)),
    ("times that records were lost", ("action:log-loss",)),
    ("exports", ("action:export",)),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A number."""

    label: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class News:
    """What is new."""

    title: str
    note: str
    rows: tuple[Line, ...]


def news(snapshot: int, since: datetime) -> News:
    """What is new up to the row *snapshot*: since the last sign-off, else since *since*."""
    signed = _last_sign_off(snapshot)
    begin = _signed_until(signed) if signed is not None else since
    if signed is not None:
        title, note = "New since the last sign-off", f"by {signed.user or 'somebody'}, {signed.time:%Y-%m-%d %H:%M} UTC"
    else:
        title, note = "New in this period", "nothing has been signed off yet"
    return News(title, note, tuple(_lines(snapshot, begin)))


def _lines(snapshot: int, begin: datetime) -> list[Line]:
    filled, moment = store(), now()
    found = []
    for label, terms in _ASKED:
        query = parse_query(terms, moment).between(begin, None)
        if count := filled.count(query, snapshot):
            found.append(Line(label, count, Selection.of(query, moment, snapshot).url()))
    return found


def _signed_until(signed: Row) -> datetime:
    """The end of the period that was signed off; where the record does not say it, when that was done."""
    try:
        document = store().record(signed).document
        found = datetime.fromisoformat(document["embargo"]["console"]["until"])
    except (Gone, KeyError, TypeError, ValueError):
        return signed.time
    return found if found.tzinfo is not None else signed.time


def _last_sign_off(snapshot: int) -> Row | None:
    page = store().page(parse_query([f"action:{SIGNED_OFF}"], now()), snapshot, limit=1)
    return page.rows[0] if page.rows else None
