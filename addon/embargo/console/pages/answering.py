"""Answering what operators ask for: an admin grants a wish for an exception, or refuses it; never his own.

Everything is done by `review.exempting`, as `embargo except add` does it, and recorded.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from embargo.console import exempting_form as exempting
from embargo.console.access.accounts import Account
from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, requires
from embargo.console.asked import ANSWERED, GRANTED, REFUSED, Request, is_own, request_of, shown
from embargo.console.context import account, now, settings
from embargo.console.exempting_form import Form, NotPossible, carry_out, planned, refusal
from embargo.console.freshness import refresh
from embargo.console.pages.display import display
from embargo.console.pages.record import found as record_of
from embargo.review.exempting import Wish

blueprint = Blueprint("answering", __name__)

_LONGEST = 500  # characters of a reason


@blueprint.get("/exceptions/requests/<identifier>")
@requires(Right.EXCEPTION_GRANT)
def show(identifier: str) -> str:
    """What somebody asked for, with the form that grants it."""
    refresh()
    asked = _asked(identifier)
    return _request_page(asked, asked.form())


@blueprint.post("/exceptions/requests/<identifier>")
@requires(Right.EXCEPTION_GRANT)
def preview(identifier: str) -> str | tuple[str, int]:
    """What granting it would open."""
    refresh()
    asked, form = _asked(identifier), Form.read(request.form)
    try:
        wanted = _wanted(asked, form)
        with planned(settings(), wanted, now()) as (file, plan):
            told = exempting.told(plan, str(file.path))
    except NotPossible as refused:
        return _request_page(asked, form, str(refused)), 422
    fixed = replace(form, long="until", until=wanted.until.isoformat())  # so that what is granted is what was seen
    return _request_page(asked, form, plan=told, fields=fixed.fields())


@blueprint.post("/exceptions/requests/<identifier>/grant")
@requires(Right.EXCEPTION_GRANT)
def grant(identifier: str) -> Response | tuple[str, int]:
    """Write the exception: in the name of who asked, approved by who grants."""
    refresh()
    asked, form = _asked(identifier), Form.read(request.form)
    try:
        wanted = _wanted(asked, form)
        with planned(settings(), wanted, now()) as (file, plan):
            if (why := refusal(plan)) is not None:
                raise NotPossible(why)
            trouble = carry_out(file, plan, settings(), _account())
    except NotPossible as refused:
        return _request_page(asked, form, str(refused)), 422
    _answer(asked, GRANTED, form.reason, plan.rule.id)
    if trouble is not None:
        flash(trouble, "warning")
    flash(f"{plan.rule.id} is written; the proxies follow within two seconds.", "done")
    return redirect(url_for("exceptions.show"), 303)


@blueprint.post("/exceptions/requests/<identifier>/refuse")
@requires(Right.EXCEPTION_GRANT)
def refuse(identifier: str) -> Response | tuple[str, int]:
    """Say no."""
    refresh()
    asked, reason = _asked(identifier), _line(request.form.get("reason", ""))
    if asked.answer is not None:
        return _request_page(asked, asked.form(), _answered(asked)), 422
    if not reason:
        return _request_page(asked, asked.form(), "say why: who asked reads it"), 422
    _answer(asked, REFUSED, reason)
    flash("Refused; who asked sees it here.", "done")
    return redirect(url_for("exceptions.show"), 303)


def _asked(identifier: str) -> Request:
    found = request_of(identifier)
    if found is None:
        abort(404, f"Nobody asked for anything in a record {identifier[:64]!r}.")
    return found


def _wanted(asked: Request, form: Form) -> Wish:
    """What is granted: in the name of who asked, approved by who is asking now. Raises NotPossible."""
    who = _account()
    if asked.answer is not None:
        raise NotPossible(_answered(asked))
    if is_own(asked):
        raise NotPossible("you asked for it yourself: another admin has to grant it")
    found = exempting.wish(form, record_of(asked.record), who, now(), display().typed)
    return replace(found, author=asked.by, approved_by=who.name)


def _answered(asked: Request) -> str:
    assert asked.answer is not None, "whoever asks has looked"
    return f"{asked.answer.by} has {GRANTED if asked.answer.granted else REFUSED} it already"


def _answer(asked: Request, answer: str, reason: str, exception: str | None = None) -> None:
    try:
        details = {"request": asked.id, "answer": answer, "exception": exception}
        desk().record(ANSWERED, target=asked.by, reason=reason or None, details=details)
    except OSError as failure:
        if answer == REFUSED:
            raise
        flash(f"The answer could not be recorded: {failure.strerror or failure}.", "warning")


def _request_page(asked: Request, form: Form, problem: str | None = None, **given: Any) -> str:
    record = record_of(asked.record)
    known: dict[str, Any] = {"plan": None, "fields": [], **given}
    return render_template(
        "request.html",
        record=record,
        form=form,
        problem=problem,
        wishes=exempting.wishes(record, everyone=True),
        **shown(asked),
        **known,
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _account() -> Account:
    who = account()
    assert who is not None, "the guard lets nobody else in"
    return who
