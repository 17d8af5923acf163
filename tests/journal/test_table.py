import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.record import Encoder, Record
from embargo.journal.table import EXPORTED, SHOWN, cell, csv_line, printable, row
from recorded import EVENTS, OBSERVER

CELLS = {  # text: cell
    "alipay": "alipay",
    "": "",
    '=HYPERLINK("http://example.com")': '\'=HYPERLINK("http://example.com")',
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\\t=1",
    "\r=1": "'\\r=1",
    "a=1": "a=1",
    "\x1b[31mred": "\\x1b[31mred",
}


@pytest.mark.parametrize("text", CELLS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == CELLS[text]


@given(st.lists(st.text(), min_size=1).map(tuple))
def test_csv_reads_back(values: tuple[str, ...]) -> None:
    written = csv_line(values)
    assert written.endswith("\r\n")
    assert list(csv.reader(io.StringIO(written))) == [[cell(value) for value in values]]


@given(st.text(st.characters(exclude_categories=[])))
def test_a_terminal_gets_one_line_without_controls(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    shown.encode()


SHOWN_ROWS = {  # golden name: cells for people
    "http-block": (
        "2026-11-24 10:15:00",
        "block",
        "alipay",
        "mobilegw.alipay.com",
        "10.20.30.40 alice",
        "banned-apps",
        "http",
        "rule banned-apps: adopted from the order",
    ),
    "tls-monitor": (
        "2026-11-24 10:15:00",
        "log (would block)",
        "alipay",
        "mobilegw.alipay.com",
        "10.20.30.40 alice",
        "banned-apps",
        "tls",
        "rule banned-apps: adopted from the order",
    ),
    "http-anonymous": (
        "2026-11-24 10:15:00",
        "log",
        "alipay",
        "mobilegw.alipay.com",
        "(anonymous)",
        "shared-infrastructure",
        "http",
        "rule shared-infrastructure",
    ),
    "exception-attempted": (
        "2026-11-24 10:15:00",
        "exception-added (attempt)",
        "alipay",
        "",
        "bob",
        "except-20261124-alipay",
        "",
        "press review",
    ),
    "exception-added": (
        "2026-11-24 10:15:00",
        "exception-added",
        "alipay",
        "",
        "bob",
        "except-20261124-alipay",
        "",
        "press review",
    ),
    "records-lost": ("2026-11-24 10:15:00", "log-loss", "", "", "", "", "", "No space left on device"),
}


@pytest.mark.parametrize("name", SHOWN_ROWS)
def test_rows_for_people(name: str) -> None:
    record = Record.parse(Encoder(OBSERVER).line(EVENTS[name], sequence=1, identifier="x"))
    assert row(SHOWN, record) == SHOWN_ROWS[name]


@pytest.mark.parametrize("name", EVENTS)
def test_rows_for_spreadsheets(name: str) -> None:
    record = Record.parse(Encoder(OBSERVER).line(EVENTS[name], sequence=1, identifier="x"))
    exported = dict(zip(EXPORTED, row(EXPORTED, record), strict=True))
    assert exported["time"] == "2026-11-24T10:15:00.123Z"
    assert exported["action"] == record.action
    assert exported["verdict"] == (record.verdict or "")
