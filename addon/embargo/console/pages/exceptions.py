"""The exceptions: which hold and for how long, who asked and who approved, their use, their end; and what is asked for.

Ending one is done by `review.exempting`, as `embargo except end` does it. `pages.answering` answers what is asked for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from embargo.console import exempting_form as exempting
from embargo.console.access.accounts import Account
from embargo.console.access.rights import Right, requires
from embargo.console.asked import ANSWERED, name_of, requests, shown
from embargo.console.context import account, may, now, policy, settings, store
from embargo.console.counting import WORDS, Counted, Number
from embargo.console.exempting_form import NotPossible
from embargo.console.freshness import refresh
from embargo.console.masking import masked, pseudonym
from embargo.core.rules import Rule
from embargo.journal.audit import login_user
from embargo.journal.record import BrokenRecord, Record
from embargo.policy.layers import exceptions_file
from embargo.policy.problem import Mistake, PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.exceptions import Standing, State, UnknownException, standings
from embargo.review.exempting import NotGranted, Plan, end, make
from embargo.review.report.wording import lasting

blueprint = Blueprint("exceptions", __name__)

_PATIENCE = 5.0  # seconds for whoever else is changing the file
_MOST = 100  # events of the history, and of exceptions that are over
_LONGEST = 500  # characters of a reason
_HISTORY = (
    "action:exception-added",
    "action:exception-ended",
    "action:exception-asked",
    f"action:{ANSWERED}",
    "-outcome:unknown",
)
_WORDS = {
    "exception-added": "granted",
    "exception-ended": "ended",
    "exception-asked": "asked for",
    ANSWERED: "answered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An exception."""

    rule: Rule
    state: str
    left: str  # in words; empty: it is over
    what: str
    whom: str
    void_for: tuple[tuple[str, tuple[str, ...]], ...]
    lacks: tuple[str, ...]  # what it would need against an order
    numbers: tuple[Number, ...]  # what it decided, by class
    last: datetime | None
    may_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A line of the history."""

    time: datetime
    url: str
    word: str
    failed: bool
    by: str
    rule: str
    reason: str
    note: str  # who approved, the ticket


@blueprint.get("/exceptions")
@requires(Right.EXCEPTIONS)
def show() -> str:
    """All of them."""
    refresh()
    return _page()


@blueprint.post("/exceptions/<identifier>/end")
@requires(Right.EXCEPTION_GRANT)
def end_now(identifier: str) -> Response | tuple[str, int]:
    """End one."""
    reason = _line(request.form.get("reason", ""))
    who = _account()
    try:
        with _ending(identifier, who) as (file, plan):
            trouble = make(
                file, plan, settings().log, author=who.name, login=login_user(), now=now, reason=reason or None
            )
    except NotPossible as refused:
        return _page(f"{identifier[:64]} was not ended: {refused}"), 422
    if trouble is not None:
        flash(trouble, "warning")
    flash(f"{plan.rule.id} is ended; the proxies follow within two seconds.", "done")
    return redirect(url_for("exceptions.show"), 303)


def _page(problem: str | None = None) -> str:
    moment, counted = now(), Counted.now(now())
    known = policy()
    rows = [_row(each, moment, counted) for each in standings(known, moment)]
    over = [row for row in rows if row.state in (State.ENDED, State.DISABLED)]
    return render_template(
        "exceptions.html",
        problem=problem,
        active=sorted((row for row in rows if row.state == State.ACTIVE), key=lambda row: str(row.rule.until)),
        upcoming=[row for row in rows if row.state == State.UPCOMING],
        over=over[::-1][:_MOST],
        more=len(over) - _MOST,
        words=list(WORDS.values()),
        requests=[shown(each) for each in requests() if each.answer is None],
        answered=[shown(each) for each in requests() if each.answer is not None][:_MOST],
        history=list(_history(counted)),
        history_url=counted.url(counted.query(*_HISTORY)),
        masked=masked(),
        may_grant=may(Right.EXCEPTION_GRANT),
        file=exceptions_file(settings().policy),
        snapshot=counted.snapshot,
    )


def _row(standing: Standing, moment: datetime, counted: Counted) -> Row:
    rule = standing.rule
    query = counted.query(f"rule:={rule.id}", "verdict:*")
    newest = store().page(query, counted.snapshot, limit=1).rows
    return Row(
        rule=rule,
        state=standing.state,
        left=lasting(timedelta(seconds=max(1, round(standing.left)))) if standing.left is not None else "",
        what=exempting.what(rule),
        whom=_whom(rule),
        void_for=standing.void_for,
        lacks=rule.lacks if standing.void_for else (),
        numbers=counted.of_classes(query),
        last=newest[0].time if newest else None,
        may_end=may(Right.EXCEPTION_GRANT) and standing.state in (State.ACTIVE, State.UPCOMING),
    )


def _whom(rule: Rule) -> str:
    """For whom it is; those who see no clients and users see how many."""
    if not masked():
        return exempting.whom(rule)
    named = [pseudonym("user", user) for user in sorted(rule.users)]
    named += [
        pseudonym("client", str(network.network_address))
        if network.num_addresses == 1
        else pseudonym("client", str(network))
        for network in rule.clients
    ]
    named += [group.id for group in rule.groups]
    return ", ".join(named) or "everyone"


def _history(counted: Counted) -> Iterator[Happened]:
    page = store().page(counted.query(*_HISTORY), counted.snapshot, limit=_MOST)
    for _, line in store().lines(page.rows):
        if line is None:
            continue
        try:
            yield _happened(Record.parse(line))
        except BrokenRecord:  # the store counts it
            continue


def _happened(record: Record) -> Happened:
    embargo = record.document.get("embargo", {})
    told = embargo.get("console") or embargo.get("exception") or {}
    told = told if isinstance(told, dict) else {}
    word = str(told.get("answer", _WORDS.get(record.action, record.action)))
    approved, ticket = told.get("approved_by"), told.get("ticket")
    note = [f"approved by {name_of(str(approved))}"] if approved else []
    note += [f"ticket {ticket}"] if ticket else []
    return Happened(
        time=record.time,
        url=url_for("record.show", identifier=record.id),
        word=word,
        failed=record.outcome == "failure",
        by=name_of(record.user or ""),
        rule=str(told.get("id") or told.get("exception") or told.get("what") or record.rule or ""),
        reason=record.reason or "",
        note=", ".join(note),
    )


@contextmanager
def _ending(identifier: str, who: Account) -> Iterator[tuple[LockedFile, Plan]]:
    """The exceptions file while it is ours, and what ending that exception makes of it. Raises NotPossible."""
    paths = settings().policy
    holder = f"{who.name} (console, process {os.getpid()}, since {now():%H:%M:%S} UTC)"
    if not any(each.rule.id == identifier for each in standings(policy(), now())):
        raise NotPossible("there is no exception of that id")
    try:
        with locked(exceptions_file(paths), holder, like=paths[-1], patience=_PATIENCE) as file:
            yield file, end(paths, file.read(), identifier, now())
    except (UnknownException, NotGranted, Mistake, NotWritten) as refused:
        raise NotPossible(str(refused)) from refused
    except PolicyError as refused:
        raise NotPossible(f"the policy does not load: {refused.problems[0]}") from refused


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _account() -> Account:
    who = account()
    assert who is not None, "the guard lets nobody else in"
    return who
