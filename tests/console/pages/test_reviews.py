"""Reviews: what is new, signed off by an auditor and by nobody else, and what comes later into a signed period."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from console import a_week
from console.a_site import _phone, a_site, append
from console.links import wrong
from console.signed_in import NOW, Browser, signed_in
from embargo.console.access.rights import Role
from embargo.journal.files import STEM, live_name
from embargo.policy.load import load

SIGNED = re.compile(r'href="/reviews/([0-9a-f-]{36})"')
PERIOD = {"since": "2026-11-17", "until": "2026-11-20"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_site(tmp_path, count=10)


@pytest.fixture
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


def sign(browser: Browser, **fields: str) -> tuple[int, str]:
    answer = browser.post("/reviews", data={"csrf_token": browser.csrf, **PERIOD, **fields})
    return answer.status_code, answer.text


def signed(browser: Browser) -> str:
    found = SIGNED.search(browser.get("/reviews").text)
    assert found is not None
    return f"/reviews/{found[1]}"


def late(app: Flask, time: datetime) -> None:
    """A record of *time*, written now."""
    log = app.extensions["embargo"].settings.log
    loaded = load(app.extensions["embargo"].settings.policy)
    lines = (log / live_name(STEM, 1)).read_bytes().count(b"\n")
    event = replace(_phone(loaded, 0, time), id="019dc9a8-0000-7000-8003-000000000001")
    append(log, iter([event]), lines + 1000)
    a_week.read(app)


def test_signed_off_and_seen_so(app: Flask, auditor: Browser) -> None:
    assert wrong(auditor, "/reviews") == {}
    assert sign(auditor, note="Looked at <b>WeChat</b>.\nNothing odd.")[0] == 303
    page = auditor.get("/reviews").text
    assert "New since the end of what was signed off" in page and "&lt;b&gt;WeChat&lt;/b&gt;" in page
    assert f'datetime="{datetime(2026, 11, 20):%Y-%m-%dT%H:%M:%S}.000Z"' in page
    one = auditor.get(signed(auditor)).text
    assert "it was not sealed" in one  # the made log is not
    assert "came after it was signed off" not in one
    assert wrong(auditor, signed(auditor)) == {}
    overview = auditor.get("/").text
    assert "New since the last sign-off" in overview
    second = sign(auditor, since="2026-11-21", until="2026-11-22")
    assert second[0] == 303
    assert "nobody signed from" in auditor.get("/reviews").text
    assert "there, and the same" in auditor.get(signed(auditor)).text  # of the audit chain, which is sealed


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR, Role.VIEWER])
def test_nobody_else_signs(app: Flask, role: Role) -> None:
    other = signed_in(app, role)
    assert sign(other)[0] == 403
    if role is Role.ADMIN:
        assert "Whoever may change the policy does not review what it did" in other.get("/reviews").text


BAD = {  # case: (fields, what the page says)
    "not over yet": ({"until": "2027-01-01"}, "is not over yet"),
    "backwards": ({"since": "2026-11-21"}, "ends before it begins"),
    "no time": ({"since": "yesterday-ish"}, "is no time"),
    "nothing": ({"since": ""}, "say from when"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_signed(auditor: Browser, case: str) -> None:
    fields, said = BAD[case]
    status, page = sign(auditor, **fields)
    assert status == 422 and said in page
    assert SIGNED.search(auditor.get("/reviews").text) is None


def test_what_comes_later_cannot_slip_under_it(app: Flask, auditor: Browser) -> None:
    assert sign(auditor)[0] == 303
    late(app, NOW - timedelta(days=5))
    page = auditor.get(signed(auditor)).text
    assert "1 record of this period came after it was signed off" in page
    assert "019dc9a8-0000-7000-8003-000000000001" in page
    assert re.search(r'href="/reviews/[^"]+#late">1<', auditor.get("/reviews").text)
    other = app.extensions["embargo"]
    other.store.rebuild()  # rows get other numbers; the pins are of the files
    assert "1 record of this period came after it was signed off" in auditor.get(signed(auditor)).text
    second = sign(auditor)  # whoever signs again has seen it
    assert second[0] == 303
    assert "came after it was signed off" not in auditor.get(signed(auditor)).text


def test_another_record_where_the_log_ended(app: Flask, auditor: Browser) -> None:
    assert sign(auditor)[0] == 303 and sign(auditor)[0] == 303  # the second pins the first one's seal
    path = app.extensions["embargo"].settings.log / "audit.jsonl"
    data = path.read_bytes()
    first = data.splitlines()[-3][-66:-3]  # the end of the seal of the checkpoint behind the first
    path.write_bytes(data.replace(first + b'"}}', b"0" * len(first) + b'"}}', 1))
    assert "another record stands there now" in auditor.get(signed(auditor)).text


def test_the_proof(app: Flask, auditor: Browser) -> None:
    assert sign(auditor)[0] == 303
    answer = auditor.post(f"{signed(auditor)}/proof", data={"csrf_token": auditor.csrf})
    assert answer.headers["Content-Type"].startswith("text/plain")
    for part in ("Sign-off ", '"action":"period-signed-off"', '"seal":"', "BEGIN PUBLIC KEY", "chain decisions ended"):
        assert part in answer.text
    admin = signed_in(app, Role.ADMIN)
    assert admin.post(f"{signed(auditor)}/proof", data={"csrf_token": admin.csrf}).status_code == 403
