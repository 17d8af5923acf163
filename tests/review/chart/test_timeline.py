import pytest

from embargo.review.chart.timeline import timeline
from review.chart.pictures import HOSTILE, agreed, days, parsed

WEEK = days(
    {"blocked": 12, "would-block": 3, "logged": 4},
    {"blocked": 40, "allowed": 1},
    {},
    {"blocked": 1, "shared": 500},
    hrefs=True,
)


def test_as_agreed() -> None:
    text = timeline("traffic", "Requests over time", WEEK)
    parsed(text)
    agreed("timeline.html", text)


def test_each_bar_and_each_number_leads_to_what_it_counts() -> None:
    root = parsed(timeline("traffic", "Requests", WEEK))
    in_drawing = [each.attrib["href"] for each in root.findall(".//svg//a")]
    in_table = [each.attrib["href"] for each in root.findall(".//table//a")]
    assert sorted(in_drawing) == sorted(in_table)
    assert sorted(in_drawing) == sorted(bucket.hrefs[key] for bucket in WEEK for key in bucket.counts)


def test_bars_lie_within_the_drawing() -> None:
    bars = [rect for rect in parsed(timeline("t", "T", WEEK)).findall(".//g/rect")]
    assert len(bars) == 7
    for bar in bars:
        assert float(bar.attrib["y"]) >= 0
        assert float(bar.attrib["x"].rstrip("%")) + float(bar.attrib["width"].rstrip("%")) <= 100


EMPTY = {"no time": days(), "no counts": days({}, {"blocked": 0})}


@pytest.mark.parametrize("buckets", EMPTY.values(), ids=EMPTY)
def test_nothing(buckets: list) -> None:
    text = timeline("t", "Requests", buckets)
    assert "<svg" not in text
    assert "nothing was recorded" in text or "No time" in text


def test_hostile_words() -> None:
    root = parsed(timeline("t", HOSTILE, WEEK, zone=HOSTILE))
    assert root.find(".//script") is None
