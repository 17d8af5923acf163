"""Exceptions: what holds, for whom and how long; ended at once; asked for by one and granted by another."""

import re
from pathlib import Path

import pytest
from flask import Flask

from console.a_site import a_site
from console.links import wrong
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role
from embargo.policy.load import load

RECORD = re.compile(r'href="/record/([0-9a-f-]{36})"')
WISH = re.compile(r'href="/exceptions/requests/([0-9a-f-]{36})"')


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_site(tmp_path, count=10)


@pytest.fixture
def admin(app: Flask) -> Browser:
    return signed_in(app, Role.ADMIN)


def ask(app: Flask, browser: Browser, app_id: str = "tiktok", reason: str = "a <i>film</i>") -> str:
    """Ask for an exception from a record of that app; the address of the wish."""
    q = f"class:blocked app:{app_id} client:*"
    found = RECORD.search(signed_in(app, Role.AUDITOR).get("/log", query_string={"q": q, "fold": "no"}).text)
    assert found is not None
    answer = browser.post(
        f"/record/{found[1]}/ask",
        data={"csrf_token": browser.csrf, "what": f"app:{app_id}", "whom": "client", "long": "1h", "reason": reason},
    )
    assert answer.status_code == 303
    wish = WISH.search(signed_in(app, Role.ADMIN).get("/exceptions").text)
    assert wish is not None
    return f"/exceptions/requests/{wish[1]}"


def rules(app: Flask) -> dict[str, object]:
    return {rule.id: rule for rule in load(app.extensions["embargo"].settings.policy).policy.rules if rule.exception}


def test_what_holds_and_for_how_long(admin: Browser) -> None:
    page = admin.get("/exceptions").text
    assert "2 in effect" in page and "1 d 8 h left" in page
    assert "asked by <bdi>olga</bdi>, approved by <bdi>admin</bdi>" in page
    wechat = page[page.index("except-20261122-wechat") :].partition("</tr>")[0]
    assert "not in effect" in wechat and "it lacks an approver other than the author, a basis, a ticket" in wechat
    assert "a film of the &lt;b&gt;fair&lt;/b&gt;" in page
    assert wrong(admin, "/policy") == {}


def test_an_operator_sees_them_masked(app: Flask) -> None:
    page = signed_in(app, Role.OPERATOR).get("/exceptions").text
    assert "except-20261124-alipay" in page and "user-" in page
    assert "alice" not in page and "10.20." not in page and "olga" not in page and "End now" not in page


def test_ended_at_once(app: Flask, admin: Browser) -> None:
    data = {"csrf_token": admin.csrf, "reason": "the invoices are paid"}
    assert admin.post("/exceptions/except-20261124-alipay/end", data=data).status_code == 303
    page = admin.get("/exceptions").text
    assert "1 in effect" in page and "the invoices are paid" in page
    again = admin.post("/exceptions/except-20261124-alipay/end", data=data)
    assert again.status_code == 422 and "is ended already" in again.text
    assert admin.post("/exceptions/no-short-video/end", data=data).status_code == 422
    for role in (Role.AUDITOR, Role.OPERATOR, Role.VIEWER):
        other = signed_in(app, role)
        answer = other.post("/exceptions/except-20261201-qq/end", data={"csrf_token": other.csrf})
        assert answer.status_code == 403


def test_asked_by_one_and_granted_by_another(app: Flask, admin: Browser) -> None:
    path = ask(app, signed_in(app, Role.OPERATOR))
    before = rules(app)
    page = admin.get(path).text
    assert "a &lt;i&gt;film&lt;/i&gt;" in page and "Refuse it" in page
    fields = {"csrf_token": admin.csrf, "what": "app:tiktok", "whom": "client", "long": "1h", "reason": "a film"}
    preview = admin.post(path, data=fields).text
    assert "Granting it opens 2 endpoints" in preview
    assert rules(app) == before  # looking changes nothing
    hidden = dict(
        re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', preview.partition("Grant it")[0])
    )
    assert admin.post(f"{path}/grant", data={**hidden, "csrf_token": admin.csrf}).status_code == 303
    (new,) = rules(app).keys() - before.keys()
    rule = rules(app)[new]
    assert (rule.author, rule.approved_by) == ("operator", "admin")  # type: ignore[attr-defined]
    again = admin.post(f"{path}/grant", data=fields)
    assert again.status_code == 422 and "admin has granted it already" in again.text
    assert admin.post(f"{path}/refuse", data={**fields, "reason": "no"}).status_code == 422
    shown = signed_in(app, Role.OPERATOR).get("/exceptions").text
    assert ">granted<" in shown and new in shown
    assert "3 in effect" in admin.get("/exceptions").text


def test_nobody_grants_his_own_wish(app: Flask, admin: Browser) -> None:
    path = ask(app, admin)
    assert "You asked for it yourself" in admin.get(path).text
    fields = {"csrf_token": admin.csrf, "what": "app:tiktok", "whom": "client", "long": "1h", "reason": "a film"}
    before = rules(app)
    for end in ("", "/grant"):
        answer = admin.post(path + end, data=fields)
        assert answer.status_code == 422 and "another admin has to grant it" in answer.text
    assert rules(app) == before
    other = signed_in(app, Role.ADMIN, "second")
    assert other.post(f"{path}/grant", data={**fields, "csrf_token": other.csrf}).status_code == 303


def test_against_an_order_it_has_conditions(app: Flask, admin: Browser) -> None:
    path = ask(app, signed_in(app, Role.OPERATOR), "wechat")
    fields = {"csrf_token": admin.csrf, "what": "app:wechat", "whom": "client", "long": "1h", "reason": "a talk"}
    answer = admin.post(f"{path}/grant", data=fields)
    assert answer.status_code == 422 and "eo-13943, in force, binds this organization" in answer.text
    assert "a basis, a ticket" in answer.text and "approver" not in answer.text.partition("needs")[2].partition("<")[0]
    full = {**fields, "basis": "counsel", "ticket": "LG-7"}
    assert admin.post(f"{path}/grant", data=full).status_code in (303, 422)


def test_refused_with_a_reason(app: Flask, admin: Browser) -> None:
    path = ask(app, signed_in(app, Role.OPERATOR))
    silent = admin.post(f"{path}/refuse", data={"csrf_token": admin.csrf, "reason": " "})
    assert silent.status_code == 422 and "say why" in silent.text
    assert admin.post(f"{path}/refuse", data={"csrf_token": admin.csrf, "reason": "use <b>mail</b>"}).status_code == 303
    page = signed_in(app, Role.OPERATOR).get("/exceptions").text
    assert "use &lt;b&gt;mail&lt;/b&gt;" in page and ">refused<" in page
    for role in (Role.AUDITOR, Role.OPERATOR):
        other = signed_in(app, role)
        assert other.post(f"{path}/refuse", data={"csrf_token": other.csrf, "reason": "x"}).status_code == 403
