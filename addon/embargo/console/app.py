"""The console as a WSGI application: the one place that wires its parts together."""

import logging
import traceback
from collections.abc import Callable
from typing import cast

from flask import Flask, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable
from werkzeug.wrappers import Response

from embargo.console import context, headers, pages
from embargo.console.access import desk, guard, oidc, own_page, proxy, sign_in_page, users_page
from embargo.console.access.database import Unusable
from embargo.console.access.rights import Right, requires
from embargo.console.api import blueprint as api
from embargo.console.api import catalogue, exceptions, records, state
from embargo.console.settings import ConsoleSettings
from embargo.journal.store import NoPlace, UnknownVersion
from embargo.journal.store.dialect import DamageError
from embargo.paths import runtime_directory
from embargo.policy.problem import PolicyError

_VIEWS = (catalogue, exceptions, records, state, oidc)  # imported for the routes that they add to their blueprints
_LARGEST = 8 * 1024 * 1024  # bytes of a request: an uploaded policy is the largest thing that is sent
_FIELDS = 64 * 1024  # bytes of a form's fields that are no files
_LOG = logging.getLogger("embargo.console")


def create_app(settings: ConsoleSettings) -> Flask:
    """The console that *settings* describe. Raises OSError where its database cannot be opened."""
    app = Flask("embargo.console", static_folder="static", template_folder="templates")
    access = settings.access
    app.extensions[context.KEY] = context.Console(settings)
    app.extensions[desk.KEY] = found = desk.Desk(settings)
    app.config.update(
        SECRET_KEY=found.database.secret(),
        SESSION_COOKIE_NAME="__Host-embargo" if access.secure else "embargo",
        SESSION_COOKIE_SECURE=access.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=_LARGEST,
        MAX_FORM_MEMORY_SIZE=_FIELDS,
        WTF_CSRF_CHECK_DEFAULT=False,  # `guard` asks, after it knows whether a token or a browser is speaking
        WTF_CSRF_TIME_LIMIT=None,  # it lasts as long as the session
        WTF_CSRF_SSL_STRICT=False,  # looks at the referrer, which we tell nobody; `guard` looks at the origin
        PREFERRED_URL_SCHEME="https" if access.secure else "http",
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    headers.install(app, secure=access.secure)
    guard.install(app)
    proxy.install(app, access, settings.runtime or runtime_directory())
    oidc.install(app, access.oidc)
    app.view_functions["static"] = requires(Right.ANYONE)(cast(Callable[..., Response], app.view_functions["static"]))
    for blueprint in (
        sign_in_page.blueprint,
        own_page.blueprint,
        users_page.blueprint,
        api.blueprint,
        *pages.PAGES,
    ):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(PolicyError, _no_policy)
    app.register_error_handler(context.Busy, _busy)
    app.register_error_handler(Unusable, _no_accounts)
    app.register_error_handler(NoPlace, _no_store)
    app.register_error_handler(UnknownVersion, _no_store)
    for damage in DamageError:
        app.register_error_handler(damage, _damaged)
    app.register_error_handler(OSError, _no_log)
    app.register_error_handler(Exception, _failed)
    return app


def _refused(error: HTTPException) -> Response:
    """An answer for *error* in the asker's language: a page, or `application/problem+json` (RFC 9457)."""
    if error.response is not None:
        return cast(Response, error.response)
    if guard.wants_json():
        return api.problem(error)
    response = Response(status=error.code, content_type="text/html; charset=utf-8")
    response.headers.extend(
        (name, value) for name, value in error.get_headers() if name.lower() not in ("content-type",)
    )
    try:
        response.set_data(render_template("error.html", error=error))
    except Exception:  # noqa: BLE001 - the frame around the page may be what failed; the words are enough then
        traceback.print_exc()
        response.content_type = "text/plain; charset=utf-8"
        response.set_data(f"{error.code} {error.name}\n{error.description}\n")
    return response


def _no_policy(error: PolicyError) -> Response:
    return _refused(ServiceUnavailable(f"the policy does not load: {error.problems[0] if error.problems else error}"))


def _busy(error: context.Busy) -> Response:
    refused = ServiceUnavailable(str(error), retry_after=30)
    return _refused(refused)


def _no_store(error: Exception) -> Response:
    return _refused(ServiceUnavailable(f"the store cannot be used: {error}"))


def _no_accounts(error: Unusable) -> Response:
    _LOG.error("%s", error)  # whoever is not signed in need not know where it lies
    return _refused(ServiceUnavailable("the database of accounts cannot be used: the console's own log says why"))


def _damaged(error: Exception) -> Response:
    """The store's database: broken, locked for too long, or asked for what it cannot do."""
    _LOG.error("%s %s failed", request.method, request.endpoint, exc_info=error)
    cause = getattr(error, "orig", None) or error  # without the statement, which tells a reader nothing
    return _refused(
        ServiceUnavailable(f"the store cannot be read: {cause}; `embargo store rebuild` makes it anew from the log")
    )


def _no_log(error: OSError) -> Response:
    """The disk: a log directory that is gone, full, or not ours. Told in the console's log, too."""
    _LOG.error("%s %s: %s", request.method, request.endpoint, error)
    why = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
    return _refused(ServiceUnavailable(f"the log, or what is kept beside it, cannot be read or written: {why}"))


def _failed(error: Exception) -> Response:
    """A fault of ours: told on standard error, never on the page."""
    _LOG.error("%s %s failed", request.method, request.endpoint, exc_info=error)
    return _refused(InternalServerError("the console failed at this; its own log says why"))
