"""Exceptions by the API: listed, granted, ended; by the same calls as `embargo except`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import jsonify
from werkzeug.exceptions import Conflict, NotFound, UnprocessableEntity
from werkzeug.wrappers import Response

from embargo.console.access.accounts import Account
from embargo.console.access.rights import Right, requires
from embargo.console.api.blueprint import blueprint, body, known
from embargo.console.context import account, now, policy, settings
from embargo.console.exempting_form import NotPossible, carry_out, planned, refusal
from embargo.core.address import Network
from embargo.core.rules import Action, Basis
from embargo.journal.audit import login_user
from embargo.policy import domains, instants
from embargo.policy.layers import exceptions_file
from embargo.policy.problem import Mistake, PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.exception_document import plan_document, standing_document
from embargo.review.exceptions import UnknownException, standings
from embargo.review.exempting import NotGranted, Plan, Wish, end, make

LONGEST_TEXT = 500  # characters of a reason, a name, a ticket
MOST_NAMES = 50  # apps, clients, users, groups of one exception
_PATIENCE = 5.0  # seconds for whoever else is changing the file


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable() and value.strip() != ""


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST_NAMES and all(map(_is_text, value))


_WISH = {
    "what": _is_texts,
    "clients": _is_texts,
    "users": _is_texts,
    "groups": _is_texts,
    "everyone": lambda value: isinstance(value, bool),
    "for": _is_text,
    "until": _is_text,
    "reason": _is_text,
    "approved_by": _is_text,
    "ticket": _is_text,
    "basis": lambda value: value in tuple(Basis),
    "action": lambda value: value in (Action.LOG.value, Action.ALLOW.value),
    "dry_run": lambda value: isinstance(value, bool),
}


@blueprint.get("/exceptions")
@requires(Right.EXCEPTIONS)
def exceptions() -> Response:
    """Every exception of the policy, with what it is now."""
    known()
    return jsonify({"items": [standing_document(each) for each in standings(policy(), now())]})


@blueprint.post("/exceptions")
@requires(Right.EXCEPTION_GRANT)
def grant() -> tuple[Response, int]:
    """Grant one; with `dry_run` only say what it would open."""
    known()
    given = body(_WISH)
    moment = now()
    who = _who()
    try:
        with planned(settings(), _wish(given, who, moment), moment) as (file, plan):
            refused = refusal(plan)
            dry = bool(given.get("dry_run"))
            trouble = None
            if refused is None and not dry:
                trouble = carry_out(file, plan, settings(), who)
            written = refused is None and not dry
            document = {**plan_document(plan, str(file.path), written=written, refused=refused), "trouble": trouble}
    except NotPossible as impossible:
        raise UnprocessableEntity(str(impossible)) from impossible
    return jsonify(document), 201 if written else 200 if refused is None else 409


@blueprint.post("/exceptions/<identifier>/end")
@requires(Right.EXCEPTION_GRANT)
def end_exception(identifier: str) -> Response:
    """End one now."""
    known()
    given = body({"reason": _is_text})
    who = _who()
    with _ending(identifier, who) as (file, plan):
        trouble = make(
            file, plan, settings().log, author=who.name, login=login_user(), now=now, reason=given.get("reason")
        )
        document = {**plan_document(plan, str(file.path), written=True), "trouble": trouble}
    return jsonify(document)


@contextmanager
def _ending(identifier: str, who: Account) -> Iterator[tuple[LockedFile, Plan]]:
    paths = settings().policy
    holder = f"{who.name} (console, process {os.getpid()}, since {now():%H:%M:%S} UTC)"
    if not any(each.rule.id == identifier for each in standings(policy(), now())):
        raise NotFound("there is no exception of that id")
    try:
        with locked(exceptions_file(paths), holder, like=paths[-1], patience=_PATIENCE) as file:
            yield file, end(paths, file.read(), identifier, now())
    except UnknownException as unknown:
        raise NotFound(str(unknown)) from unknown
    except NotGranted as over:
        raise Conflict(str(over)) from over
    except PolicyError as refused:
        raise UnprocessableEntity(f"the policy does not load: {refused.problems[0]}") from refused
    except (Mistake, NotWritten) as refused:
        raise UnprocessableEntity(str(refused)) from refused


def _wish(given: dict[str, Any], who: Account, moment: datetime) -> Wish:
    for required in ("what", "reason"):
        if required not in given:
            raise UnprocessableEntity(f"{required} is missing")
    if ("for" in given) == ("until" in given):
        raise UnprocessableEntity("say how long it holds: either for or until")
    named = any(name in given for name in ("clients", "users", "groups"))
    clients = tuple(_network(text) for text in given.get("clients", ()))
    if bool(given.get("everyone")) == named:
        raise UnprocessableEntity("say for whom: clients, users, groups; or everyone, and none of them")
    if any(network.prefixlen == 0 for network in clients):
        raise UnprocessableEntity("a network of everybody: say everyone if you mean all")
    return Wish(
        names=tuple(given["what"]),
        since=moment.replace(microsecond=0),
        until=_until(given, moment),
        reason=given["reason"],
        author=who.name,
        action=Action(given.get("action", Action.LOG.value)),
        clients=clients,
        users=tuple(given.get("users", ())),
        groups=tuple(given.get("groups", ())),
        approved_by=given.get("approved_by"),
        ticket=given.get("ticket"),
        basis=Basis(given["basis"]) if "basis" in given else None,
    )


def _until(given: dict[str, Any], moment: datetime) -> datetime:
    try:
        if "until" in given:
            return instants.moment(given["until"]).astimezone(UTC)
        return moment.replace(microsecond=0) + timedelta(seconds=instants.duration(given["for"]))
    except (Mistake, OverflowError, ValueError) as wrong:
        raise UnprocessableEntity(f"its end is not understood: {wrong}") from wrong


def _network(text: str) -> Network:
    try:
        return domains.network(text)
    except Mistake as mistake:
        raise UnprocessableEntity(str(mistake)) from mistake


def _who() -> Account:
    who = account()
    assert who is not None, "the guard has seen to it"
    return who
