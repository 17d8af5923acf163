from embargo.review.chart.multiples import Panel, multiples
from review.chart.pictures import HOSTILE, agreed, days, parsed

PANELS = [
    Panel(label="Alipay", buckets=days({"blocked": 40}, {"blocked": 20, "would-block": 3}), href="?q=app%3Aalipay"),
    Panel(label=HOSTILE, buckets=days({}, {"logged": 2})),
]


def test_as_agreed() -> None:
    text = multiples("apps", "Apps over time", "app", PANELS)
    parsed(text)
    agreed("multiples.html", text)


def test_all_have_one_scale() -> None:
    rects = parsed(multiples("apps", "Apps", "app", PANELS)).findall(".//g/rect")
    heights = [float(rect.attrib["height"]) for rect in rects]
    assert heights[0] > 2 * heights[-1]


def test_no_panels() -> None:
    parsed(multiples("apps", "Apps", "app", []))
