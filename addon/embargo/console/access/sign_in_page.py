"""Signing in and out: password, second factor, one-time link."""

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from embargo.console.access import passwords, second_factor
from embargo.console.access.accounts import Account, Refused, Source, checked
from embargo.console.access.desk import desk
from embargo.console.access.guard import SESSION_ID, local_path, sign_in
from embargo.console.access.links import Link
from embargo.console.access.rights import Right, Role, requires
from embargo.console.context import account
from embargo.journal.event import Outcome

blueprint = Blueprint("access", __name__)

_HALF = "half"  # of the signed cookie: whose password was right, until when a code is waited for
_PATIENCE = 300.0  # seconds
_WRONG = "The name or the password is wrong, or the account may not sign in."


@blueprint.get("/log-in")
@requires(Right.ANYONE)
def log_in() -> Response | str:
    """The form."""
    if account() is not None:
        return redirect(_target(request.args.get("next")))
    return _form()


@blueprint.post("/log-in")
@requires(Right.ANYONE)
def log_in_with_password() -> Response | tuple[str, int]:
    """Take name and password."""
    name = request.form.get("name", "")[:256]
    address = request.remote_addr or ""
    _not_too_often(name, address)
    found = desk().accounts.named(name)
    local = found if found is not None and found.source is Source.LOCAL else None
    if not passwords.is_right(desk().database, local, request.form.get("password", "")):
        # an unknown name is not recorded: people type their password there
        known = found.name if found is not None else None
        desk().record("log-in", outcome=Outcome.FAILURE, account=known, details={"way": "password"})
        return _form(_WRONG), 401
    assert local is not None, "nobody has no password"
    desk().throttle.succeeded(name, address)
    if local.totp:
        session.clear()
        session[_HALF] = [local.id, desk().now() + _PATIENCE]
        return redirect(url_for("access.code", next=local_path(request.form.get("next"))), 303)
    sign_in(local, "password")
    return redirect(_target(request.form.get("next")), 303)


@blueprint.get("/log-in/code")
@requires(Right.ANYONE)
def code() -> Response | str:
    """The form for the second factor."""
    if _half() is None:
        return redirect(url_for("access.log_in"), 303)
    return render_template("code.html", next=local_path(request.args.get("next")), error=None)


@blueprint.post("/log-in/code")
@requires(Right.ANYONE)
def log_in_with_code() -> Response | tuple[str, int]:
    """Take a code."""
    half = _half()
    if half is None:
        return redirect(url_for("access.log_in"), 303)
    address = request.remote_addr or ""
    name = f"code of {half.name}"  # counted apart: a right password must not clear it
    _not_too_often(name, address)
    way = second_factor.use(desk().database, half, request.form.get("code", ""), desk().now())
    if way is None:
        desk().record("log-in", outcome=Outcome.FAILURE, account=half.name, details={"way": "code"})
        error = "The code is wrong, or was used before. Each is taken once."
        return render_template("code.html", next=local_path(request.form.get("next")), error=error), 401
    desk().throttle.succeeded(name, address)
    sign_in(half, f"password and {way}")
    if way == "recovery":
        flash(f"{second_factor.left(desk().database, half)} recovery codes are left.", "warning")
    return redirect(_target(request.form.get("next")), 303)


@blueprint.post("/log-out")
@requires(Right.OWN)
def log_out() -> Response:
    """End this session."""
    desk().record("log-out")
    if isinstance(key := session.get(SESSION_ID), str):
        desk().sessions.end(key)
    session.clear()
    return redirect(url_for("access.log_in"), 303)


@blueprint.get("/link/<text>")
@requires(Right.ANYONE)
def link(text: str) -> str:
    """What a one-time link leads to: a form. Looking at it uses nothing up."""
    return _link_form(text, _link(text))


@blueprint.post("/link/<text>")
@requires(Right.ANYONE)
def follow_link(text: str) -> Response | tuple[str, int]:
    """Choose a password, and be the first admin where it is the first link."""
    found = _link(text)
    name = found.account.name if found.account is not None else request.form.get("name", "")
    password = request.form.get("password", "")
    try:
        if password != request.form.get("again", ""):
            raise Refused("the two passwords differ")
        password = passwords.checked(password, name, desk().settings.access.password_length)
        if found.account is None and desk().accounts.named(checked(name)) is not None:
            raise Refused(f"there is an account {name!r} already")
        if desk().links.spend(text, desk().now()) is None:
            raise NotFound
        if found.account is None:
            desk().record("account-added", account=name, target=name, reason="the first, by its one-time link")
            owner = desk().accounts.add(name, Role.ADMIN, Source.LOCAL, desk().now())
        else:
            owner = found.account
            desk().record("account-changed", account=name, target=name, reason="password set by a one-time link")
    except Refused as refused:
        return _link_form(text, found, str(refused)), 422
    passwords.set_password(desk().database, owner, password)
    desk().sessions.end_all(owner)
    if owner.totp:
        session.clear()
        session[_HALF] = [owner.id, desk().now() + _PATIENCE]
        return redirect(url_for("access.code"), 303)
    sign_in(owner, "link")
    return redirect(_target(None), 303)


@blueprint.get("/alive")
@requires(Right.ANYONE)
def alive() -> Response:
    """Whether the process answers: for a balancer or a service manager."""
    return Response("alive\n", content_type="text/plain; charset=utf-8")


def _form(error: str | None = None) -> str:
    given = request.form if request.method == "POST" else request.args
    provider = desk().settings.access.oidc
    return render_template(
        "log_in.html",
        error=error,
        next=local_path(given.get("next")),
        provider=None if provider is None else urlsplit(provider.issuer).hostname,
    )


def _link_form(text: str, found: Link, error: str | None = None) -> str:
    return render_template(
        "link.html",
        text=text,
        owner=found.account,
        name=request.form.get("name", ""),
        error=error,
        least=desk().settings.access.password_length,
    )


def _link(text: str) -> Link:
    found = desk().links.find(text, desk().now())
    if found is None:
        raise NotFound("the link is unknown, over, or was used: `embargo user link` makes another")
    return found


def _half() -> Account | None:
    match session.get(_HALF):
        case [str(identifier), float() | int() as until] if desk().now() < until:
            found = desk().accounts.of(identifier)
            return found if found is not None and not found.disabled and found.totp else None
    return None


def _not_too_often(name: str, address: str) -> None:
    wait = desk().throttle.admit(name, address, desk().now())
    if wait > 0:
        raise TooManyRequests(
            f"too many failed log-ins: try again in {-(-wait // 60):.0f} min", retry_after=int(wait) + 1
        )


def _target(asked: str | None) -> str:
    return local_path(asked) or "/"
