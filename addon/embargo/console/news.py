"""What happened since an auditor last signed a period off: decisions by class, and all that changes what they mean."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from embargo.console.context import now, store
from embargo.console.selection import Selection
from embargo.journal.query import Query, parse_query
from embargo.journal.store import Gone
from embargo.journal.store.rows import Row
from embargo.journal.verdict_class import VerdictClass

SIGNED_OFF = "period-signed-off"  # event.action of a sign-off; `embargo.console.until`: the end of its period
_MOST = 500  # things that happened: of more, each is counted for itself
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
    moment = now()
    happened = _happened(snapshot, begin)
    classes = store().classes(Query(since=begin), snapshot)
    found = []
    for label, terms in _ASKED:
        query = parse_query(terms, moment).between(begin, None)
        if terms[0].startswith("class:"):
            count = classes.get(VerdictClass(terms[0].removeprefix("class:")), 0)
        elif happened is not None:
            count = sum(n for said, n in happened.items() if said >= set(terms))
        else:
            count = store().count(query, snapshot)
        if count:
            found.append(Line(label, count, Selection.of(query, moment, snapshot).url()))
    return found


def _happened(snapshot: int, begin: datetime) -> Counter[frozenset[str]] | None:
    """How often each thing happened, by the terms that take it, from one page of the store; None: there are more."""
    actions = [term for _, terms in _ASKED for term in terms if term.startswith("action:")]
    query = parse_query(dict.fromkeys(actions), now()).between(begin, None)
    page = store().page(query, snapshot, limit=_MOST)
    if page.next is not None:
        return None
    return Counter(frozenset((f"action:{row.kind.action}", f"outcome:{row.kind.outcome}")) for row in page.rows)


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
