"""What stands before every view: who is asking, may he, and did he mean to.

Each view names its right (`rights.requires`); one that names none is refused to everybody. Whatever may change
something needs a token of the session's own pages, and must not come from another site's page.
"""

import re
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError, generate_csrf
from markupsafe import Markup
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, Forbidden, Unauthorized
from werkzeug.wrappers import Response

from embargo.console.access import proxy
from embargo.console.access.accounts import Account
from embargo.console.access.desk import desk
from embargo.console.access.rights import Right, right_of
from embargo.console.access.tokens import PREFIX
from embargo.console.context import account, may

SESSION_ID = "sid"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^][:@]+)(?::[0-9]*)?")  # RFC 9110, 7.2
_OURS = frozenset({"same-origin", "none"})  # of Sec-Fetch-Site: this origin's pages, or typed by the user


def install(app: Flask) -> None:
    """Set the guard before every view of *app*, and give templates `csrf()`, `may()` and `account`."""
    protection = CSRFProtect()
    protection.init_app(app)
    app.extensions["csrf-protection"] = protection
    app.before_request(_guard)
    app.add_template_filter(_instant, "instant")
    app.context_processor(lambda: {"csrf": csrf, "may": may, "account": account})


def csrf() -> Markup:
    """The hidden field that every form carries: `{{ csrf() }}`."""
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def local_path(target: str | None) -> str | None:
    """*target* where it is a path on this very site, to go to after log-in; else None.

    `//elsewhere`, `/\\elsewhere` and what a browser makes of tabs and line feeds lead to other sites.
    """
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\"):
        return None
    if "\\" in target or any(ord(letter) <= 32 or ord(letter) == 127 for letter in target):
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target


def _guard() -> Response | None:
    _host_is_ours()
    g.account = None
    if proxy.by_detour():
        raise Forbidden("nobody comes to this console through the proxy that it watches: go past it")
    if proxy.passed_by():
        raise Forbidden("come by the proxy that stands before this console: this way is not encrypted")
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return None  # 404 or 405, which tell nothing
    right = right_of(view)
    if right is None:
        raise Forbidden("this page does not say who may see it, so nobody may")
    if right is Right.ANYONE and request.endpoint == "static":
        return None
    by_token = _identify()
    if request.method not in _SAFE and not by_token:
        _meant()
    if right is Right.ANYONE:
        return None
    if g.account is None:
        if request.method in _SAFE and not wants_json():
            back = request.full_path if request.query_string else request.path
            return redirect(f"{url_for('access.log_in')}?next={quote(back, safe='')}", 303)
        raise Unauthorized("log in first")
    if right not in g.account.rights:
        raise Forbidden(f"this needs the right {right.value!r}, which {g.account.role.value} does not have here")
    return None


def wants_json() -> bool:
    """Whether a machine is asking."""
    return request.path.startswith("/api/")


def _host_is_ours() -> None:
    named = _HOST.fullmatch(request.environ.get("HTTP_HOST", ""))
    if named is None or named[1].lower().rstrip(".") not in desk().hosts:
        raise BadRequest("this console does not go by that name: add it with --host-name")


def _identify() -> bool:
    """Find out who asks; whether by a token, which no other site's page can make a browser send."""
    # a reverse proxy may ask for a password of its own, and pass it on: for pages that is nothing to us
    if "Authorization" in request.headers and (wants_json() or request.headers["Authorization"].startswith("Bearer ")):
        g.account = _bearer(request.headers["Authorization"])
        return True
    vouched = proxy.vouched()
    key = session.get(SESSION_ID)
    found = desk().sessions.find(key, desk().now()) if isinstance(key, str) else None
    if found is not None and proxy.contradicts(found.account, vouched):
        desk().sessions.end(str(key))
        found = None
    if found is not None:
        g.account, g.session = found.account, found
    elif vouched is not None:
        account = proxy.account(vouched)
        if account is not None:
            sign_in(account, "proxy")
    return False


def still_signed_in() -> bool:
    """Whether who is asking could ask again now: for answers that go on, such as a live view."""
    who: Account | None = g.get("account")
    if who is None:
        return False
    if who.scopes is not None:
        text = request.headers.get("Authorization", "").partition(" ")[2]
        return desk().tokens.find(text.strip(), desk().now()) == who
    key = session.get(SESSION_ID)
    found = desk().sessions.find(key, desk().now(), seen=False) if isinstance(key, str) else None
    return found is not None and found.account.id == who.id and found.account.role is who.role


def _bearer(header: str) -> Account:
    scheme, _, text = header.partition(" ")
    if scheme.lower() == "bearer" and text.startswith(PREFIX):
        found = desk().tokens.find(text.strip(), desk().now())
        if found is not None:
            return found
    raise Unauthorized("the token is unknown, over, or revoked", www_authenticate=WWWAuthenticate("bearer"))


def sign_in(account: Account, way: str) -> None:
    """Begin a session of *account* in this browser, under a new id, and record it."""
    desk().record("log-in", account=account.name, details={"way": way, "role": account.role.value})
    if isinstance(old := session.get(SESSION_ID), str):
        desk().sessions.end(old)
    session.clear()  # with what an attacker may have planted: the id, the token
    key = desk().sessions.begin(
        account,
        address=request.remote_addr or "",
        agent=request.headers.get("User-Agent", ""),
        now=desk().now(),
    )
    session[SESSION_ID] = key
    g.account, g.session = account, desk().sessions.find(key, desk().now())


def _meant() -> None:
    """Raises Forbidden where a changing request comes from another site's page, or without our page's token."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if (site is not None and site not in _OURS) or (origin is not None and origin != _origin()):
        raise Forbidden("this came from another site's page")
    try:
        current_app.extensions["csrf-protection"].protect()
    except CSRFError as refused:
        raise Forbidden("the form is out of date or not ours: load the page anew and send it again") from refused


def _origin() -> str:
    scheme = "https" if desk().settings.access.secure else "http"
    return f"{scheme}://{request.host}"
