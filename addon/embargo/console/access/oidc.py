"""Sign-in by an OpenID Connect provider: authorization code flow with PKCE, by Authlib.

The provider is asked for its metadata at the first log-in, so that a console starts while it is down. Who comes from
it gets the role of his groups, anew at each log-in; who is in no group that has a role is not let in.
"""

from typing import Any

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, current_app, redirect, request, session, url_for
from joserfc.errors import JoseError
from requests.exceptions import RequestException
from werkzeug.exceptions import BadGateway, Forbidden, NotFound
from werkzeug.wrappers import Response

from embargo.console.access.accounts import Account, Refused, Source
from embargo.console.access.desk import desk
from embargo.console.access.guard import local_path, sign_in
from embargo.console.access.proxy import role_of
from embargo.console.access.rights import Right, requires
from embargo.console.access.sign_in_page import blueprint
from embargo.console.settings import OpenIdConnect

_KEY = "embargo-oidc"
_NEXT = "oidc-next"  # of the signed cookie: where to go afterwards
_TIMEOUT = 10  # seconds for an answer of the provider
_WELL_KNOWN = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, 4
_MOST_GROUPS = 1_000


class NotVouched(ValueError):
    """What the provider says of a user is not enough: says why."""


def install(app: Flask, settings: OpenIdConnect | None) -> None:
    """Make *app* a client of the provider, where there is one."""
    if settings is None:
        return
    client = {
        "scope": " ".join(settings.scopes),
        "code_challenge_method": "S256",
        "default_timeout": _TIMEOUT,
        "verify": str(settings.ca) if settings.ca is not None else True,
    }
    if settings.client_secret is None:
        client["token_endpoint_auth_method"] = "none"
    app.extensions[_KEY] = OAuth(app).register(
        "provider",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        server_metadata_url=settings.issuer.rstrip("/") + _WELL_KNOWN,
        client_kwargs=client,
    )


@blueprint.get("/log-in/oidc")
@requires(Right.ANYONE)
def oidc_start() -> Response:
    """Send the browser to the provider. It changes nothing but what this browser's own cookie holds."""
    client, settings = _client()
    for key in [key for key in session if str(key).startswith("_state_")]:
        session.pop(key)  # of an earlier try: the cookie must not grow
    session[_NEXT] = local_path(request.args.get("next"))
    try:
        if client.load_server_metadata().get("issuer") != settings.issuer:
            raise NotVouched(f"the provider calls itself {client.server_metadata.get('issuer')!r}")
        answer: Response = client.authorize_redirect(url_for("access.oidc_done", _external=True))
    except (RequestException, OAuthError, RuntimeError, ValueError) as failure:
        raise _unreachable(failure) from failure
    return answer


@blueprint.get("/log-in/oidc/done")
@requires(Right.ANYONE)
def oidc_done() -> Response:
    """Where the provider sends the browser back to, with a code."""
    client, settings = _client()
    onward = local_path(session.pop(_NEXT, None))
    try:
        found = _account(client, settings)
    except (OAuthError, JoseError, NotVouched, Refused) as refused:
        desk().record_failure("oidc", reason=_told(refused))
        raise Forbidden(f"the log-in did not succeed: {_told(refused)}") from refused
    except (RequestException, RuntimeError, ValueError, KeyError, TypeError) as failure:
        raise _unreachable(failure) from failure
    sign_in(found, "oidc")
    return redirect(onward or "/", 303)


def _account(client: Any, settings: OpenIdConnect) -> Account:
    """Who the code in the request is for. Raises whatever shows that it is nobody's."""
    token = client.authorize_access_token()
    claims = dict(token.get("userinfo") or {})  # of the ID token, its signature, issuer, audience, nonce checked
    if not isinstance(subject := claims.get("sub"), str) or not subject:
        raise NotVouched("the provider sent no ID token")
    if settings.groups_claim not in claims or _name(claims, settings) == subject:
        more = dict(client.userinfo(token=token)) if "userinfo_endpoint" in client.server_metadata else {}
        if more.get("sub") == subject:  # OpenID Connect Core 1.0, 5.3.2
            claims = more | claims
    role = role_of(_groups(claims.get(settings.groups_claim)))
    name = _name(claims, settings)
    if role is None:
        raise NotVouched(f"no group of {name!r} has a role here")
    found = desk().accounts.vouched(Source.OIDC, f"{settings.issuer} {subject}", name, role, desk().now())
    if found.disabled:
        raise Refused(f"the account {name!r} is disabled")
    return found


def _name(claims: dict[str, Any], settings: OpenIdConnect) -> str:
    for claim in (settings.user_claim, "email"):
        value = claims.get(claim)
        if isinstance(value, str) and value and (claim != "email" or claims.get("email_verified") is True):
            return value
    return str(claims["sub"])


def _groups(claim: Any) -> list[str]:
    given = [claim] if isinstance(claim, str) else claim
    return [group for group in given[:_MOST_GROUPS] if isinstance(group, str)] if isinstance(given, list) else []


def _client() -> tuple[Any, OpenIdConnect]:
    settings = desk().settings.access.oidc
    if settings is None:
        raise NotFound
    return current_app.extensions[_KEY], settings


def _told(refused: Exception) -> str:
    """*refused* in words; a provider's own are cut short and made printable."""
    return "".join(letter if letter.isprintable() else " " for letter in str(refused))[:300]


def _unreachable(failure: Exception) -> BadGateway:
    current_app.logger.warning("OpenID Connect: %s", _told(failure))
    return BadGateway("the provider cannot be asked now: the console's own log says why")
