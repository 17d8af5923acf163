"""Who may do what: the table, and that every view keeps to it."""

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from console.signed_in import Browser, a_console, anybody, signed_in
from embargo.console.access.rights import RIGHTS, Right, Role, right_of

ALLOWED = {  # facts of the manual: what each role may, beyond what everybody may
    Role.VIEWER: set(),
    Role.AUDITOR: {
        Right.ROWS,
        Right.EXPORT,
        Right.MARK,
        Right.SIGN_OFF,
        Right.HEALTH,
        Right.EXCEPTIONS,
        Right.EXCEPTION_ASK,
        Right.POLICY,
        Right.USERS,
        Right.RETENTION,
    },
    Role.OPERATOR: {Right.HEALTH, Right.OPERATE, Right.EXCEPTIONS, Right.EXCEPTION_ASK},
    Role.ADMIN: set(Right) - {Right.EXPORT, Right.MARK, Right.SIGN_OFF},
}
EVERYBODY = {Right.ANYONE, Right.OWN, Right.COUNTS, Right.REPORTS}
SETTINGS = {Right.OPERATE, Right.EXCEPTION_GRANT, Right.POLICY_TRY, Right.USERS_MANAGE, Right.RETENTION_MANAGE}
OPEN = {  # what can be sent without log-in: log-in itself, and how this very browser shows pages
    "access.log_in_with_password",
    "access.log_in_with_code",
    "access.follow_link",
    "display.change",
}
AUDITOR_SENDS = {  # endpoint: what it changes: a record is added, or something of the auditor's own
    "access.log_out": "own session",
    "own.password": "own account",
    "own.make_key": "own account",
    "own.set_up": "own account",
    "own.remove_second_factor": "own account",
    "own.end_session": "own session",
    "own.add_token": "own account",
    "own.revoke_token": "own account",
    "log.save_view": "own saved views",
    "log.remove_view": "own saved views",
    "record.mark_it": "a record",
    "record.ask": "a record",
    "reviews.sign": "a record",
    "export.take": "a record, of what was taken out",
    "devices.export": "a record, of what was taken out",
    "reviews.proof": "a record, of what was taken out",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_console(tmp_path_factory.mktemp("console"))


@pytest.mark.parametrize("role", Role)
def test_rights_of_a_role(role: Role) -> None:
    assert set(RIGHTS[role]) == ALLOWED[role] | EVERYBODY


def test_an_auditor_changes_no_setting() -> None:
    assert not RIGHTS[Role.AUDITOR] & SETTINGS


def test_an_admin_signs_nothing_off() -> None:
    assert not RIGHTS[Role.ADMIN] & {Right.SIGN_OFF, Right.MARK}


def changing(app: Flask) -> list[Rule]:
    """The routes that may change something: those that take more than GET."""
    return [rule for rule in app.url_map.iter_rules() if set(rule.methods or ()) - {"GET", "HEAD", "OPTIONS"}]


def url(app: Flask, rule: Rule) -> str:
    """*rule* with something for each of its variables."""
    with app.test_request_context():
        values = {name: 1 if "int" in repr(rule._converters[name]).lower() else "x" for name in rule.arguments}
        return str(app.url_map.bind("localhost").build(rule.endpoint, values, method=min(rule.methods or ())))


def send(browser: Browser, app: Flask, rule: Rule, csrf: str | None) -> int:
    """The status of the answer to what *rule* takes."""
    method = min(set(rule.methods or ()) - {"GET", "HEAD", "OPTIONS"})
    data = {} if csrf is None else {"csrf_token": csrf}
    return browser.open(url(app, rule), method=method, data=data).status_code


def test_every_view_says_who_may_see_it(app: Flask) -> None:
    silent = [name for name, view in app.view_functions.items() if right_of(view) is None]
    assert silent == []


def test_without_log_in_nothing_can_be_sent(app: Flask) -> None:
    browser = anybody(app)
    for rule in changing(app):
        if rule.endpoint not in OPEN:
            assert send(browser, app, rule, browser.csrf) == 401, rule


def test_what_is_open_to_anybody(app: Flask) -> None:
    found = {rule.endpoint for rule in changing(app) if right_of(app.view_functions[rule.endpoint]) is Right.ANYONE}
    assert found == OPEN & {rule.endpoint for rule in changing(app)}


@pytest.mark.parametrize("role", Role)
def test_a_wrong_token_sends_nothing(app: Flask, role: Role) -> None:
    browser = signed_in(app, role)
    for rule in changing(app):
        for csrf in (None, "wrong", browser.csrf + "x"):
            assert send(browser, app, rule, csrf) == 403, rule


@pytest.mark.parametrize("role", Role)
def test_a_role_sends_what_it_has_the_right_to(app: Flask, role: Role) -> None:
    for rule in changing(app):
        right = right_of(app.view_functions[rule.endpoint])
        assert right is not None
        if right not in RIGHTS[role]:
            assert send(signed_in(app, role), app, rule, anybody(app).csrf) == 403, rule


def test_what_an_auditor_sends_are_records_and_his_own(app: Flask) -> None:
    for rule in changing(app):
        browser = signed_in(app, Role.AUDITOR)
        may = send(browser, app, rule, browser.csrf) != 403
        assert may == (rule.endpoint in {*AUDITOR_SENDS, *OPEN}), f"{rule}: does it let an auditor change something?"


def test_without_log_in_a_page_leads_there(app: Flask) -> None:
    answer = anybody(app).get("/users/?sort=name")
    assert (answer.status_code, answer.location) == (303, "/log-in?next=%2Fusers%2F%3Fsort%3Dname")


def test_without_log_in_the_api_says_so(app: Flask) -> None:
    answer = anybody(app).get("/api/v1/records")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")


def test_a_view_that_says_nothing_is_refused(tmp_path: Path) -> None:
    app = a_console(tmp_path)
    app.add_url_rule("/silent", view_func=lambda: "told")
    assert signed_in(app, Role.ADMIN).get("/silent").status_code == 403
