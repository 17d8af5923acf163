"""A masked report names no client and no user, in none of its forms."""

import json
from dataclasses import replace

import pytest

from embargo.review.report.document import document
from embargo.review.report.masking import masked
from embargo.review.report.page import page
from embargo.review.report.report import Report
from embargo.review.report.tables import tables
from embargo.review.report.tallies import Ranked, Ranking
from review.report.made import made

FORMS = {
    "page": page,
    "for counsel": lambda report: page(report, counsel=True),
    "JSON": lambda report: json.dumps(document(report)),
    "CSV": lambda report: "".join(table.csv() for table in tables(report)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_names_are_gone(form: object) -> None:
    assert callable(form)
    plain, text = form(made()), form(masked(made()))
    for name in ("10.20.30.1", "press review", "payroll is blocked", "alice", "bob", "carol"):
        assert name in plain
        assert name not in text
    assert "client 1" in text


def test_one_name_for_one_client_and_no_count_changes() -> None:
    before, after = made(), masked(made())
    assert after.masked
    assert [each.counts for each in rows(after)] == [each.counts for each in rows(before)]
    by_key = dict(zip((row.key for row in rows(before)), (row.key for row in rows(after)), strict=True))
    assert after.devices[0].client == by_key["10.20.30.1"]
    assert len(set(by_key.values())) == len(by_key)


def test_what_is_not_recorded_is_nobody() -> None:
    report = made()
    nobody = Ranked(key="", label="none is recorded", counts={"blocked": 1})
    rankings = {**report.tallies.rankings, "client": Ranking(dimension="client", rows=(nobody,))}
    assert rows(masked(replace(report, tallies=replace(report.tallies, rankings=rankings)))) == (nobody,)


def rows(report: Report) -> tuple:
    return report.tallies.rankings["client"].rows
