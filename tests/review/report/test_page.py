"""The page: as agreed, harmless, and in need of nothing else."""

import base64
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from embargo.review.report.page import page
from embargo.review.report.period import Period
from review.chart.pictures import agreed
from review.report.made import made
from review.report.test_gathering import report
from review.report.written import END, START, write_log

VIEWS = {"report": False, "counsel": True}


class Reader(HTMLParser):
    """Tags, links and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    handle_startendtag = handle_starttag


@pytest.mark.parametrize("counsel", VIEWS.values(), ids=VIEWS)
def test_as_agreed(counsel: bool) -> None:
    text = page(made(), counsel=counsel)
    agreed("counsel.html" if counsel else "report.html", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("counsel", VIEWS.values(), ids=VIEWS)
def test_nothing_runs_and_nothing_loads(counsel: bool) -> None:
    found = Reader(page(made(), counsel=counsel))
    assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base"} & set(found.tags)
    for _, name, value in found.attributes:
        assert name not in ("style", "src", "srcset") and not name.startswith("on")
        if name == "href":
            assert value is not None and re.match(r"https://|#", value), value
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_its_policy_permits_its_own_style_alone() -> None:
    text = page(made())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert style is not None and policy is not None
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;" in policy[1] or (
        f"default-src 'none'; style-src 'sha256-{digest}'" in policy[1]
    )
    assert "url(" not in style[1] and "@import" not in style[1]


@pytest.mark.parametrize("counsel", VIEWS.values(), ids=VIEWS)
def test_what_was_never_asked_for_is_shown_as_text(counsel: bool) -> None:
    text = page(made(), counsel=counsel)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "\x1b" not in text and "\u202e" not in text
    assert 'href="javascript' not in text


@pytest.mark.parametrize("counsel", VIEWS.values(), ids=VIEWS)
def test_a_period_without_records(tmp_path: Path, counsel: bool) -> None:
    (tmp_path / "log").mkdir()
    text = page(report(tmp_path / "log", Period(start=START, end=END)), counsel=counsel)
    assert "Nothing was recorded in this period" in text or counsel
    assert "No record says which policy was in force" in text


def test_a_gap_is_told(tmp_path: Path) -> None:
    write_log(tmp_path / "log", gap=True)
    text = page(report(tmp_path / "log", Period(start=START, end=END)), counsel=True)
    assert "83.33 %" in text
    assert "gap: nobody can say that it was enforced" in text
    assert "One exception lets something through that an order in force forbids" in text
