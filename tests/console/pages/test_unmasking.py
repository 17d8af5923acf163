"""Who stands behind a pseudonym: an admin finds out, with a reason, and it is on record that he looked."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from console.a_week import read
from console.signed_in import NOW, Browser, a_console, signed_in
from embargo.console.access.rights import Role
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import ClientForm
from embargo.journal.ecs import Observer
from embargo.journal.event import Judged
from embargo.journal.pseudonym import Pseudonyms, ensure_key
from embargo.journal.writer import Journal

CLIENT = "10.20.3.4"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_console(tmp_path)


@pytest.fixture
def pseudonym(tmp_path: Path) -> str:
    return ensure_key(tmp_path / "state", NOW).pseudonym(CLIENT)


def look(browser: Browser, pseudonym: str, **form: str) -> Any:
    given = {"csrf_token": browser.csrf, "networks": "10.20.0.0/20", "reason": "incident 17", **form}
    return browser.post(f"/pseudonyms/{pseudonym}", data=given)


def looked(directory: Path) -> list[tuple[str, str, str]]:
    """Who looked, with what outcome and why."""
    lines = map(json.loads, (directory / "log" / "audit.jsonl").read_text().splitlines())
    return [
        (line["user"]["name"], line["event"]["outcome"], line["event"]["reason"])
        for line in lines
        if line["event"]["action"] == "pseudonym-resolved"
    ]


def test_an_admin_looks_and_it_is_on_record(app: Flask, tmp_path: Path, pseudonym: str) -> None:
    admin = signed_in(app, Role.ADMIN)
    assert "Reason" in admin.get(f"/pseudonyms/{pseudonym}").text
    answer = look(admin, pseudonym, networks="10.10.0.1, 10.20.0.0/20")
    assert (answer.status_code, f"<strong>{CLIENT}</strong>" in answer.text) == (200, True)
    assert looked(tmp_path) == [("admin", "unknown", "incident 17"), ("admin", "success", "incident 17")]
    assert CLIENT not in (tmp_path / "log" / "audit.jsonl").read_text()
    assert "None of these addresses" in look(admin, pseudonym, networks="10.21.0.0/20").text


REFUSED = {  # case: (what is sent instead, part of the message)
    "no reason": ({"reason": " \n"}, "a reason"),
    "a reason without end": ({"reason": "x" * 1_001}, "a reason"),
    "no network": ({"networks": " "}, "name an address or a network"),
    "none that is one": ({"networks": "10.20.0.0/20 <b>"}, "&lt;b&gt;"),
    "too many addresses": ({"networks": "10.0.0.0/8"}, "too many"),
    "too many of IPv6": ({"networks": "2001:db8::/32"}, "too many"),
}


@pytest.mark.parametrize(("sent", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_not_looked_for(
    app: Flask, tmp_path: Path, pseudonym: str, sent: dict[str, str], told: str
) -> None:
    answer = look(signed_in(app, Role.ADMIN), pseudonym, **sent)
    assert (answer.status_code, told in answer.text) == (422, True)
    assert not (tmp_path / "log" / "audit.jsonl").exists()


def test_a_key_that_is_gone_is_told(app: Flask, pseudonym: str, tmp_path: Path) -> None:
    (tmp_path / "state/privacy/client-keys.json").unlink()
    answer = look(signed_in(app, Role.ADMIN), pseudonym)
    assert (answer.status_code, "was forgotten" in answer.text) == (422, True)


def test_what_is_no_pseudonym_has_no_page(app: Flask) -> None:
    assert signed_in(app, Role.ADMIN).get("/pseudonyms/10.20.3.4").status_code == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.OPERATOR])
def test_nobody_else_looks(app: Flask, pseudonym: str, role: Role) -> None:
    browser = signed_in(app, role)
    assert browser.get(f"/pseudonyms/{pseudonym}").status_code == 403
    assert look(browser, pseudonym).status_code == 403


def test_a_record_leads_there_for_an_admin_alone(app: Flask, tmp_path: Path, pseudonym: str) -> None:
    event = Judged(
        id="019dc9a8-0000-7000-8000-000000000001",
        time=NOW,
        decision=Decision(verdict=Verdict.BLOCK, reason=Reason.DEFAULT),
        surface=Surface.TLS,
        connection="c-1",
        client=CLIENT,
        client_form=ClientForm.PSEUDONYM,
    )
    observer = Observer(hostname="proxy", version="1", pid=1)
    journal = Journal(tmp_path / "log", observer=observer, pseudonyms=Pseudonyms(tmp_path / "state", lambda: NOW))
    journal.start()
    assert journal.offer(event)
    journal.close()
    read(app)
    for role in Role:
        shown = signed_in(app, role).get(f"/record/{event.id}").text
        assert (f"/pseudonyms/{pseudonym}" in shown) == (role is Role.ADMIN), role
