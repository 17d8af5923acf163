"""Users: accounts, their roles, sessions and tokens, for an admin to manage and an auditor to read."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from embargo.console.access import second_factor
from embargo.console.access.accounts import Account, Refused, Source, checked
from embargo.console.access.desk import desk
from embargo.console.access.rights import RIGHTS, Right, Role, requires
from embargo.journal.event import Outcome

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.get("/")
@requires(Right.USERS)
def page() -> str:
    """The page."""
    return _page()


@blueprint.post("/")
@requires(Right.USERS_MANAGE)
def add() -> tuple[str, int]:
    """Add a local account, and show the link with which its owner chooses a password."""
    name, role = request.form.get("name", ""), _role()
    try:
        name = checked(name)
        if desk().accounts.named(name) is not None:
            raise Refused(f"there is an account {name!r} already")
        desk().record("account-added", target=name, details={"role": role.value, "source": Source.LOCAL.value})
        account = desk().accounts.add(name, role, Source.LOCAL, desk().now())
    except Refused as refused:
        return _page(str(refused)), 422
    return _link(account), 201


@blueprint.post("/<identifier>/role")
@requires(Right.USERS_MANAGE)
def role(identifier: str) -> Response | tuple[str, int]:
    """Give an account another role."""
    account, new = _account(identifier), _role()
    desk().record(
        "account-changed", target=account.name, details={"change": "role", "from": account.role.value, "to": new.value}
    )
    try:
        desk().accounts.set_role(account, new)
    except Refused as refused:
        return _refused("account-changed", account, refused)
    return redirect(url_for("users.page"), 303)


@blueprint.post("/<identifier>/disable")
@requires(Right.USERS_MANAGE)
def disable(identifier: str) -> Response | tuple[str, int]:
    """Shut an account out: its sessions end, its tokens are gone."""
    account = _account(identifier)
    desk().record("account-changed", target=account.name, details={"change": "disabled"})
    try:
        desk().accounts.disable(account)
    except Refused as refused:
        return _refused("account-changed", account, refused)
    return redirect(url_for("users.page"), 303)


@blueprint.post("/<identifier>/enable")
@requires(Right.USERS_MANAGE)
def enable(identifier: str) -> Response:
    """Let an account in again."""
    account = _account(identifier)
    desk().record("account-changed", target=account.name, details={"change": "enabled"})
    desk().accounts.disable(account, disabled=False)
    return redirect(url_for("users.page"), 303)


@blueprint.post("/<identifier>/link")
@requires(Right.USERS_MANAGE)
def link(identifier: str) -> tuple[str, int]:
    """Make a link with which the owner of a local account chooses a password anew."""
    account = _account(identifier)
    if account.source is not Source.LOCAL or account.disabled:
        raise BadRequest("a link is for a local account that is not disabled")
    return _link(account), 201


@blueprint.post("/<identifier>/second-factor/remove")
@requires(Right.USERS_MANAGE)
def remove_second_factor(identifier: str) -> Response:
    """Ask an account for no codes any more: its owner has lost the device."""
    account = _account(identifier)
    desk().record("account-changed", target=account.name, details={"change": "second factor removed"})
    second_factor.remove(desk().database, account)
    desk().sessions.end_all(account)
    flash(f"{account.name} is asked for no code any more.", "success")
    return redirect(url_for("users.page"), 303)


@blueprint.post("/<identifier>/sessions/end")
@requires(Right.USERS_MANAGE)
def end_sessions(identifier: str) -> Response:
    """End every session of an account."""
    account = _account(identifier)
    desk().record("session-ended", target=account.name, reason="all of them")
    desk().sessions.end_all(account)
    return redirect(url_for("users.page"), 303)


@blueprint.post("/tokens/<identifier>/revoke")
@requires(Right.USERS_MANAGE)
def revoke_token(identifier: str) -> Response:
    """Take anybody's API token away."""
    gone = desk().tokens.revoke(identifier, None)
    if gone is None:
        raise NotFound
    desk().record("token-revoked", target=gone.account, details={"token": gone.id, "name": gone.name})
    return redirect(url_for("users.page"), 303)


def _page(error: str | None = None) -> str:
    moment = desk().now()
    return render_template(
        "users.html",
        error=error,
        accounts=desk().accounts.all(),
        sessions=desk().sessions.of(None, moment),
        tokens=desk().tokens.of(None, moment),
        roles=tuple(Role),
        rights=[(right, [right in RIGHTS[each] for each in Role]) for right in Right if right is not Right.ANYONE],
    )


def _link(account: Account) -> str:
    desk().record("link-made", target=account.name)
    text = desk().links.make(account, desk().now())
    url = url_for("access.link", text=text, _external=True)
    return render_template("new_link.html", owner=account, url=url)


def _refused(action: str, account: Account, refused: Refused) -> tuple[str, int]:
    desk().record(action, outcome=Outcome.FAILURE, target=account.name, reason=str(refused))
    return _page(str(refused)), 422


def _account(identifier: str) -> Account:
    found = desk().accounts.of(identifier)
    if found is None:
        raise NotFound("there is no such account")
    return found


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError as wrong:
        raise BadRequest("that is no role") from wrong
