"""Signing in and out: what lets one in, what does not, and what it leaves behind."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pyotp
import pytest
from flask import Flask

from console.signed_in import Browser, a_console, anybody, signed_in
from embargo.console.access import passwords, second_factor, throttle
from embargo.console.access.accounts import Account, Refused, Source
from embargo.console.access.desk import KEY, Desk
from embargo.console.access.guard import local_path
from embargo.console.access.rights import Role

PASSWORD = "correct horse battery"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """argon2 at its cheapest: what it costs is measured in one test, and not in all."""
    quick = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", quick)
    monkeypatch.setattr(passwords, "_DUMMY", quick.hash("nobody"))
    return iter(())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Flask:
    return a_console(tmp_path, now=clock)


def desk_of(app: Flask) -> Desk:
    desk: Desk = app.extensions[KEY]
    return desk


def local(app: Flask, name: str = "alice", role: Role = Role.AUDITOR) -> Account:
    """A local account with PASSWORD."""
    desk = desk_of(app)
    account = desk.accounts.add(name, role, Source.LOCAL, desk.now())
    passwords.set_password(desk.database, account, PASSWORD)
    return account


def log_in(browser: Browser, name: str = "alice", password: str = PASSWORD, **more: str) -> int:
    answer = browser.post("/log-in", data={"csrf_token": browser.csrf, "name": name, "password": password, **more})
    return answer.status_code


def audit(app: Flask) -> list[dict[str, object]]:
    path = desk_of(app).settings.log / "audit.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def may_see(browser: Browser) -> bool:
    return browser.get("/account/").status_code == 200


class TestPassword:
    def test_the_right_one(self, app: Flask) -> None:
        local(app)
        browser = anybody(app)
        assert log_in(browser) == 303
        assert may_see(browser)

    CASES: ClassVar = {  # case: (name, password)
        "a wrong one": ("alice", "wrong horse battery"),
        "an unknown name": ("bob", PASSWORD),
        "none": ("alice", ""),
        "no name": ("", ""),
        "a name with a control character": ("al\0ice", PASSWORD),
    }

    @pytest.mark.parametrize(("name", "password"), CASES.values(), ids=CASES)
    def test_is_refused_in_the_same_words(self, app: Flask, name: str, password: str) -> None:
        local(app)
        browser = anybody(app)
        answer = browser.post("/log-in", data={"csrf_token": browser.csrf, "name": name, "password": password})
        assert answer.status_code == 401
        assert "The name or the password is wrong" in answer.text
        assert not may_see(browser)

    def test_an_account_without_one(self, app: Flask) -> None:
        desk_of(app).accounts.add("alice", Role.ADMIN, Source.LOCAL, 0.0)
        assert log_in(anybody(app), password="") == 401

    def test_one_of_a_provider_has_none(self, app: Flask) -> None:
        account = desk_of(app).accounts.add("alice", Role.ADMIN, Source.OIDC, 0.0, "issuer 1")
        passwords.set_password(desk_of(app).database, account, PASSWORD)
        assert log_in(anybody(app)) == 401

    def test_of_a_disabled_account(self, app: Flask) -> None:
        desk_of(app).accounts.disable(local(app))
        assert log_in(anybody(app)) == 401

    def test_is_whatever_a_keyboard_makes_of_it(self, app: Flask) -> None:
        desk = desk_of(app)
        account = desk.accounts.add("ann", Role.VIEWER, Source.LOCAL, 0.0)
        passwords.set_password(desk.database, account, passwords.checked("schöne neue ﬁrma", "ann", 12))
        assert log_in(anybody(app), "ann", "scho\u0308ne neue firma") == 303

    def test_an_unknown_name_costs_a_hash_too(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        local(app)
        asked: list[str] = []
        monkeypatch.setattr(passwords, "_verify", lambda stored, _: asked.append(stored) is not None)
        for name in ("alice", "bob"):
            log_in(anybody(app), name, "wrong")
        assert len(asked) == 2
        assert asked[1] == passwords._DUMMY

    WEAK: ClassVar = {
        "short": "eleven chrs",
        "long": "x1y2z" * 300,
        "repeats": "aaaaaaaaaaaa",
        "the name": "alicealicealice",
        "the product": "embargo password",
    }

    @pytest.mark.parametrize("password", WEAK.values(), ids=WEAK)
    def test_a_weak_one_is_not_taken(self, password: str) -> None:
        with pytest.raises(Refused):
            passwords.checked(password, "alice", 12)


def test_five_failures_and_one_waits(app: Flask, clock: Clock) -> None:
    local(app)
    browser = anybody(app)
    assert [log_in(browser, password="wrong") for _ in range(5)] == [401] * 5
    answer = browser.post("/log-in", data={"csrf_token": browser.csrf, "name": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= throttle.WINDOW + 1
    clock.forward(throttle.WINDOW + 1)
    assert log_in(browser) == 303


def test_an_unknown_name_waits_as_long(app: Flask) -> None:
    browser = anybody(app)
    assert [log_in(browser, "nobody", "wrong") for _ in range(6)] == [401] * 5 + [429]


SPELLINGS = {  # case: one name that is the same account in other letters
    "case": "BOB",
    "blanks": " bob\t",
    "full width": "ｂｏｂ",
}


@pytest.mark.parametrize("name", SPELLINGS.values(), ids=SPELLINGS)
def test_a_name_in_other_spelling_is_the_same(app: Flask, name: str) -> None:
    browser = anybody(app)
    assert [log_in(browser, each, "wrong") for each in ("bob", "Bob", "boB", "bOb", "bob", name)][-1] == 429


def test_an_address_waits_whatever_the_name(app: Flask) -> None:
    browser = anybody(app)
    found = [log_in(browser, f"name{number}", "wrong") for number in range(throttle.ADDRESS.most + 1)]
    assert found == [401] * throttle.ADDRESS.most + [429]


def test_an_account_waits_whatever_the_address(app: Flask) -> None:
    local(app)
    browser = anybody(app)
    for number in range(throttle.ACCOUNT.most):
        desk_of(app).throttle.admit("alice", f"192.0.2.{number}", desk_of(app).now())
    assert log_in(browser) == 429


def test_a_stranger_does_not_shut_the_owner_out(app: Flask) -> None:
    local(app)
    for _ in range(10):
        desk_of(app).throttle.admit("alice", "192.0.2.1", desk_of(app).now())
    assert log_in(anybody(app)) == 303


def test_one_right_password_forgives_no_other_name(app: Flask) -> None:
    local(app)
    browser = anybody(app)
    for number in range(throttle.ADDRESS.most - 1):
        log_in(browser, f"name{number}", "wrong")
    assert log_in(anybody(app)) == 303
    assert [log_in(browser, f"other{number}", "wrong") for number in range(2)] == [401, 429]


def test_many_tries_at_once_are_no_more_than_one_after_another(app: Flask) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: log_in(anybody(app), "bob", "wrong"), range(16)))
    assert sorted(found) == [401] * 5 + [429] * 11


SITES = {  # case: (address, what is counted)
    "IPv4": ("192.0.2.1", "192.0.2.1"),
    "IPv6 by its network": ("2001:db8::1", "2001:db8::/64"),
    "mapped": ("::ffff:192.0.2.1", "192.0.2.1"),
    "none": ("", ""),
}


@pytest.mark.parametrize(("address", "site"), SITES.values(), ids=SITES)
def test_what_counts_as_an_address(address: str, site: str) -> None:
    assert throttle._site(address) == site


class TestSessions:
    def test_a_new_id_at_log_in(self, app: Flask) -> None:
        local(app)
        browser = anybody(app)
        with browser.session_transaction() as session:
            session["sid"] = "planted"
        assert log_in(browser) == 303
        with browser.session_transaction() as session:
            assert session["sid"] != "planted"
            assert "csrf_token" not in session, "the token that an attacker may know is gone, too"

    def test_the_one_before_ends_at_log_in(self, app: Flask) -> None:
        local(app)
        browser = anybody(app)
        log_in(browser)
        old = browser.get_cookie("embargo")
        assert old is not None
        again = signed_in(app, Role.AUDITOR, "alice")
        again.set_cookie("embargo", old.value)
        assert may_see(again)
        token = again.get("/log-in")
        assert token.status_code == 302 or token.status_code == 303

    def test_it_ends_after_a_time_without_requests(self, app: Flask, clock: Clock) -> None:
        browser = signed_in(app, Role.VIEWER)
        for _ in range(3):
            clock.forward(3_000)
            assert may_see(browser)
        clock.forward(3_601)
        assert not may_see(browser)

    def test_it_ends_in_any_case(self, app: Flask, clock: Clock) -> None:
        browser = signed_in(app, Role.VIEWER)
        for _ in range(14):
            clock.forward(3_000)
            assert may_see(browser)
        clock.forward(3_000)
        assert not may_see(browser)

    def test_log_out_ends_it_here_and_there(self, app: Flask) -> None:
        browser = signed_in(app, Role.VIEWER)
        stolen = anybody(app)
        cookie = browser.get_cookie("embargo")
        assert cookie is not None
        stolen.set_cookie("embargo", cookie.value)
        assert may_see(stolen)
        assert browser.post("/log-out", data={"csrf_token": browser.csrf}).status_code == 303
        assert not may_see(stolen)

    def test_ending_another_one(self, app: Flask) -> None:
        here, there = signed_in(app, Role.VIEWER), signed_in(app, Role.VIEWER)
        assert here.account is not None
        desk = desk_of(app)
        with there.session_transaction() as session:
            found = desk.sessions.find(session["sid"], desk.now())
        assert found is not None
        assert here.post(f"/account/sessions/{found.public}/end", data={"csrf_token": here.csrf}).status_code == 303
        assert not may_see(there)
        assert may_see(here)

    def test_nobody_ends_anothers(self, app: Flask) -> None:
        other, browser = signed_in(app, Role.AUDITOR), signed_in(app, Role.VIEWER)
        desk = desk_of(app)
        (found,) = desk.sessions.of(other.account, desk.now())
        assert (
            browser.post(f"/account/sessions/{found.public}/end", data={"csrf_token": browser.csrf}).status_code == 404
        )
        assert may_see(other)

    def test_a_disabled_account_is_out_at_once(self, app: Flask) -> None:
        browser = signed_in(app, Role.VIEWER)
        assert browser.account is not None
        desk_of(app).accounts.disable(browser.account)
        assert not may_see(browser)

    def test_a_forged_cookie_is_nothing(self, app: Flask) -> None:
        browser = app.test_client()
        browser.set_cookie("embargo", "eyJzaWQiOiJ4In0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
        assert browser.get("/account/").status_code == 303

    def test_the_database_holds_no_key(self, app: Flask, tmp_path: Path) -> None:
        local(app)
        browser = anybody(app)
        log_in(browser)
        with browser.session_transaction() as session:
            key = session["sid"]
        stored = b"".join(path.read_bytes() for path in (tmp_path / "state" / "console").iterdir())
        assert key.encode() not in stored
        assert PASSWORD.encode() not in stored
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state" / "console").iterdir()} == {0o600}

    COOKIES: ClassVar = {  # case: (secure, name, flags)
        "loopback": (False, "embargo", {"HttpOnly", "SameSite=Lax", "Path=/"}),
        "TLS": (True, "__Host-embargo", {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"}),
    }

    @pytest.mark.parametrize(("secure", "name", "flags"), COOKIES.values(), ids=COOKIES)
    def test_the_cookie(self, tmp_path: Path, secure: bool, name: str, flags: set[str]) -> None:
        app = a_console(tmp_path, secure=secure)
        cookie = app.test_client().get("/log-in").headers["Set-Cookie"]
        assert cookie.startswith(f"{name}=")
        assert set(cookie.split("; ")[1:]) == flags


class TestLinks:
    def first(self, app: Flask) -> str:
        return "/link/" + desk_of(app).links.make(None, desk_of(app).now())

    def follow(self, browser: Browser, url: str, **more: str) -> int:
        data = {"csrf_token": browser.csrf, "name": "root", "password": PASSWORD, "again": PASSWORD}
        return browser.post(url, data=data | more).status_code

    def test_the_first_makes_an_admin_once(self, app: Flask) -> None:
        url, browser = self.first(app), anybody(app)
        assert "The first admin" in browser.get(url).text
        assert self.follow(browser, url) == 303
        made = desk_of(app).accounts.named("root")
        assert made is not None
        assert made.role is Role.ADMIN
        assert may_see(browser)
        assert self.follow(anybody(app), url) == 404

    def test_looking_at_it_uses_nothing_up(self, app: Flask) -> None:
        url = self.first(app)
        assert [anybody(app).get(url).status_code for _ in range(3)] == [200] * 3

    def test_it_ends(self, app: Flask, clock: Clock) -> None:
        url = self.first(app)
        clock.forward(3_601)
        assert self.follow(anybody(app), url) == 404

    def test_it_holds_nothing_once_there_is_an_admin(self, app: Flask) -> None:
        url = self.first(app)
        local(app, "boss", Role.ADMIN)
        assert self.follow(anybody(app), url) == 404

    def test_a_mistyped_password_does_not_spend_it(self, app: Flask) -> None:
        url, browser = self.first(app), anybody(app)
        assert self.follow(browser, url, again="another") == 422
        assert self.follow(browser, url, password="short", again="short") == 422
        assert self.follow(browser, url) == 303

    def test_nor_does_a_name_that_is_none(self, app: Flask) -> None:
        local(app, "alice")
        url, browser = self.first(app), anybody(app)
        for name in ("", "a\tb", "Alice", "x" * 200):
            assert self.follow(browser, url, name=name) == 422, name
        assert self.follow(browser, url) == 303

    def test_one_for_an_account_sets_its_password_alone(self, app: Flask) -> None:
        account = desk_of(app).accounts.add("alice", Role.VIEWER, Source.LOCAL, 0.0)
        url = "/link/" + desk_of(app).links.make(account, desk_of(app).now())
        assert self.follow(anybody(app), url, name="boss") == 303
        found = [(each.name, each.role) for each in desk_of(app).accounts.all()]
        assert found == [("alice", Role.VIEWER)]
        assert log_in(anybody(app)) == 303

    def test_a_newer_one_takes_its_place(self, app: Flask) -> None:
        old, new = self.first(app), self.first(app)
        assert self.follow(anybody(app), old) == 404
        assert self.follow(anybody(app), new) == 303


class TestSecondFactor:
    def set_up(self, app: Flask) -> tuple[Account, pyotp.TOTP, tuple[str, ...]]:
        account, desk = local(app), desk_of(app)
        key = second_factor.new_key()
        return account, pyotp.TOTP(key), second_factor.set_up(desk.database, account, key, 0)

    def code(self, browser: Browser, code: str) -> int:
        with browser.session_transaction() as session:
            session["csrf_token"] = "0" * 40  # log-in made it anew
        return browser.post("/log-in/code", data={"csrf_token": browser.csrf, "code": code}).status_code

    def test_a_password_alone_does_not_do(self, app: Flask) -> None:
        self.set_up(app)
        browser = anybody(app)
        assert log_in(browser) == 303
        assert not may_see(browser)

    def test_password_and_code(self, app: Flask, clock: Clock) -> None:
        _, totp, _ = self.set_up(app)
        browser = anybody(app)
        log_in(browser)
        assert self.code(browser, totp.at(clock.at)) == 303
        assert may_see(browser)

    def test_a_code_is_taken_once(self, app: Flask, clock: Clock) -> None:
        _, totp, _ = self.set_up(app)
        for status in (303, 401):
            browser = anybody(app)
            log_in(browser)
            assert self.code(browser, totp.at(clock.at)) == status

    def test_nor_is_an_older_one_after_it(self, app: Flask, clock: Clock) -> None:
        _, totp, _ = self.set_up(app)
        for shift, status in ((30, 303), (0, 401)):
            browser = anybody(app)
            log_in(browser)
            assert self.code(browser, totp.at(clock.at + timedelta(seconds=shift))) == status

    def test_a_clock_may_be_off_by_a_step(self, app: Flask, clock: Clock) -> None:
        _, totp, _ = self.set_up(app)
        for shift, status in ((-60, 401), (60, 401), (-30, 303), (30, 303)):
            browser = anybody(app)
            log_in(browser)
            assert self.code(browser, totp.at(clock.at + timedelta(seconds=shift))) == status, shift

    def test_a_recovery_code_is_taken_once(self, app: Flask) -> None:
        account, _, codes = self.set_up(app)
        for status in (303, 401):
            browser = anybody(app)
            log_in(browser)
            assert self.code(browser, codes[0].upper()) == status
        assert second_factor.left(desk_of(app).database, account) == second_factor.RECOVERY_CODES - 1

    def test_guesses_are_counted(self, app: Flask) -> None:
        self.set_up(app)
        browser = anybody(app)
        log_in(browser)
        assert [self.code(browser, "000000") for _ in range(6)] == [401] * 5 + [429]

    def test_a_right_password_forgives_no_guess(self, app: Flask) -> None:
        self.set_up(app)
        found = []
        for _ in range(6):
            browser = anybody(app)
            log_in(browser)
            found.append(self.code(browser, "000000"))
        assert found == [401] * 5 + [429]

    def test_the_code_is_not_waited_for_forever(self, app: Flask, clock: Clock) -> None:
        _, totp, _ = self.set_up(app)
        browser = anybody(app)
        log_in(browser)
        clock.forward(301)
        self.code(browser, totp.at(clock.at))
        assert not may_see(browser)

    def test_setting_it_up_asks_for_the_password(self, app: Flask, clock: Clock) -> None:
        local(app)
        browser = signed_in(app, Role.AUDITOR, "alice")
        browser.post("/account/second-factor/key", data={"csrf_token": browser.csrf})
        with browser.session_transaction() as session:
            totp = pyotp.TOTP(session["pending-key"])
        send = {"csrf_token": browser.csrf, "code": totp.at(clock.at)}
        assert browser.post("/account/second-factor", data=send | {"password": "wrong"}).status_code == 422
        answer = browser.post("/account/second-factor", data=send | {"password": PASSWORD})
        assert answer.status_code == 200
        assert answer.text.count("-") >= 3 * second_factor.RECOVERY_CODES


class TestRecords:
    def test_each_log_in_failure_and_log_out_is_recorded(self, app: Flask) -> None:
        local(app)
        browser = anybody(app)
        log_in(browser, password="wrong")
        log_in(browser)
        with browser.session_transaction() as session:
            session["csrf_token"] = "0" * 40
        browser.post("/log-out", data={"csrf_token": browser.csrf})
        found = [
            (line["event"]["action"], line["event"]["outcome"], line["user"]["name"], line["source"]["ip"])  # type: ignore[index]
            for line in audit(app)
            if line["event"]["action"].startswith("log-")  # type: ignore[index]
        ]
        assert found == [
            ("log-in", "failure", "alice", "127.0.0.1"),
            ("log-in", "success", "alice", "127.0.0.1"),
            ("log-out", "success", "alice", "127.0.0.1"),
        ]

    def test_no_secret_is(self, app: Flask, tmp_path: Path, clock: Clock) -> None:
        local(app, "boss", Role.ADMIN)
        browser = signed_in(app, Role.ADMIN, "boss")
        log_in(anybody(app), "boss", "wrong password here")
        link = browser.post("/users/", data={"csrf_token": browser.csrf, "name": "eve", "role": "viewer"})
        assert link.status_code == 201
        secret = link.text.partition("/link/")[2].partition("<")[0].strip()
        made = browser.post(
            "/account/tokens", data={"csrf_token": browser.csrf, "name": "siem", "scope": "rows", "days": "1"}
        )
        token = made.text.partition("Bearer ")[2].partition("<")[0].strip()
        assert len(secret) > 20
        assert len(token) > 20
        written = (tmp_path / "log" / "audit.jsonl").read_text()
        for each in ("wrong password here", PASSWORD, secret, token):
            assert each not in written

    def test_where_it_cannot_be_recorded_nobody_gets_in(self, app: Flask, tmp_path: Path) -> None:
        local(app)
        (tmp_path / "log").rename(tmp_path / "moved")
        (tmp_path / "log").write_text("in the way")
        browser = anybody(app)
        assert log_in(browser) == 503
        assert not may_see(browser)


ELSEWHERE = {  # what would lead away from this site
    "another host": "https://evil.example/",
    "no scheme": "//evil.example/",
    "a backslash": "/\\evil.example",
    "two backslashes": "\\\\evil.example",
    "a tab between": "/\t/evil.example",
    "a line feed between": "/\n/evil.example",
    "a script": "javascript:alert(1)",
    "a name": "evil.example",
    "nothing": "",
    "blanks before": " /log",
    "a control character": "/log\x7f",
}


@pytest.mark.parametrize("target", ELSEWHERE.values(), ids=ELSEWHERE)
def test_log_in_leads_nowhere_else(app: Flask, target: str) -> None:
    assert local_path(target) is None
    local(app)
    browser = anybody(app)
    answer = browser.post(
        "/log-in", data={"csrf_token": browser.csrf, "name": "alice", "password": PASSWORD, "next": target}
    )
    assert answer.location == "/"


def test_log_in_leads_back(app: Flask) -> None:
    local(app)
    browser = anybody(app)
    answer = browser.post(
        "/log-in",
        data={"csrf_token": browser.csrf, "name": "alice", "password": PASSWORD, "next": "/log?q=app%3Aqq"},
    )
    assert answer.location == "/log?q=app%3Aqq"


def test_the_hasher_is_as_slow_as_rfc_9106_wants() -> None:
    stored = passwords.PasswordHasher().hash("x")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
