"""A real OpenID Connect provider for tests: django-oauth-toolkit on loopback, which shares no code with our client.

Its users log in by Django's own form; the groups that it tells are those of Django.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cheroot import wsgi
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ports import free_port

CLIENT, SECRET = "embargo", "a secret between the two"
USERS = {"ann": ("embargo-audit",), "bob": ("staff",), "root": ("embargo-admin",)}  # by name: groups
PASSWORD = "provider's own"
_APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider")
_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


class Provider:
    """One that runs; what it tells of users can be changed while it does."""

    issuer: str
    redirect: str
    groups: dict[str, tuple[str, ...]]
    names: dict[str, str]  # preferred_username, where it is not the user's name


CURRENT = Provider()


def log_in(request: Any) -> Any:
    """Django's log-in page, as short as it can be."""
    from django.contrib.auth import authenticate, login
    from django.http import HttpResponse, HttpResponseRedirect

    if request.method == "GET":
        return HttpResponse("who are you?")
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    login(request, user)
    return HttpResponseRedirect(request.GET["next"])


def _configure(directory: Path, issuer: str) -> None:
    import django
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY="of the provider",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="console.access.provider_urls",
        INSTALLED_APPS=_APPS,
        MIDDLEWARE=_MIDDLEWARE,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": directory / "provider.sqlite"}},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGIN_URL="/log-in",
        SESSION_COOKIE_NAME="provider",
        USE_TZ=True,
        MIGRATION_MODULES={app.rpartition(".")[2]: None for app in _APPS},  # its tables as they are today, at once
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        LOGGING_CONFIG=None,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": key.decode(),
            "OIDC_ISS_ENDPOINT": issuer,
            "PKCE_REQUIRED": True,
            "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
            "OAUTH2_VALIDATOR_CLASS": "console.access.provider_claims.Validator",
            "SCOPES": {name: name for name in ("openid", "profile", "email", "groups")},
        },
    )
    django.setup()


def _fill(redirect: str) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", run_syncdb=True, verbosity=0)
    for name in USERS:
        User.objects.create_user(name, password=PASSWORD)
    Application.objects.create(
        name="embargo",
        client_id=CLIENT,
        client_secret=SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=redirect,
        skip_authorization=True,
        algorithm="RS256",
    )


@contextmanager
def provider(directory: Path, redirect: str) -> Iterator[Provider]:
    """A provider, for as long as the `with` lasts; once a process, since Django is configured once."""
    port = free_port()
    CURRENT.issuer = f"http://127.0.0.1:{port}/o"
    CURRENT.redirect = redirect
    CURRENT.groups = dict(USERS)
    CURRENT.names = {}
    _configure(directory, CURRENT.issuer)
    _fill(redirect)
    from django.core.wsgi import get_wsgi_application

    server = wsgi.Server(("127.0.0.1", port), get_wsgi_application(), numthreads=2)
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield CURRENT
    finally:
        server.stop()
        thread.join(10)
