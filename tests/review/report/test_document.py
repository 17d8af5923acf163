import json
from dataclasses import fields

from embargo.review.report.document import document
from embargo.review.report.report import Report
from review.report.made import HOSTILE, made


def test_all_of_it_as_json() -> None:
    report = made()
    text = json.dumps(document(report))
    found = json.loads(text)
    assert set(found) == {field.name for field in fields(Report)}
    assert found["tallies"]["totals"] == dict(report.tallies.totals)
    assert found["period"]["start"] == "2026-11-02T00:00:00.000Z"
    assert found["devices"][1]["user"] == HOSTILE
    assert found["enforcement"]["site"]["seconds"]["gap"] == 10_800
