import pytest

from embargo.review.chart.bars import Row, bars
from review.chart.pictures import HOSTILE, agreed, parsed

ROWS = [
    Row(
        label="Alipay",
        counts={"blocked": 900, "would-block": 300},
        href="?q=app%3Aalipay",
        hrefs={"blocked": "?q=app%3Aalipay+verdict%3Ablock"},
        note="seen on 3 clients",
    ),
    Row(label="WeChat Pay", counts={"logged": 12}),
    Row(label=HOSTILE, counts={"blocked": 1}),
]


def test_as_agreed() -> None:
    text = bars("apps", "Apps", "app", ROWS, more="and 12 more")
    parsed(text)
    agreed("bars.html", text)


def test_the_numbers_are_there_and_lead_to_what_they_count() -> None:
    root = parsed(bars("apps", "Apps", "app", ROWS))
    cells = [["".join(cell.itertext()) for cell in row.findall("td")] for row in root.findall(".//tbody/tr")]
    assert cells == [["900", "300", "0"], ["0", "0", "12"], ["1", "0", "0"]]
    assert [each.attrib["href"] for each in root.findall(".//a")] == [
        "?q=app%3Aalipay",
        "?q=app%3Aalipay+verdict%3Ablock",
    ]


def test_nothing() -> None:
    assert "None." in bars("apps", "Apps", "app", [])


def test_a_link_that_would_run_is_refused() -> None:
    with pytest.raises(ValueError, match="no link"):
        bars("apps", "Apps", "app", [Row(label="x", counts={"blocked": 1}, href="javascript:alert(1)")])
