import pytest

from embargo.review.chart.element import checked_link, element, percent, pixels, void
from review.chart.pictures import HOSTILE, parsed


def test_all_is_escaped() -> None:
    text = element("text", HOSTILE, aria_label=HOSTILE)
    [found] = parsed(text)
    assert found.text == found.attrib["aria-label"]
    assert found.text.startswith("<script>")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_names_of_attributes() -> None:
    assert void("rect", class_="a", stroke_width=1, x=None) == '<rect class="a" stroke-width="1"/>'


LINKS = {  # case: (href, whether it is one)
    "a path": ("/log?q=app%3Aalipay", True),
    "a query": ("?q=x", True),
    "a fragment": ("#orders", True),
    "a page": ("https://law.example/order", True),
    "script": ("javascript:alert(1)", False),
    "script, spelt otherwise": (" JaVaScript:alert(1)", False),
    "data": ("data:text/html,x", False),
    "another host, without scheme": ("//evil.example/", False),
    "a line break within": ("/log\n//x", False),
}


@pytest.mark.parametrize(("href", "fine"), LINKS.values(), ids=LINKS)
def test_links(href: str, fine: bool) -> None:
    if fine:
        assert checked_link(href) == href
    else:
        with pytest.raises(ValueError, match="no link"):
            checked_link(href)


def test_lengths() -> None:
    assert (percent(0.5), percent(1 / 3), percent(0), pixels(12.0), pixels(1.257)) == (
        "50%",
        "33.333%",
        "0%",
        "12",
        "1.26",
    )
