"""The reviews: what is new since the last sign-off, and the sign-off of a period by an auditor, never by an admin."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as Answer

from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.context import may, now, settings, store
from embargo.console.counting import WORDS, Counted, Number
from embargo.console.enforced import SPANS, enforced, gaps_within
from embargo.console.freshness import refresh
from embargo.console.news import SIGNED_OFF
from embargo.console.pages.display import clip, display
from embargo.console.rows import row_of
from embargo.console.selection import instant
from embargo.console.sign_offs import LONGEST_NOTE, MOST_LATE, SignOff, details, pins, sign_offs, standing
from embargo.journal.query import BadTerm, Query
from embargo.journal.seal.keys import known_keys, public_key
from embargo.journal.seal.transcript import transcript
from embargo.journal.seal.verification import verify
from embargo.journal.store import Dimension
from embargo.journal.store.rows import of_class
from embargo.journal.verdict_class import CLASSES, VerdictClass
from embargo.review.chart.bars import Row, bars
from embargo.review.chart.look import VERDICTS
from embargo.review.report.blind_spots import BlindSpot, blind_spots

blueprint = Blueprint("reviews", __name__)

_MOST = 10  # of a top list
_MOST_MADE = 60  # sign-offs of a list: a year of weeks
_LONGEST_BLIND = timedelta(days=92)  # of a period whose heartbeats are added up
_TOPS = (
    (Dimension.APP, "By app", "App"),
    (Dimension.RULE, "By rule", "Rule"),
    (Dimension.CLIENT, "By client", "Client"),
    (Dimension.AUTHORITY, "By order", "Order"),
)
_SHORT = tuple(replace(layer, label=WORDS[VerdictClass(layer.key)]) for layer in VERDICTS)  # heads are narrow
_EVENTS = (  # what is counted beside decisions: its words, and the terms
    ("policies that took effect", ("action:policy-load", "outcome:success")),
    ("edits that were refused", ("action:policy-load", "outcome:failure")),
    ("exceptions granted", ("action:exception-added", "outcome:success")),
    ("exceptions ended", ("action:exception-ended", "outcome:success")),
    ("exceptions asked for", ("action:exception-asked",)),
    ("break-glass begun", ("action:break-glass-started", "outcome:success")),
    ("changes of any kind", ("category:configuration", "-outcome:unknown")),
    ("proxies that died", ("action:died",)),
    ("times that records were lost", ("action:log-loss",)),
    ("records marked by auditors", ("action:record-marked",)),
    ("exports", ("action:export",)),
    ("log-ins that failed", ("action:log-in", "outcome:failure")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A sign-off in the list."""

    sign_off: SignOff
    url: str
    late: int  # records of its period that came later; one more than are told stands for more
    before: datetime | None  # the end of the one before, where nobody signed what lies between


@blueprint.get("/reviews")
@requires(Right.ROWS)
def show() -> str:
    """What is new, and what was signed off."""
    refresh()
    return _page()


@blueprint.post("/reviews")
@requires(Right.SIGN_OFF)
def sign() -> Answer | tuple[str, int]:
    """Sign a period off."""
    note = "\n".join(" ".join(line.split()) for line in request.form.get("note", "").splitlines()).strip()[
        :LONGEST_NOTE
    ]
    if not refresh(patience=30.0):
        return _page("the log is still being read; try again in a moment"), 503
    try:
        since, until = _period()
        pinned = pins(settings().log)
    except BadTerm as bad:
        return _page(str(bad)), 422
    except OSError as failure:
        return _page(f"the ends of the log's chains cannot be read: {failure.strerror or failure}"), 422
    counted = Counted.now(now())
    found = store().classes(counted.query(since=since, until=until), counted.snapshot)
    counts = {str(name): count for name, count in found.items() if name is not None}
    desk().record(SIGNED_OFF, reason=note or None, details=details(since, until, sum(found.values()), counts, pinned))
    flash("Signed off; that stands in the sealed log, with the end of each of its chains.", "done")
    return redirect(url_for("reviews.show"), 303)


@blueprint.get("/reviews/<identifier>")
@requires(Right.ROWS)
def sign_off(identifier: str) -> str:
    """One sign-off, and what came of its period since."""
    refresh()
    found = _found(identifier)
    counted = Counted.now(now())
    late = found.late()
    return render_template(
        "sign_off.html",
        found=found,
        counts=[(name, found.counts.get(name, 0)) for name in CLASSES],
        numbers=counted.of_classes(counted.query("verdict:*", since=found.since, until=found.until)),
        all=counted.number(counted.query(since=found.since, until=found.until), "records"),
        late=[row_of(row) for row in late[:MOST_LATE]],
        more_late=len(late) > MOST_LATE,
        pins=[(pin, _standing(pin)) for pin in found.pins],
        record_url=url_for("record.show", identifier=found.id),
        query=str(counted.query(since=found.since, until=found.until)),
        may_export=may(Right.EXPORT),
        snapshot=counted.snapshot,
    )


@blueprint.post("/reviews/<identifier>/proof")
@requires(Right.EXPORT)
def proof(identifier: str) -> Response:
    """The seal's proof of a period: the record of its sign-off, what verification says today, and the public key."""
    refresh()
    found = _found(identifier)
    desk().record("export", details={"filter": f"proof of sign-off {found.id}", "form": "txt"})
    log = settings().log
    line = next((line for _, line in store().lines([store().find(found.id)]) if line is not None), b"")
    try:
        result = verify(log, known_keys(log), own_key=True, since=found.since, until=max(found.until, found.time))
        told = list(transcript(result))
        key = _pem(log)
    except OSError as failure:
        told, key = [f"the log cannot be verified: {failure.strerror or failure}"], ""
    text = [
        f"Sign-off {found.id}",
        f"by {found.by} at {_iso(found.time)}",
        f"period {_iso(found.since)} to {_iso(found.until)}",
        *(f"chain {pin.chain} ended with record {pin.sequence}, seal {pin.seal or 'none'}: {_standing(pin)}"
          for pin in found.pins),
        "",
        "Its record, as it stands in the audit chain:",
        line.decode("utf-8", "replace"),
        "",
        f"Verification of the files of that time at {_iso(now())} (embargo verify):",
        *told,
        "",
        "The public key beside the log; compare it with one kept elsewhere:",
        key,
    ]  # fmt: skip
    answer = Response("\n".join(text) + "\n", content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="embargo-sign-off-{found.id}.txt"'
    return answer


def _page(problem: str | None = None) -> str:
    moment, counted = now(), Counted.now(now())
    made = sign_offs()
    last = max((each.until for each in made), default=None)
    since = last if last is not None else _first(counted)
    until = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    known_from = max(since or moment - SPANS["30d"], moment - SPANS["30d"])
    decisions = counted.query("verdict:*", since=since)
    return render_template(
        "reviews.html",
        problem=problem,
        last=made[0] if made else None,
        since=since,
        until=until if since is None or until > since else moment,
        numbers=counted.of_classes(decisions),
        tops=[(title, _top(dimension, title, heading, decisions, counted)) for dimension, title, heading in _TOPS],
        events=list(_events(counted, since)),
        everything=counted.number(counted.query(since=since), "records"),
        gaps=[(max(begin, known_from), end) for begin, end in gaps_within(known_from, moment)],
        gaps_known=enforced(0.0).value is not None,
        gaps_from=known_from,
        blind=_blind(since, moment),
        made=list(islice(_listed(made), _MOST_MADE)),
        more=max(0, len(made) - _MOST_MADE),
        may_sign=may(Right.SIGN_OFF),
        form=request.form,
        snapshot=counted.snapshot,
    )


def _events(counted: Counted, since: datetime | None) -> Iterator[tuple[str, Number]]:
    for label, terms in _EVENTS:
        yield label, counted.number(counted.query(*terms, since=since), label)


def _top(dimension: Dimension, title: str, heading: str, query: Query, counted: Counted) -> Markup:
    found = store().top(query, counted.snapshot, dimension, _MOST + 1)
    rows = [
        Row(
            label=clip(top.value) if top.value is not None else f"no {heading.lower()}",
            counts={str(name): top.classes[name] for name in VerdictClass if top.classes.get(name)},
            hrefs={
                str(name): url
                for name in VerdictClass
                if top.classes.get(name) and (url := counted.url(of_class(top.query, name))) is not None
            },
        )
        for top in found[:_MOST]
    ]
    more = f"The first {_MOST} of more." if len(found) > _MOST else None
    return bars(f"new-{dimension}", title, heading, rows, _SHORT, more=more)


def _first(counted: Counted) -> datetime | None:
    """The time of the oldest record; None where there is none."""
    oldest = next(store().rows(counted.query(), counted.snapshot, batch=1), None)
    return oldest.time.replace(minute=0, second=0, microsecond=0) if oldest is not None else None


def _blind(since: datetime | None, until: datetime) -> list[BlindSpot] | None:
    """What heartbeats count as not looked into; None where that is too long a time to add up for a page."""
    if since is None or until - since > _LONGEST_BLIND:
        return None
    found: Counter[str] = Counter()
    for heartbeat in store().heartbeats(since, until):
        told = heartbeat.members.get("uninspected")
        for reason, count in told.items() if isinstance(told, dict) else ():
            if type(count) is int:
                found[reason] += count
    return blind_spots(found)


def _listed(made: tuple[SignOff, ...]) -> Iterator[Listed]:
    ends = sorted(each.until for each in made)
    for each in made:
        earlier = [end for end in ends if end <= each.since]
        yield Listed(
            sign_off=each,
            url=url_for("reviews.sign_off", identifier=each.id),
            late=len(each.late()),
            before=earlier[-1] if earlier and earlier[-1] < each.since else None,
        )


def _period() -> tuple[datetime, datetime]:
    """What is to be signed off. Raises BadTerm."""
    moment, zone = now(), display().typed
    since, until = (instant(request.form.get(name, ""), moment, zone) for name in ("since", "until"))
    if since is None or until is None:
        raise BadTerm("say from when and until when")
    if since >= until:
        raise BadTerm("the period ends before it begins")
    if until > moment:
        raise BadTerm("the period is not over yet: what is to come cannot be signed off")
    return since, until


def _found(identifier: str) -> SignOff:
    found = next((each for each in sign_offs() if each.id == identifier), None)
    if found is None:
        abort(404, f"There is no sign-off {identifier[:64]!r}.")
    return found


def _standing(pin: Any) -> str:
    try:
        return standing(settings().log, pin).value
    except OSError as failure:
        return f"its file cannot be read: {failure.strerror or failure}"


def _pem(log: Any) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        return public_key(log).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    except ValueError as broken:
        return f"none can be read: {broken}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
