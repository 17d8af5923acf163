"""Sign-in by OpenID Connect, against a real provider that runs on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.access.provider import CLIENT, PASSWORD, SECRET, Provider, provider
from console.signed_in import a_console
from embargo.console.access.accounts import Source
from embargo.console.access.desk import KEY, Desk
from embargo.console.access.rights import Role
from embargo.console.settings import OpenIdConnect

BACK = "http://localhost/log-in/oidc/done"
ROLES = {"embargo-audit": Role.AUDITOR, "embargo-admin": Role.ADMIN}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with provider(tmp_path_factory.mktemp("provider"), BACK) as found:
        yield found


def console(directory: Path, issuer: str, **changes: Any) -> Flask:
    settings = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET} | changes
    return a_console(directory, oidc=OpenIdConnect(**settings), roles=ROLES)


@pytest.fixture
def app(running: Provider, tmp_path: Path) -> Flask:
    return console(tmp_path, running.issuer)


def sent_to(browser: FlaskClient, target: str = "") -> str:
    """Where the console sends the browser to log in."""
    answer = browser.get("/log-in/oidc", query_string={"next": target} if target else {})
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def at_the_provider(url: str, user: str) -> str:
    """Where the provider sends the browser back to, after *user* has logged in there."""
    with httpx.Client(follow_redirects=False, verify=False) as there:
        asked = there.get(url)
        form = urljoin(url, asked.headers["location"])
        logged = there.post(form, data={"username": user, "password": PASSWORD})
        back = there.get(urljoin(url, logged.headers["location"]))
    assert back.status_code == 302, back.text
    return back.headers["location"]


def log_in(app: Flask, user: str, browser: FlaskClient | None = None, target: str = "") -> Any:
    """The console's answer to *user*, who comes back from the provider."""
    browser = browser or app.test_client()
    back = at_the_provider(sent_to(browser, target), user)
    assert back.startswith(BACK)
    return browser.get(back.removeprefix("http://localhost"))


def accounts(app: Flask) -> list[tuple[str, Role, Source]]:
    desk: Desk = app.extensions[KEY]
    return [(each.name, each.role, each.source) for each in desk.accounts.all()]


def test_a_user_with_a_group_gets_in(app: Flask) -> None:
    browser = app.test_client()
    answer = log_in(app, "ann", browser, "/log?q=app%3Aqq")
    assert (answer.status_code, answer.location) == (303, "/log?q=app%3Aqq")
    assert browser.get("/account/").status_code == 200
    assert accounts(app) == [("ann", Role.AUDITOR, Source.OIDC)]


def test_one_without_does_not(app: Flask) -> None:
    browser = app.test_client()
    assert log_in(app, "bob", browser).status_code == 403
    assert browser.get("/account/").status_code == 303
    assert accounts(app) == []


def test_it_asks_with_pkce_state_and_nonce(app: Flask) -> None:
    asked = parse_qs(urlsplit(sent_to(app.test_client())).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    assert asked["response_type"] == ["code"]
    assert {"code_challenge", "state", "nonce"} <= asked.keys()


def test_the_role_follows_the_groups(app: Flask, running: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(app, "ann")
    monkeypatch.setitem(running.groups, "ann", ("embargo-audit", "embargo-admin"))
    log_in(app, "ann")
    assert accounts(app) == [("ann", Role.ADMIN, Source.OIDC)]
    monkeypatch.setitem(running.groups, "ann", ())
    assert log_in(app, "ann").status_code == 403


def test_who_chooses_anothers_name_stays_out(app: Flask, running: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    desk: Desk = app.extensions[KEY]
    desk.accounts.add("boss", Role.ADMIN, Source.LOCAL, 0.0)
    monkeypatch.setitem(running.names, "ann", "Boss")
    answer = log_in(app, "ann")
    assert answer.status_code == 403
    assert "belongs to another account" in answer.text
    assert accounts(app) == [("boss", Role.ADMIN, Source.LOCAL)]


def test_a_new_name_is_the_same_account(app: Flask, running: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(app, "ann")
    monkeypatch.setitem(running.names, "ann", "anne")
    log_in(app, "ann")
    assert accounts(app) == [("anne", Role.AUDITOR, Source.OIDC)]


def test_a_disabled_account_stays_out(app: Flask) -> None:
    log_in(app, "ann")
    desk: Desk = app.extensions[KEY]
    (account,) = desk.accounts.all()
    desk.accounts.disable(account)
    assert log_in(app, "ann").status_code == 403


def test_another_browsers_code_is_not_taken(app: Flask) -> None:
    """A link with the attacker's code must not sign the victim in as the attacker."""
    attacker, victim = app.test_client(), app.test_client()
    back = at_the_provider(sent_to(attacker), "ann").removeprefix("http://localhost")
    sent_to(victim)
    assert victim.get(back).status_code == 403
    assert victim.get("/account/").status_code == 303


def test_a_code_is_taken_once(app: Flask) -> None:
    browser = app.test_client()
    back = at_the_provider(sent_to(browser), "ann").removeprefix("http://localhost")
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403


MADE_UP = {  # case: what stands in the address that the browser comes back to
    "nothing": "",
    "no state": "?code=abc",
    "a state of nobody": "?code=abc&state=def",
    "an error, with a script": "?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E",
}


@pytest.mark.parametrize("query", MADE_UP.values(), ids=MADE_UP)
def test_what_is_made_up_is_refused(app: Flask, query: str) -> None:
    answer = app.test_client().get(f"/log-in/oidc/done{query}")
    assert answer.status_code == 403
    assert "<script>alert" not in answer.text


def test_a_wrong_secret_lets_nobody_in(running: Provider, tmp_path: Path) -> None:
    app = console(tmp_path, running.issuer, client_secret="wrong")
    assert log_in(app, "ann").status_code == 403


def test_a_provider_that_calls_itself_otherwise_is_not_believed(running: Provider, tmp_path: Path) -> None:
    app = console(tmp_path, running.issuer + "/")
    assert app.test_client().get("/log-in/oidc").status_code == 502


def test_a_provider_that_is_down_is_told(tmp_path: Path) -> None:
    app = console(tmp_path, "http://127.0.0.1:9/o")
    answer = app.test_client().get("/log-in/oidc")
    assert answer.status_code == 502
    assert app.test_client().get("/log-in").status_code == 200


def test_it_is_recorded_without_secrets(app: Flask, tmp_path: Path) -> None:
    browser = app.test_client()
    back = at_the_provider(sent_to(browser), "ann")
    browser.get(back.removeprefix("http://localhost"))
    written = (tmp_path / "log" / "audit.jsonl").read_text()
    (found,) = [line for line in map(json.loads, written.splitlines()) if line["event"]["action"] == "log-in"]
    assert found["embargo"]["console"] == {"way": "oidc", "role": "auditor"}
    for secret in (SECRET, parse_qs(urlsplit(back).query)["code"][0]):
        assert secret not in written


def test_the_log_in_page_offers_it(app: Flask) -> None:
    assert "Log in with 127.0.0.1" in app.test_client().get("/log-in").text
