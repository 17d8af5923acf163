"""The policy: what is in force with its use, its history with who and why, the text of any digest, its calendar.

The console edits none: what it offers is to try a text (`pages.trying`).
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from markupsafe import Markup

from embargo.console.access.rights import Right, requires
from embargo.console.checked import checked
from embargo.console.context import console, loaded, may, now, settings, store
from embargo.console.counting import WORDS, Counted, Number
from embargo.console.exempting_form import what, whom
from embargo.console.freshness import refresh
from embargo.core.inquiry import Inquiry, UnreadableRequest
from embargo.core.rules import Policy, Rule
from embargo.journal.record import Record
from embargo.journal.store import Dimension, Top
from embargo.policy.bundle import BrokenBundle, unbundle
from embargo.policy.layers import Layer
from embargo.policy.load import Loaded
from embargo.review.calendar import calendar
from embargo.review.chart.calendar import calendar as calendar_chart
from embargo.review.chart.lanes import Lane, lanes
from embargo.review.chart.lanes import Span as Bar
from embargo.review.chart.look import STATES
from embargo.review.history import NoSuchPolicy, stored_text
from embargo.review.report.orders import course
from embargo.review.report.policies import LOADED, Edit, edits
from embargo.review.unmet import state_of

blueprint = Blueprint("policy", __name__)

_MOST_RULES = 10_000
_MOST_ASKED = 300  # rules of which the last hit is looked up
_MOST_EDITS = 100
_LINES = 2000  # of a file on one page
_LONGEST_REQUEST = 2000  # characters
_DIGEST = re.compile(r'"([0-9a-f]{64})"')
_BEFORE = timedelta(hours=1)  # within which what somebody did has to do with an edit
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule of the policy, with its use."""

    number: int
    rule: Rule
    place: str  # FILE:LINE
    url: str | None  # of that line
    what: str
    whom: str
    numbers: tuple[Number, ...]
    last: datetime | None

    @property
    def used(self) -> bool:
        """Whether it ever decided, as far as the log goes back."""
        return any(number.count for number in self.numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """What somebody did that brought a policy about."""

    by: str
    action: str
    reason: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An edit of the history."""

    edit: Edit
    url: str  # of its record
    stored: bool  # its text is kept
    did: tuple[Did, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A line of a policy file."""

    number: int
    text: str
    rule: RuleRow | None = None  # that begins here


@blueprint.get("/policy")
@requires(Right.POLICY)
def show() -> str:
    """What is in force."""
    refresh()
    known, counted = loaded(), Counted.now(now())
    refused = console().refused
    rows = _rules(known, counted)
    history = list(_history(counted))
    default = counted.query("rule:default", "verdict:*")
    return render_template(
        "policy.html",
        loaded=known,
        policy=known.policy,
        files=[(_name(known, layer), _part(number, 0)) for number, layer in enumerate(known.layers)],
        lists=[(names.source.path.name, len(names.source.data)) for names in known.files.lists],
        refused=list(map(str, refused.problems)) if refused is not None else [],
        rules=rows,
        unused=sum(not row.used for row in rows if row.rule.enabled),
        default=counted.of_classes(default),
        words=list(WORDS.values()),
        begins=_begins(counted),
        checked=checked(),
        history=history[:_MOST_EDITS],
        more=len(history) - _MOST_EDITS,
        stored=known.digest in _stored(),
        may_try=may(Right.POLICY_TRY),
        snapshot=counted.snapshot,
    )


@blueprint.get("/policy/files/<int:number>")
@requires(Right.POLICY)
def file(number: int) -> str:
    """A file in force, line by line, with the use of each rule beside it."""
    refresh()
    known, counted = loaded(), Counted.now(now())
    if number >= len(known.layers):
        abort(404, "The policy has no such file.")
    layer = known.layers[number]
    text = layer.document.source.data.decode("utf-8", "replace").splitlines()
    begin = min(_whole(request.args.get("from", "")), max(0, len(text) - 1)) // _LINES * _LINES
    beside = {row.rule.line: row for row in _rules(known, counted) if row.rule.layer == layer.name}
    lines = [
        SourceLine(number=at, text=line, rule=beside.get(at))
        for at, line in enumerate(text[begin : begin + _LINES], begin + 1)
    ]
    return render_template(
        "policy_file.html",
        name=_name(known, layer),
        path=layer.name,
        digest=known.digest,
        lines=lines,
        words=list(WORDS.values()),
        previous=_part(number, begin - _LINES) if begin else None,
        following=_part(number, begin + _LINES) if begin + _LINES < len(text) else None,
        snapshot=counted.snapshot,
    )


@blueprint.get("/policy/stored/<digest>")
@requires(Right.POLICY)
def stored(digest: str) -> str:
    """The text of a policy that was in force."""
    files, whole = _text(digest)
    shown = [(name, data.decode("utf-8", "replace").splitlines()) for name, data in files]
    return render_template(
        "policy_stored.html",
        digest=whole,
        files=[(name, "\n".join(lines[:_LINES]), max(0, len(lines) - _LINES)) for name, lines in shown],
        current=whole == loaded().digest,
        log_url=Counted.now(now()).url(Counted.now(now()).query(f"policy:{whole}")),
    )


@blueprint.get("/policy/stored/<digest>/text")
@requires(Right.POLICY)
def text(digest: str) -> Response:
    """The same as it is stored, all files in one: its SHA-256 is its name."""
    _, whole = _text(digest)
    answer = Response(stored_text(settings().log, whole), content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="embargo-policy-{whole[:12]}.txt"'
    return answer


@blueprint.get("/policy/calendar")
@requires(Right.POLICY)
def dates() -> str:
    """The dated changes: of a request that is asked for, of the orders, and those announced."""
    known, moment = loaded(), now()
    asked = " ".join(request.args.get("request", "").split())[:_LONGEST_REQUEST]
    chart, problem = None, None
    if asked:
        try:
            found = calendar(known.policy, Inquiry(request=asked, time=moment))
            chart = calendar_chart("calendar", f"What becomes of {asked[:120]}", [found])
        except (UnreadableRequest, ValueError) as unreadable:
            problem = str(unreadable)
    return render_template(
        "policy_calendar.html",
        asked=asked,
        chart=chart,
        problem=problem,
        orders=_orders(known.policy, moment),
        checked=checked(),
        samples=[str(app.endpoints[0].pattern.text) for app in list(known.policy.apps.values())[:1] if app.endpoints],
    )


def _rules(known: Loaded, counted: Counted) -> list[RuleRow]:
    query = counted.query("verdict:*")
    tops = {top.value: top for top in store().top(query, counted.snapshot, Dimension.RULE, _MOST_RULES)}
    layers = {layer.name: (number, _name(known, layer)) for number, layer in enumerate(known.layers)}
    return [_rule(number, rule, layers, tops, counted) for number, rule in enumerate(known.policy.rules, 1)]


def _rule(
    number: int, rule: Rule, layers: Mapping[str, tuple[int, str]], tops: Mapping[str | None, Top], counted: Counted
) -> RuleRow:
    query = counted.query(f"rule:={rule.id}", "verdict:*")
    top = tops.get(rule.id)
    newest = store().page(query, counted.snapshot, limit=1).rows if top is not None and number <= _MOST_ASKED else ()
    at, file_name = layers.get(rule.layer, (None, rule.layer))
    begin = (rule.line - 1) // _LINES * _LINES
    url = _part(at, begin, f"L{rule.line}") if at is not None else None
    return RuleRow(
        number=number,
        rule=rule,
        place=f"{file_name}:{rule.line}" if rule.layer else "",
        url=url,
        what=what(rule),
        whom=whom(rule),
        numbers=counted.of_classes(top.query if top is not None else query, top.classes if top is not None else {}),
        last=newest[0].time if newest else None,
    )


def _name(known: Loaded, layer: Layer) -> str:
    """A file as its policy's text calls it: relative to the directory of the last one."""
    return os.path.relpath(layer.document.source.path, known.base)


def _part(file: int, begin: int, anchor: str | None = None) -> str:
    """The address of a part of a file in force."""
    values: dict[str, Any] = {"number": file, "from": begin or None, "_anchor": anchor}
    return url_for("policy.file", **values)


def _history(counted: Counted) -> Iterator[Version]:
    """The edits, the newest first, each with what somebody did that names its digest."""
    changes = list(store().changes())
    by_digest: dict[str, list[Record]] = {}
    for record in changes:
        if record.action != LOADED and record.outcome != "unknown":
            for digest in set(_DIGEST.findall(json.dumps(record.document))):
                by_digest.setdefault(digest, []).append(record)
    kept = _stored()
    for edit in reversed(edits(changes)):
        near = [
            record
            for record in by_digest.get(edit.new or "", ())
            if edit.time - _BEFORE <= record.time <= edit.time + timedelta(minutes=1)
        ]
        yield Version(
            edit=edit,
            url=url_for("record.show", identifier=edit.id),
            stored=edit.new in kept,
            did=tuple(
                Did(
                    by=record.user or "",
                    action=record.action,
                    reason=record.reason or "",
                    url=url_for("record.show", identifier=record.id),
                )
                for record in near[:3]
            ),
        )


def _stored() -> frozenset[str]:
    """The digests whose text is kept."""
    try:
        return frozenset(path.name for path in (settings().log / "policies").iterdir())
    except OSError:
        return frozenset()


def _text(digest: str) -> tuple[Sequence[tuple[str, bytes]], str]:
    """The files of a stored policy, and its whole digest; a 404 where there is none."""
    try:
        data = stored_text(settings().log, digest)
        found = next(name for name in sorted(_stored()) if name.startswith(digest))
        return unbundle(data), found
    except (NoSuchPolicy, BrokenBundle, OSError, StopIteration) as gone:
        abort(404, f"No such text can be shown: {gone}")


def _orders(policy: Policy, moment: datetime) -> Markup | None:
    """Every order with a date, from the first of them to a year from now."""
    dated = [each for each in policy.authorities.values() if each.timeline.changes]
    if not dated:
        return None
    start = min(each.timeline.changes[0][0] for each in dated).astimezone(UTC)
    end = max(moment + _YEAR, *(each.timeline.changes[-1][0] for each in dated)).astimezone(UTC)
    rows = [
        Lane(
            label=f"{each.title}: {state_of(each.timeline, moment)}",
            spans=[Bar(start=span.start, end=span.end, state=span.state) for span in course(each, start, end)],
        )
        for each in dated
    ]
    return lanes("orders", "The orders by date", start, end, rows, STATES)


def _begins(counted: Counted) -> datetime | None:
    oldest = next(store().rows(counted.query(), counted.snapshot, batch=1), None)
    return oldest.time if oldest is not None else None


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
