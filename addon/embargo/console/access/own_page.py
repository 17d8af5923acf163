"""One's own account: password, second factor, sessions, API tokens."""

import math
from dataclasses import replace

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from werkzeug.exceptions import BadRequest, Forbidden, NotFound, ServiceUnavailable
from werkzeug.wrappers import Response

from embargo.console.access import passwords, second_factor
from embargo.console.access.accounts import Account, Refused, Source
from embargo.console.access.desk import desk
from embargo.console.access.guard import SESSION_ID
from embargo.console.access.rights import Right, requires
from embargo.console.access.tokens import LONGEST, grantable

blueprint = Blueprint("own", __name__, url_prefix="/account")

_PENDING = "pending-key"  # of the signed cookie: a key that no code has confirmed yet


@blueprint.get("/")
@requires(Right.OWN)
def page() -> str:
    """The page."""
    return _page()


@blueprint.post("/password")
@requires(Right.OWN)
def password() -> Response | tuple[str, int]:
    """Change the password; every other session ends."""
    account = _local()
    new = request.form.get("new", "")
    try:
        _prove(account, request.form.get("password", ""))
        if new != request.form.get("again", ""):
            raise Refused("the two new passwords differ")
        new = passwords.checked(new, account.name, desk().settings.access.password_length)
    except Refused as refused:
        return _page(error=str(refused)), 422
    desk().record("account-changed", target=account.name, details={"change": "password"})
    passwords.set_password(desk().database, account, new)
    desk().sessions.end_all(account, but=session.get(SESSION_ID))
    flash("The password is changed, and every other session has ended.", "success")
    return redirect(url_for("own.page"), 303)


@blueprint.post("/second-factor/key")
@requires(Right.OWN)
def make_key() -> Response:
    """Make a key, which takes effect once a code of it has been given."""
    _local()
    session[_PENDING] = second_factor.new_key()
    return redirect(url_for("own.confirm"), 303)


@blueprint.get("/second-factor")
@requires(Right.OWN)
def confirm() -> str | Response:
    """Show the new key, and ask for a code."""
    if not isinstance(session.get(_PENDING), str):
        return redirect(url_for("own.page"), 303)
    return _key_form()


@blueprint.post("/second-factor")
@requires(Right.OWN)
def set_up() -> str | tuple[str, int] | Response:
    """Take a code of the new key, and show the recovery codes, once."""
    account = _local()
    key = session.get(_PENDING)
    if not isinstance(key, str):
        return redirect(url_for("own.page"), 303)
    try:
        _prove(account, request.form.get("password", ""))
        step = second_factor.step_of(key, request.form.get("code", ""), desk().now())
        if step is None:
            raise Refused("the code is wrong: is the clock of your device right?")
    except Refused as refused:
        return _key_form(str(refused)), 422
    desk().record("account-changed", target=account.name, details={"change": "second factor set up"})
    codes = second_factor.set_up(desk().database, account, key, step)
    session.pop(_PENDING)
    desk().sessions.end_all(account, but=session.get(SESSION_ID))
    return render_template("recovery.html", codes=codes)


@blueprint.post("/second-factor/remove")
@requires(Right.OWN)
def remove_second_factor() -> Response | tuple[str, int]:
    """Ask for no codes any more."""
    account = _local()
    try:
        _prove(account, request.form.get("password", ""))
    except Refused as refused:
        return _page(error=str(refused)), 422
    desk().record("account-changed", target=account.name, details={"change": "second factor removed"})
    second_factor.remove(desk().database, account)
    flash("The second factor is removed.", "success")
    return redirect(url_for("own.page"), 303)


@blueprint.post("/sessions/<public>/end")
@requires(Right.OWN)
def end_session(public: str) -> Response:
    """End one of one's own sessions."""
    account: Account = g.account
    desk().record("session-ended", target=account.name, details={"session": public})
    if not desk().sessions.end_named(public, account):
        raise NotFound
    return redirect(url_for("own.page"), 303)


@blueprint.post("/tokens")
@requires(Right.OWN)
def add_token() -> tuple[str, int]:
    """Make an API token, and show it, once."""
    account: Account = g.account
    name = request.form.get("name", "").strip()
    try:
        scopes = frozenset(map(Right, request.form.getlist("scope")))
        days = int(request.form.get("days", ""))
    except ValueError as wrong:
        raise BadRequest("a right or the number of days is not understood") from wrong
    try:
        text = desk().tokens.add(account, name, scopes, now=desk().now(), days=days)
    except ValueError as refused:
        return _page(error=str(refused)), 422
    made = desk().tokens.made(text)
    try:
        desk().record("token-added", details={"token": made.id, "name": name, "scopes": _words(scopes), "days": days})
    except ServiceUnavailable:
        desk().tokens.revoke(made.id, account)
        raise
    return render_template("token.html", text=text, name=name, days=days), 201


@blueprint.post("/tokens/<identifier>/revoke")
@requires(Right.OWN)
def revoke_token(identifier: str) -> Response:
    """Take one of one's own API tokens away."""
    gone = desk().tokens.revoke(identifier, g.account)
    if gone is None:
        raise NotFound
    desk().record("token-revoked", details={"token": gone.id, "name": gone.name})
    return redirect(url_for("own.page"), 303)


def _page(error: str | None = None) -> str:
    account: Account = g.account
    return render_template(
        "account.html",
        error=error,
        local=account.source is Source.LOCAL,
        second_factor=account.totp,
        recovery=second_factor.left(desk().database, account) if account.totp else 0,
        least=desk().settings.access.password_length,
        sessions=desk().sessions.of(account, desk().now()),
        current=g.session.public if g.get("session") is not None else None,
        tokens=desk().tokens.of(account, desk().now()),
        scopes=sorted(grantable(account)),
        longest=LONGEST,
    )


def _key_form(error: str | None = None) -> str:
    key = str(session[_PENDING])
    account: Account = g.account
    return render_template("second_factor.html", error=error, key=key, picture=second_factor.picture(key, account))


def _local() -> Account:
    account: Account = g.account
    if account.source is not Source.LOCAL or account.scopes is not None:
        raise Forbidden("this account's password and second factor are not kept here")
    return account


def _prove(account: Account, password: str) -> None:
    """Raises Refused where *password* is not that of *account*: who finds a screen unlocked must not own it."""
    address = request.remote_addr or ""
    wait = desk().throttle.admit(account.name, address, desk().now())
    if wait > 0:
        raise Refused(f"too many wrong passwords: try again in {math.ceil(wait / 60)} min")
    if not passwords.is_right(desk().database, replace(account, scopes=None), password):
        raise Refused("the present password is wrong")
    desk().throttle.succeeded(account.name, address)


def _words(scopes: frozenset[Right]) -> tuple[str, ...]:
    return tuple(sorted(right.value for right in scopes))
