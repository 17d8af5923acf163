"""The law of the console: any number on the overview, clicked, leads to as many rows, always.

Numbers are read off the page as a browser shows them and followed by HTTP, over random filters. The rows are counted
one by one, page by page, unfolded; and the totals of folded pages add up to the same.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.a_week import CLIENTS, a_policy, write
from console.signed_in import NOW, Browser, a_console, signed_in
from embargo.console.access.rights import Role

_MOST_PAGES = 400


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    directory = tmp_path_factory.mktemp("law")
    write(directory / "log", a_policy(directory / "policy"), count=150)
    return signed_in(a_console(directory, policy=(directory / "policy/site.yaml",)), Role.AUDITOR)


class Links(HTMLParser):
    """The links to the log whose text is a number, bars of charts included."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self._open: str | None = None
        self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            given = dict(attrs)
            self._open = given.get("href") if (given.get("href") or "").startswith("/log?") else None
            self._text = ""
            label = given.get("aria-label") or ""
            if self._open and (counted := re.fullmatch(r".*: ([0-9,]+) [a-z ]+", label)):
                self._add(counted[1])
                self._open = None
            elif self._open and given.get("data-count"):
                self._add(given["data-count"] or "")
                self._open = None

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open and (counted := re.match(r"\s*([0-9][0-9,]*)(?![0-9:-])", self._text)):
            self._add(counted[1])
        if tag == "a":
            self._open = None

    def _add(self, number: str) -> None:
        assert self._open is not None
        self.found.append((self._open, int(number.replace(",", ""))))


def total(page: str) -> int:
    found = re.search(r'id="total" data-total="([0-9]+)"', page)
    assert found, "the page says how many there are"
    return int(found[1])


def rows(browser: Browser, url: str, fold: bool) -> Iterator[int]:
    """How many records each row of the list at *url* stands for, over all its pages."""
    parts = urlsplit(url)
    given = [(name, value) for name, value in parse_qsl(parts.query) if name != "fold"]
    following: str | None = f"{parts.path}?{urlencode([*given, *([] if fold else [('fold', 'no')])])}"
    for _ in range(_MOST_PAGES):
        page = browser.get(following).text
        body = page[page.index("<tbody>") : page.index("</tbody>", page.index("<tbody>"))] if "data-rows" in page else ""
        for row in body.split("<tr data-open>")[1:]:
            repeats = re.search(r">([0-9,]+) ×", row)
            yield int(repeats[1].replace(",", "")) if repeats else 1
        older = re.search(r'href="([^"]+)" rel="next"', page)
        if older is None:
            return
        following = older[1].replace("&amp;", "&")
    raise AssertionError("a list without end")


apps = st.sampled_from(("app:wechat", "app:qq", "app:t*", "-app:alipay", "app:none"))
people = st.sampled_from((f"client:{CLIENTS[0]}", "client:10.20.3.0/24", "user:alice", "-user:bob", "-user:*", "user:=a*"))
places = st.sampled_from(("host:qq.com", "host:*.weixin.*", "weixin", "-host:wechat.com", "surface:http", "role:cdn"))
kinds = st.sampled_from(("class:blocked", "class:would-block", "-class:shared", "verdict:log", "rule:default", "status:451"))
hours = st.integers(0, 8 * 24 * 3600)
times = st.one_of(
    st.sampled_from(("since:7d", "since:1d", "since:3h", "since:90m")),
    st.tuples(hours, hours).map(
        lambda pair: " ".join(
            f"{name}:{(NOW - timedelta(seconds=ago)).isoformat().replace('+00:00', 'Z')}"
            for name, ago in zip(("since", "until"), sorted(pair, reverse=True), strict=True)
        )
    ),
)
filters = st.lists(st.one_of(apps, people, places, kinds, times), max_size=3).map(" ".join)


@given(filters, st.data())
@settings(max_examples=15, deadline=None)
def test_a_number_leads_to_as_many_rows(auditor: Browser, q: str, data: st.DataObject) -> None:
    page = auditor.get("/?" + urlencode({"q": q}))
    assert page.status_code == 200
    numbers = Links(page.text).found
    for url, _ in numbers:
        assert "snapshot=" in url
    for url, count in data.draw(st.permutations(numbers))[:12] if numbers else ():
        answer = auditor.get(url)
        assert answer.status_code == 200, url
        assert total(answer.text) == count, url
    small = [pair for pair in numbers if pair[1] <= 300]
    if small:
        url, count = data.draw(st.sampled_from(small))
        assert sum(1 for _ in rows(auditor, url, fold=False)) == count, url
        assert sum(rows(auditor, url, fold=True)) == count, url


def test_every_number_without_a_filter(auditor: Browser) -> None:
    numbers = Links(auditor.get("/").text).found
    assert len(numbers) > 60
    wrong = [(url, count) for url, count in numbers if total(auditor.get(url).text) != count]
    assert not wrong


def test_would_block_and_shared_are_never_added_to_blocked(auditor: Browser) -> None:
    page = auditor.get("/").text
    tiles = dict(re.findall(r'class="tile ([a-z-]+)" href="[^"]*" data-count="([0-9]+)"', page))
    assert set(tiles) == {"blocked", "would-block", "logged", "allowed", "shared"}
    blocked = total(auditor.get("/log?q=verdict:block").text)
    assert int(tiles["blocked"]) == blocked
    for name in ("would-block", "shared"):
        assert total(auditor.get(f"/log?q=class:{name}+verdict:block").text) == 0


def test_a_snapshot_holds_while_more_is_written(auditor: Browser) -> None:
    url, count = next(pair for pair in Links(auditor.get("/").text).found if pair[1] > 3)
    assert auditor.get(url).status_code == 200
    auditor.post("/log/views", data={"csrf_token": auditor.csrf, "name": "x", "query": "q=app:qq"})
    auditor.post("/log/export", data={"csrf_token": auditor.csrf, "form": "csv", "q": "app:qq"})  # writes a record
    assert total(auditor.get(url).text) == count
