"""Whose requests are heard: the host they name, the page they come from, the proxy, the token."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Flask

from console.signed_in import NOW, Browser, a_console, signed_in
from embargo.console.access.accounts import Source
from embargo.console.access.desk import KEY, Desk
from embargo.console.access.guard import still_signed_in
from embargo.console.access.rights import Right, Role
from embargo.console.access.tokens import grantable
from embargo.console.headers import HEADERS
from embargo.console.settings import ProxySignIn

PROXY = ProxySignIn(
    networks=(ip_network("192.0.2.0/28"), ip_network("2001:db8::1")),
    user_header="X-Remote-User",
    groups_header="X-Remote-Groups",
)
ROLES = {"embargo-audit": Role.AUDITOR, "embargo-admin": Role.ADMIN}


def desk_of(app: Flask) -> Desk:
    desk: Desk = app.extensions[KEY]
    return desk


def log_ins(directory: Path) -> list[dict[str, Any]]:
    """The records of log-ins, failed ones too."""
    lines = map(json.loads, (directory / "log" / "audit.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"]["action"] == "log-in"]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_console(tmp_path)


HOSTS = {  # case: (Host, status)
    "localhost": ("localhost", 200),
    "with a port": ("localhost:8090", 200),
    "in capitals": ("LOCALHOST", 200),
    "with a dot behind": ("localhost.", 200),
    "the address": ("127.0.0.1:8090", 200),
    "IPv6": ("[::1]:8090", 200),
    "no port": ("localhost:evil", 400),
    "a user and a port": ("localhost:80@evil.example", 400),
    "IPv6 and no port": ("[::1]evil.example", 400),
    "another": ("evil.example", 400),
    "another that looks alike": ("localhost.evil.example", 400),
    "with a user": ("localhost@evil.example", 400),
    "a private address": ("10.0.0.1", 400),
    "nothing": ("", 400),
    "two": ("localhost, evil.example", 400),
}


@pytest.mark.parametrize(("host", "status"), HOSTS.values(), ids=HOSTS)
def test_a_host_header(app: Flask, host: str, status: int) -> None:
    assert app.test_client().get("/alive", headers={"Host": host}).status_code == status


def test_the_console_says_how_to_add_one(app: Flask) -> None:
    answer = app.test_client().get("/log-in", headers={"Host": "console.example"})
    assert "--host-name" in answer.text


BROKEN = {  # case: what happens to the database of accounts while the console runs
    "damaged": lambda path: path.write_bytes(b"no database" * 1000),
    "emptied": lambda path: path.write_bytes(b""),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("harm", BROKEN.values(), ids=BROKEN)
def test_without_its_database_it_lets_nobody_in_and_says_why(
    app: Flask, tmp_path: Path, harm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    admin = signed_in(app, Role.ADMIN)
    harm(tmp_path / "state" / "console" / "accounts.sqlite")
    for answer in (admin.get("/users/"), admin.get("/api/v1/policy"), admin.get("/log-in")):
        assert answer.status_code == 503, answer.text
        assert "accounts" in answer.text and str(tmp_path) not in answer.text
    assert str(tmp_path / "state/console/accounts.sqlite") in caplog.text
    assert app.test_client().get("/alive").status_code == 200


def test_with_a_full_disk_who_is_signed_in_still_looks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    times = iter([NOW] * 8 + [NOW + timedelta(minutes=5)] * 1_000)
    app = a_console(tmp_path, now=lambda: next(times))
    admin = signed_in(app, Role.ADMIN)
    token = desk_of(app).tokens.add(admin.account, "siem", [Right.POLICY], now=NOW.timestamp(), days=1)  # type: ignore[arg-type]
    with desk_of(app).database.change() as rows:
        for table in ("sessions", "tokens"):
            rows.execute(
                f"CREATE TRIGGER full_{table} BEFORE UPDATE ON {table} BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
            )
    for _ in range(8):
        desk_of(app).now()
    assert admin.get("/account/").status_code == 200
    headers = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/api/v1/policy", headers=headers).status_code == 200
    assert "disk is full" in caplog.text


def test_no_forwarded_host_counts(app: Flask) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    assert app.test_client().get("/alive", headers=headers).status_code == 400


class TestPageOfOrigin:
    CASES: ClassVar = {  # case: (headers, status)
        "ours": ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 303),
        "an old browser, which says nothing": ({}, 303),
        "another site": ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        "another site that hides": ({"Origin": "null"}, 403),
        "another port of this host": ({"Origin": "http://localhost:8080", "Sec-Fetch-Site": "same-site"}, 403),
        "the same site only": ({"Sec-Fetch-Site": "same-site"}, 403),
        "by another scheme": ({"Origin": "https://localhost"}, 403),
    }

    @pytest.mark.parametrize(("headers", "status"), CASES.values(), ids=CASES)
    def test_a_form(self, app: Flask, headers: dict[str, str], status: int) -> None:
        browser = signed_in(app, Role.VIEWER)
        assert browser.post("/log-out", data={"csrf_token": browser.csrf}, headers=headers).status_code == status

    def test_the_token_may_stand_in_a_header(self, app: Flask) -> None:
        browser = signed_in(app, Role.VIEWER)
        assert browser.post("/log-out", headers={"X-CSRFToken": browser.csrf}).status_code == 303

    def test_anothers_token_is_none(self, app: Flask) -> None:
        one, other = signed_in(app, Role.VIEWER), signed_in(app, Role.AUDITOR)
        with other.session_transaction() as session:
            session["csrf_token"] = "1" * 40
        assert other.post("/log-out", data={"csrf_token": one.csrf}).status_code == 403


class TestHeaders:
    PAGES: ClassVar = {
        "a page": "/log-in",
        "an error": "/nowhere",
        "the API": "/api/v1/nowhere",
        "a file": "/static/icon.svg",
    }

    @pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
    def test_every_answer_has_them(self, app: Flask, path: str) -> None:
        answer = app.test_client().get(path)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert "Strict-Transport-Security" not in answer.headers

    def test_nothing_is_kept_but_files(self, app: Flask) -> None:
        assert app.test_client().get("/log-in").headers["Cache-Control"] == "no-store"
        assert "max-age" in app.test_client().get("/static/icon.svg").headers["Cache-Control"]

    def test_tls_is_asked_for_again(self, tmp_path: Path) -> None:
        app = a_console(tmp_path, secure=True)
        assert "max-age=31536000" in app.test_client().get("/log-in").headers["Strict-Transport-Security"]

    def test_the_policy_lets_nothing_in(self) -> None:
        policy = HEADERS["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy

    def test_no_page_of_ours_holds_script_or_style(self) -> None:
        templates = Path(__file__).parents[3] / "addon" / "embargo" / "console" / "templates"
        for path in sorted(templates.glob("*.html")):
            text = path.read_text()
            assert "style=" not in text, path
            assert "<style" not in text, path
            assert "onclick=" not in text, path
            assert "|safe" not in text.replace(" ", ""), path
            for script in text.split("<script")[1:]:
                assert "src=" in script.partition(">")[0], path


class TestProxy:
    def app(self, tmp_path: Path, **more: object) -> Flask:
        return a_console(tmp_path, secure=True, direct=False, proxy=PROXY, roles=ROLES, **more)

    def ask(self, app: Flask, peer: str, browser: Browser | None = None, **headers: str) -> int:
        asking = browser or app.test_client()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asking.get(
            "/account/", headers=named, base_url="https://localhost", environ_base={"REMOTE_ADDR": peer}
        ).status_code

    CASES: ClassVar = {  # case: (peer, headers, status)
        "from the proxy": ("192.0.2.1", {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-audit"}, 200),
        "by IPv6": ("2001:db8::1", {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-audit"}, 200),
        "by mapped IPv4": ("::ffff:192.0.2.1", {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-audit"}, 200),
        "one of several groups": ("192.0.2.1", {"X_Remote_User": "al", "X_Remote_Groups": "x, embargo-audit"}, 200),
        "from elsewhere": ("192.0.2.99", {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-admin"}, 403),
        "from this machine, no proxy": ("127.0.0.1", {"X_Remote_User": "al", "X_Remote_Groups": "embargo-admin"}, 303),
        "said to come from the proxy": (
            "192.0.2.99",
            {"X_Forwarded_For": "192.0.2.1", "X_Remote_User": "al", "X_Remote_Groups": "embargo-admin"},
            403,
        ),
        "without a group that counts": ("192.0.2.1", {"X_Remote_User": "alice", "X_Remote_Groups": "staff"}, 303),
        "without a user": ("192.0.2.1", {"X_Remote_Groups": "embargo-admin"}, 303),
        "an empty user": ("192.0.2.1", {"X_Remote_User": "", "X_Remote_Groups": "embargo-admin"}, 303),
    }

    @pytest.mark.parametrize(("peer", "headers", "status"), CASES.values(), ids=CASES)
    def test_a_header(self, tmp_path: Path, peer: str, headers: dict[str, str], status: int) -> None:
        assert self.ask(self.app(tmp_path), peer, **headers) == status

    def test_without_a_proxy_no_header_counts(self, tmp_path: Path) -> None:
        app = a_console(tmp_path, roles=ROLES)
        headers = {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-admin", "Remote_User": "alice"}
        browser = app.test_client()
        found = browser.get(
            "/account/",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            environ_base={"REMOTE_ADDR": "192.0.2.1", "REMOTE_USER": "alice"},
        )
        assert found.status_code == 303

    def test_a_session_follows_what_the_proxy_says(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        browser = app.test_client()
        assert self.ask(app, "192.0.2.1", browser, X_Remote_User="alice", X_Remote_Groups="embargo-admin") == 200
        assert self.ask(app, "192.0.2.1", browser, X_Remote_User="bob", X_Remote_Groups="embargo-audit") == 200
        found = [(each.account.name, each.account.role) for each in desk_of(app).sessions.of(None, desk_of(app).now())]
        assert found == [("bob", Role.AUDITOR)]
        assert self.ask(app, "192.0.2.1", browser) == 303, "it says nothing any more"

    def test_a_role_taken_away_is_gone_at_once(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        browser = app.test_client()
        assert self.ask(app, "192.0.2.1", browser, X_Remote_User="alice", X_Remote_Groups="embargo-admin") == 200
        assert self.ask(app, "192.0.2.1", browser, X_Remote_User="alice", X_Remote_Groups="staff") == 303

    def test_a_stranger_fills_no_disk(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        for _ in range(20):
            assert self.ask(app, "192.0.2.1", X_Remote_User="eve", X_Remote_Groups="staff") == 303
        assert len(log_ins(tmp_path)) == 5

    def test_a_password_that_the_proxy_asked_for_is_nothing_to_us(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        headers = {"X_Remote_User": "alice", "X_Remote_Groups": "embargo-audit", "Authorization": "Basic YTpi"}
        assert self.ask(app, "192.0.2.1", **headers) == 200

    def test_nobody_becomes_a_local_account(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        desk_of(app).accounts.add("root", Role.ADMIN, Source.LOCAL, 0.0)
        assert self.ask(app, "192.0.2.1", X_Remote_User="root", X_Remote_Groups="embargo-audit") == 303
        (found,) = log_ins(tmp_path)
        assert "belongs to another account" in found["event"]["reason"]

    def test_case_makes_nobody_another(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        for name in ("Carol", "carol", "CAROL"):
            assert self.ask(app, "192.0.2.1", X_Remote_User=name, X_Remote_Groups="embargo-audit") == 200
        assert len(desk_of(app).accounts.all()) == 1

    def test_without_groups_the_role_is_the_one_given_here(self, tmp_path: Path) -> None:
        app = self.app(tmp_path)
        assert self.ask(app, "192.0.2.1", X_Remote_User="carol") == 303
        desk_of(app).accounts.add("carol", Role.VIEWER, Source.PROXY, 0.0, "carol")
        assert self.ask(app, "192.0.2.1", X_Remote_User="carol") == 200

    ADDRESSES: ClassVar = {  # case: (X-Forwarded-For, the client)
        "one": ("198.51.100.7", "198.51.100.7"),
        "what the client wrote itself does not count": ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        "past a second proxy of ours": ("198.51.100.7, 192.0.2.2", "198.51.100.7"),
        "no address": ("unknown", "192.0.2.1"),
        "none": ("", "192.0.2.1"),
    }

    @pytest.mark.parametrize(("chain", "client"), ADDRESSES.values(), ids=ADDRESSES)
    def test_whose_address_is_recorded(self, tmp_path: Path, chain: str, client: str) -> None:
        app = self.app(tmp_path)
        self.ask(app, "192.0.2.1", X_Remote_User="alice", X_Remote_Groups="embargo-audit", X_Forwarded_For=chain)
        (found,) = log_ins(tmp_path)
        assert found["source"]["ip"] == client


class TestTokens:
    def token(self, app: Flask, role: Role, *scopes: Right, days: int = 1) -> str:
        desk = desk_of(app)
        account = desk.accounts.named(role.value) or desk.accounts.add(role.value, role, Source.LOCAL, desk.now())
        return desk.tokens.add(account, "siem", scopes, now=desk.now(), days=days)

    def ask(self, app: Flask, token: str, path: str = "/api/v1/policy") -> int:
        return app.test_client().get(path, headers={"Authorization": f"Bearer {token}"}).status_code

    def test_one_that_has_the_right(self, app: Flask) -> None:
        assert self.ask(app, self.token(app, Role.AUDITOR, Right.POLICY)) == 200

    def test_one_that_lacks_it(self, app: Flask) -> None:
        assert self.ask(app, self.token(app, Role.AUDITOR, Right.COUNTS)) == 403

    def test_it_has_no_right_that_its_owner_lost(self, app: Flask) -> None:
        token = self.token(app, Role.AUDITOR, Right.POLICY)
        account = desk_of(app).accounts.named("auditor")
        assert account is not None
        desk_of(app).accounts.set_role(account, Role.VIEWER)
        assert self.ask(app, token) == 403

    def test_of_two_with_one_name_each_is_on_record(self, app: Flask, tmp_path: Path) -> None:
        browser = signed_in(app, Role.AUDITOR)
        form = {"csrf_token": browser.csrf, "name": "siem", "scope": "counts", "days": "1"}
        for _ in range(8):
            assert browser.post("/account/tokens", data=form).status_code == 201
        lines = map(json.loads, (tmp_path / "log" / "audit.jsonl").read_text().splitlines())
        recorded = [line["embargo"]["console"]["token"] for line in lines if line["event"]["action"] == "token-added"]
        assert len(set(recorded)) == 8

    def test_none_that_its_owner_lacks_can_be_made(self, app: Flask) -> None:
        with pytest.raises(ValueError, match="none that its owner lacks"):
            self.token(app, Role.VIEWER, Right.ROWS)

    @pytest.mark.parametrize("right", [Right.SIGN_OFF, Right.USERS_MANAGE, Right.UNMASK, Right.OWN])
    def test_what_a_person_does_no_token_does(self, app: Flask, right: Right) -> None:
        for role in Role:
            account = desk_of(app).accounts.add(f"{role}-{right}", role, Source.LOCAL, 0.0)
            assert right not in grantable(account)

    def test_it_ends(self, tmp_path: Path) -> None:
        at = [datetime(2026, 11, 24, tzinfo=UTC)]
        app = a_console(tmp_path, now=lambda: at[0])
        token = self.token(app, Role.AUDITOR, Right.POLICY)
        at[0] += timedelta(days=1, seconds=1)
        assert self.ask(app, token) == 401

    def test_it_is_revoked(self, app: Flask) -> None:
        token = self.token(app, Role.AUDITOR, Right.POLICY)
        (found,) = desk_of(app).tokens.of(None, desk_of(app).now())
        desk_of(app).tokens.revoke(found.id, None)
        assert self.ask(app, token) == 401

    def test_it_is_gone_with_a_disabled_account(self, app: Flask) -> None:
        token = self.token(app, Role.AUDITOR, Right.POLICY)
        account = desk_of(app).accounts.named("auditor")
        assert account is not None
        desk_of(app).accounts.disable(account)
        assert self.ask(app, token) == 401

    BAD: ClassVar = {"unknown": "embargo_x", "of another kind": "ghp_x", "empty": "", "not ASCII": "embargo_\u00e9"}

    @pytest.mark.parametrize("token", BAD.values(), ids=BAD)
    def test_a_wrong_one(self, app: Flask, token: str) -> None:
        assert self.ask(app, token) == 401

    def test_a_wrong_one_does_not_fall_back_on_the_cookie(self, app: Flask) -> None:
        browser = signed_in(app, Role.ADMIN)
        assert browser.get("/api/v1/policy", headers={"Authorization": "Basic eDp4"}).status_code == 401

    def test_the_database_holds_a_hash_alone(self, app: Flask, tmp_path: Path) -> None:
        token = self.token(app, Role.AUDITOR, Right.POLICY)
        stored = b"".join(path.read_bytes() for path in (tmp_path / "state" / "console").iterdir())
        assert token.encode() not in stored
        assert token.removeprefix("embargo_").encode() not in stored

    def test_one_opens_no_page_of_the_account(self, app: Flask) -> None:
        assert self.ask(app, self.token(app, Role.AUDITOR, Right.POLICY), "/account/") == 403


def test_what_goes_on_ends_with_the_session(app: Flask) -> None:
    """A live view must not outlast the session, nor a change of role, of whoever opened it; nor does it prolong it."""
    browser = signed_in(app, Role.AUDITOR)
    desk = desk_of(app)
    assert browser.account is not None
    seen = [each.seen for each in desk.sessions.of(browser.account, desk.now())]
    with browser:
        browser.get("/account/")
        assert still_signed_in()
        assert [each.seen for each in desk.sessions.of(browser.account, desk.now())] == seen
        desk.accounts.set_role(browser.account, Role.VIEWER)
        assert not still_signed_in()
        desk.accounts.set_role(browser.account, Role.AUDITOR)
        assert still_signed_in()
        desk.sessions.end_all(browser.account)
        assert not still_signed_in()


class TestLastAdmin:
    def test_it_can_be_neither_shut_out_nor_made_less(self, app: Flask) -> None:
        browser = signed_in(app, Role.ADMIN)
        assert browser.account is not None
        for path, data in (("disable", {}), ("role", {"role": "viewer"})):
            answer = browser.post(f"/users/{browser.account.id}/{path}", data={"csrf_token": browser.csrf} | data)
            assert answer.status_code == 422
            assert "the only admin" in answer.text
