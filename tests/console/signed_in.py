"""A console for tests, and browsers that are signed in to it: each in a role, none by way of the log-in form.

app = a_console(tmp_path)
auditor = signed_in(app, Role.AUDITOR)
auditor.get("/log")
auditor.post("/reviews", data={"csrf_token": auditor.csrf, …})
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from jinja2.bccache import Bucket, BytecodeCache

from embargo.console.access.accounts import Account, Source
from embargo.console.access.desk import KEY, Desk
from embargo.console.access.guard import SESSION_ID
from embargo.console.access.rights import Role
from embargo.console.app import create_app
from embargo.console.settings import AccessSettings, ConsoleSettings

POLICY = """\
version: 1
apps:
  alipay: {name: Alipay, endpoints: [alipay.com]}
  wechat: {name: WeChat, endpoints: [weixin.qq.com]}
rules:
  - {id: banned-apps, apps: all, action: block}
"""
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class _Compiled(BytecodeCache):
    """Templates that another console of this process compiled already: a third of what a page costs."""

    held: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (found := self.held.get(bucket.key)) is not None:
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.held[bucket.key] = bucket.bytecode_to_string()


class Browser(FlaskClient):
    """A browser; `csrf` is the token that its forms carry."""

    csrf: str = ""
    account: Account | None = None


def a_console(
    directory: Path,
    *,
    policy: tuple[Path, ...] = (),
    log: Path | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    **access: Any,  # of AccessSettings
) -> Flask:
    """A console whose log and state lie below *directory*; a small policy where none is given.

    The shipped one takes a second to load: give it where a test is about it.
    """
    if not policy:
        policy = (directory / "policy.yaml",)
        policy[0].write_text(POLICY)
    settings = ConsoleSettings(
        log=log or directory / "log",
        state=directory / "state",
        runtime=directory / "run",
        policy=policy,
        now=now,
        access=AccessSettings(**access),
    )
    settings.log.mkdir(parents=True, exist_ok=True)
    app = create_app(settings)
    app.testing = False  # faults are answered as in production
    app.test_client_class = Browser
    app.jinja_env.bytecode_cache = _Compiled()
    return app


def signed_in(app: Flask, role: Role, name: str | None = None) -> Browser:
    """A browser with a session of a local account in *role*, made where it is not there; *name* is the role's."""
    desk: Desk = app.extensions[KEY]
    name = name or role.value
    account = desk.accounts.named(name) or desk.accounts.add(name, role, Source.LOCAL, desk.now())
    key = desk.sessions.begin(account, address="127.0.0.1", agent="tests", now=desk.now())
    browser = anybody(app)
    with browser.session_transaction() as session:
        session[SESSION_ID] = key
    browser.account = account
    return browser


def anybody(app: Flask) -> Browser:
    """A browser that nobody has signed in with; its forms' token is right all the same."""
    browser = app.test_client()
    assert isinstance(browser, Browser)
    with browser.session_transaction() as session:
        session["csrf_token"] = "0" * 40
    browser.csrf = str(URLSafeTimedSerializer(app.secret_key or "", salt="wtf-csrf-token").dumps("0" * 40))
    return browser
