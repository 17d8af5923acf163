"""Rows taken out as a file: whole, harmless, and on record."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from flask import Flask

from console.a_week import a_week
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role
from embargo.journal.reader import Reader


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_week(tmp_path, count=80)


@pytest.fixture
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


def taken(browser: Browser, form: str, q: str = "", **more: str) -> str:
    answer = browser.post("/log/export", data={"csrf_token": browser.csrf, "form": form, "q": q, **more})
    assert answer.status_code == 200
    assert re.fullmatch(
        r'attachment; filename="embargo-log-[0-9TZ]+\.(csv|jsonl)"', answer.headers["Content-Disposition"]
    )
    return answer.data.decode()


def total(browser: Browser, q: str) -> int:
    found = re.search(r'data-total="([0-9]+)"', browser.get("/log", query_string={"q": q}).text)
    assert found
    return int(found[1])


@pytest.mark.parametrize("q", ["", "class:blocked", "app:wechat -user:alice since:3d", "app:none"])
def test_as_many_rows_as_the_page_says(auditor: Browser, q: str) -> None:
    count = total(auditor, q)
    lines = taken(auditor, "jsonl", q).splitlines()
    head, records = json.loads(lines[0])["embargo-export"], [json.loads(line) for line in lines[1:]]
    again = total(auditor, q)  # an export is a record, too
    assert head["rows"] == len(records)
    assert count <= len(records) <= again
    assert [record["@timestamp"] for record in records] == sorted(record["@timestamp"] for record in records)
    table = [row for row in csv.reader(io.StringIO(taken(auditor, "csv", q))) if not row[0].startswith("# ")]
    assert len(table) - 1 >= len(records)


def test_the_first_lines_say_what_it_is(auditor: Browser) -> None:
    lines = taken(auditor, "csv", "class:blocked since:2026-11-20").splitlines()
    assert lines[0] == "# filter: class:blocked since:2026-11-20T00:00:00Z"
    assert lines[1] == "# period: 2026-11-20T00:00:00Z to the newest"
    assert re.fullmatch("# policies: [0-9a-f]{64}", lines[2])
    assert re.fullmatch("# rows: [0-9]+", lines[3])
    assert lines[4] == "# by: auditor"
    assert lines[5] == "# at: 2026-11-24T10:00:00Z"


def test_no_cell_is_a_formula(auditor: Browser) -> None:
    text = taken(auditor, "csv", "client:10.66.6.6")
    for row in csv.reader(io.StringIO(text)):
        for cell in row:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cell), cell
    assert "'=cmd" in text and "'+1+1" in text


def test_it_is_recorded_before_it_leaves(app: Flask, auditor: Browser, tmp_path: Path) -> None:
    taken(auditor, "csv", "app:wechat")
    (record,) = [entry.record for entry in Reader(tmp_path / "log").entries(lambda record: record.action == "export")]
    assert record.user == "auditor"
    details = record.document["embargo"]["console"]
    assert (details["filter"], details["form"]) == ("app:wechat", "csv")
    assert details["rows"] > 0


def test_a_snapshot_is_kept(auditor: Browser) -> None:
    page = auditor.get("/log?q=app:qq").text
    fields = dict(
        re.findall(r'<input type="hidden" name="(q|snapshot)" value="([^"]*)">', page.partition("data-export")[2])
    )
    count = json.loads(taken(auditor, "jsonl", **fields).splitlines()[0])["embargo-export"]["rows"]
    assert count == total(auditor, "app:qq")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_records_that_have_gone_are_told(auditor: Browser, tmp_path: Path, form: str) -> None:
    """A file that is deleted while it is exported: no reader takes what is left for all that there was."""
    page = auditor.get("/log?q=class:blocked").text
    snapshot = re.search(r'name="snapshot" value="([0-9]+)"', page)
    assert snapshot
    (file,) = (tmp_path / "log").glob("decisions.jsonl")
    file.write_bytes(b"")
    lines = taken(auditor, form, "class:blocked", snapshot=snapshot[1]).splitlines()
    count = json.loads(lines[0])["embargo-export"]["rows"] if form == "jsonl" else int(lines[3].rpartition(" ")[2])
    assert count > 0
    assert f"{count} of these records are no longer in the log" in lines[-1].replace(",", "")


REFUSED = {  # case: (role, fields, status)
    "a viewer": (Role.VIEWER, {"form": "csv"}, 403),
    "an admin": (Role.ADMIN, {"form": "csv"}, 403),
    "another form": (Role.AUDITOR, {"form": "xlsx"}, 400),
    "no filter": (Role.AUDITOR, {"form": "csv", "q": "aap:x"}, 400),
    "without our page's token": (Role.AUDITOR, {"form": "csv", "csrf_token": "x"}, 403),
}


@pytest.mark.parametrize(("role", "fields", "status"), REFUSED.values(), ids=REFUSED)
def test_refused(app: Flask, tmp_path: Path, role: Role, fields: dict[str, str], status: int) -> None:
    browser = signed_in(app, role)
    assert browser.post("/log/export", data={"csrf_token": browser.csrf, **fields}).status_code == status
    assert not list(Reader(tmp_path / "log").entries(lambda record: record.action == "export"))


def test_it_cannot_be_asked_for_by_a_link(auditor: Browser) -> None:
    assert auditor.get("/log/export?form=csv").status_code == 405
