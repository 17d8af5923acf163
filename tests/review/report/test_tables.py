import csv
import io

from embargo.review.report.tables import tables
from embargo.review.report.tallies import CLASSES
from review.report.made import made


def test_no_cell_is_a_formula_and_no_line_is_broken() -> None:
    for table in tables(made()):
        text = table.csv()
        rows = list(csv.reader(io.StringIO(text), strict=True))
        assert rows[0] == list(table.columns)
        assert len(rows) == len(table.rows) + 1
        assert {len(row) for row in rows} == {len(table.columns)}, table.name
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_tables_say_what_the_report_says() -> None:
    report = made()
    found = {each.name: each for each in tables(report)}
    assert dict(found["totals"].rows) == {key: str(report.tallies.totals[key]) for key in CLASSES}
    for place, key in enumerate(CLASSES, 2):
        assert sum(int(row[place]) for row in found["over-time"].rows) == report.tallies.totals[key]
    assert len(found["enforcement"].rows) == len(report.enforcement.site.stretches)
    assert [row[7] for row in found["devices"].rows] == ["yes", "no"]
    assert dict(found["about"].rows)["share gap"] == "0.60 %"


def test_every_table_is_there_once() -> None:
    names = [table.name for table in tables(made())]
    assert len(names) == len(set(names)) == 23
