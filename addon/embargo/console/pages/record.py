"""The page of one record: why it was decided so, what was said of it, and an exception from it.

The incident id of a block page leads here.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from embargo.console import exempting_form as exempting
from embargo.console import marking, telling, vouching
from embargo.console.access.accounts import Account
from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.context import account, may, now, policy, settings, store
from embargo.console.freshness import refresh
from embargo.console.masking import mask, masked
from embargo.console.pages.display import display
from embargo.console.pages.unmasking import pseudonym_of
from embargo.console.remarks import remarks_on
from embargo.console.rows import row_of
from embargo.console.selection import Selection
from embargo.core.decision import Verdict
from embargo.core.inquiry import Inquiry
from embargo.journal.query import BadTerm, Query, parse_query
from embargo.journal.record import Record
from embargo.journal.store import Gone
from embargo.journal.store.rows import Row
from embargo.journal.verdict_class import verdict_class
from embargo.policy.problem import PolicyError
from embargo.review.explain import explain
from embargo.review.history import NoSuchPolicy
from embargo.review.past_policy import PastPolicy, past_policy
from embargo.review.recorded import recorded

blueprint = Blueprint("record", __name__)

_MOST_NEIGHBOURS = 20  # of a connection
_EITHER_SIDE = 8  # of a client
_INCIDENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_RULE = {"default": "No rule held, so `settings.default` decided."}


@blueprint.get("/record/<identifier>")
@requires(Right.COUNTS)
def show(identifier: str) -> str:
    """The record of that `event.id`."""
    refresh()  # what was just said of it is in the log
    return page(found(identifier))


def incident_of(typed: str) -> str | None:
    """The id of the record whose incident number is all that was typed; None where there is none of that number."""
    number = typed.strip().lower().removeprefix("urn:uuid:")
    if _INCIDENT.fullmatch(number) is None:
        return None
    try:
        return _find(number).id
    except Gone:
        return None


def found(identifier: str) -> Record:
    """The record of that id; the store takes in what is new where it does not know it. A 404 where there is none."""
    try:
        row = _find(identifier)
        return store().record(row)
    except (Gone, BadTerm) as gone:
        abort(404, f"No record {identifier[:64]!r} can be shown: {gone}. Its retention may be over.")


def _find(identifier: str) -> Row:
    try:
        return store().find(identifier)
    except Gone:
        refresh()  # it may be new: the block page is quicker than the next look at the log
        return store().find(identifier)


def page(record: Record, form: exempting.Form | None = None, problem: str | None = None) -> str:
    """The page of *record*, with what was filled in before."""
    hidden = masked()
    shown = mask(record) if hidden else record
    past, trouble = _past(record)
    text = past.rule_text(record.rule) if past is not None and record.rule is not None else None
    if text is None and record.rule is not None:
        trouble = _NO_RULE.get(record.rule, trouble or "The stored policy has no such rule.")
    heard = _heard(record)
    decision = record.verdict is not None
    offered = _offered(record) if decision else None
    return render_template(
        "record.html",
        record=shown,
        masked=hidden,
        pseudonym=pseudonym_of(record),
        decision=decision,
        heading=record.host or record.action,
        klass=verdict_class(record.verdict, record.would, record.shared),
        why=telling.why(shown, past, now()),
        who=telling.who(shown, now(), masked=hidden),
        seal=vouching.seal_of(record, verify=may(Right.ROWS)),
        rule_text=text,
        rule_trouble=trouble if record.policy is not None and decision else None,
        today=_today(record) if decision else None,
        marks=[each for each in heard if each.action == marking.MARKED],
        mark_words=[(each.value, marking.WORDS[each]) for each in marking.Mark],
        asks=[each for each in heard if each.action == marking.ASKED],
        wishes=offered,
        form=form or exempting.Form(),
        problem=problem,
        neighbours=[] if hidden else list(_neighbours(record)),
        raw=None if hidden else _raw(record),
    )


@blueprint.post("/record/<identifier>/mark")
@requires(Right.MARK)
def mark_it(identifier: str) -> Response:
    """Say what one thinks of the decision."""
    record = found(identifier)
    try:
        chosen = marking.Mark(request.form.get("mark", ""))
    except ValueError:
        abort(400, "Choose fine, question or wrong.")
    note = " ".join(request.form.get("note", "").split())[: marking.LONGEST_NOTE]
    desk().record(marking.MARKED, reason=note or None, details={"record": record.id, "mark": chosen.value})
    flash(f"Marked as {marking.WORDS[chosen]}; that stands in the log.", "done")
    return redirect(url_for("record.show", identifier=record.id), 303)


@blueprint.post("/record/<identifier>/ask")
@requires(Right.EXCEPTION_ASK)
def ask(identifier: str) -> Response | tuple[str, int]:
    """Ask whoever may grant it for an exception."""
    record, form = found(identifier), exempting.Form.read(request.form)
    try:
        wanted = exempting.wish(form, record, _account(), now(), display().typed)
    except exempting.NotPossible as refused:
        return page(record, form, str(refused)), 422
    details: dict[str, Any] = {
        "record": record.id,
        "what": form.what,
        "whom": form.whom,
        "until": wanted.until,
        "duration": form.until if form.long == "until" else {"1h": "1 hour", "1d": "1 day"}[form.long],
    }
    desk().record(marking.ASKED, reason=form.reason, details=details)
    flash("Asked for; an admin sees it on this record's page.", "done")
    return redirect(url_for("record.show", identifier=record.id), 303)


@blueprint.post("/record/<identifier>/exception")
@requires(Right.EXCEPTION_GRANT)
def preview(identifier: str) -> str | tuple[str, int]:
    """What an exception would open."""
    record, form = found(identifier), exempting.Form.read(request.form)
    try:
        wanted = exempting.wish(form, record, _account(), now(), display().typed)
        with exempting.planned(settings(), wanted, now()) as (file, plan):
            told = exempting.told(plan, str(file.path))
    except exempting.NotPossible as refused:
        return _exception(record, form, problem=str(refused)), 422
    # the hour or the day counts from when it was shown, so that what is granted is what was seen
    fixed = replace(form, long="until", until=wanted.until.isoformat())
    return _exception(record, form, plan=told, fields=fixed.fields())


@blueprint.post("/record/<identifier>/exception/grant")
@requires(Right.EXCEPTION_GRANT)
def grant(identifier: str) -> Response | tuple[str, int]:
    """Write the exception."""
    record, form = found(identifier), exempting.Form.read(request.form)
    try:
        wanted = exempting.wish(form, record, _account(), now(), display().typed)
        with exempting.planned(settings(), wanted, now()) as (file, plan):
            if (why := exempting.refusal(plan)) is not None:
                raise exempting.NotPossible(why)
            trouble = exempting.carry_out(file, plan, settings(), _account())
    except exempting.NotPossible as refused:
        return _exception(record, form, problem=str(refused)), 422
    if trouble is not None:
        flash(trouble, "warning")
    flash(f"{plan.rule.id} is written; the proxies follow within two seconds.", "done")
    return redirect(url_for("record.show", identifier=record.id), 303)


def _exception(record: Record, form: exempting.Form, **given: Any) -> str:
    known = {"plan": None, "problem": None, "fields": [], **given}
    return render_template(
        "exception.html", record=record, form=form, wishes=exempting.wishes(record, everyone=True), **known
    )


def _offered(record: Record) -> exempting.Wishes | None:
    if not (may(Right.EXCEPTION_ASK) or may(Right.EXCEPTION_GRANT)):
        return None
    return exempting.wishes(record, everyone=may(Right.EXCEPTION_GRANT), masked=masked())


def _past(record: Record) -> tuple[PastPolicy | None, str | None]:
    if record.policy is None:
        return None, None
    try:
        past = _stored(settings().log, record.policy)
    except NoSuchPolicy as gone:
        return None, str(gone)
    except OSError as failure:
        return None, f"the stored policy cannot be read: {failure.strerror or failure}"
    return past, past.trouble


@lru_cache(maxsize=8)
def _stored(log: Path, digest: str) -> PastPolicy:
    return past_policy(log, digest)


def _today(record: Record) -> dict[str, Any] | None:
    """What the policy of now says of the same request, now."""
    try:
        today, seen = policy(), recorded(record)
    except PolicyError as refused:
        return {"error": f"The policy does not load, so it cannot be told: {refused.problems[0]}"}
    if seen is None:
        return None
    inquiry = Inquiry(
        request=seen.request,
        time=now(),
        client=seen.client,
        user=seen.user,
        user_agent=seen.user_agent,
        surface=seen.surface,
        names=seen.names,
    )
    told = explain(today, inquiry)
    decision = told.decision
    would = str(decision.would) if decision is not None and decision.would is not None else None
    shared = decision.endpoint.shared if decision is not None and decision.endpoint is not None else None
    klass = verdict_class(str(told.verdict), would, shared) if told.verdict is not Verdict.PASS else None
    reason = told.reason
    if states := telling.now_states(today, record, now()):
        reason += "; since then the law has changed: " + ", ".join(states)
    same = (str(told.verdict), would) == (record.verdict, record.would)
    return {"error": None, "klass": klass or "passes", "same": same, "reason": reason}


def _neighbours(record: Record) -> Iterator[dict[str, Any]]:
    snapshot = store().snapshot()
    if record.connection is not None:
        query = parse_query([f"connection:{record.connection}"], now())
        rows = store().page(query, snapshot, limit=_MOST_NEIGHBOURS).rows
        yield _group("connection", "On the same connection", rows, record, query)
    if record.client is not None:
        query = parse_query([f"client:={record.client}"], now())
        here = store().find(record.id)
        later = store().page(query, snapshot, before=here.key, limit=_EITHER_SIDE).rows
        earlier = store().page(query, snapshot, after=here.key, limit=_EITHER_SIDE).rows
        yield _group("client", "The same client, before and after", (*later, here, *earlier), record, query)


def _group(name: str, title: str, rows: Sequence[Row], record: Record, query: Query) -> dict[str, Any]:
    made = [replace(made, here=made.id == record.id) for made in map(row_of, rows)]
    url = Selection.of(query, now()).url()
    return {"name": name, "title": title, "rows": made, "url": url, "none": "Nothing else was recorded."}


def _heard(record: Record) -> tuple[marking.Said, ...]:
    return remarks_on(record.id)


def _raw(record: Record) -> str:
    return json.dumps(record.document, indent=2, ensure_ascii=False)


def _account() -> Account:
    who = account()
    assert who is not None, "the guard lets nobody else in"
    return who
