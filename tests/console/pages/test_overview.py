"""The law of the console: any number on the overview, clicked, leads to as many rows, always.

Numbers are read off the page as a browser shows them and followed by HTTP, over random filters. The rows are counted
one by one, page by page, unfolded; and the totals of folded pages add up to the same.
"""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from console.a_week import CLIENTS, a_week, read
from console.links import LEAN, Links, total
from console.signed_in import NOW, Browser, a_console, signed_in
from embargo.console.access.rights import Role
from embargo.console.news import SIGNED_OFF
from embargo.journal import audit
from embargo.journal.event import ConsoleUsed
from worker_answers import answer

_MOST_PAGES = 400


@pytest.fixture(scope="module")
def auditor(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return signed_in(a_week(tmp_path_factory.mktemp("law"), count=150), Role.AUDITOR)


def rows(browser: Browser, url: str, fold: bool) -> Iterator[int]:
    """How many records each row of the list at *url* stands for, over all its pages."""
    parts = urlsplit(url)
    given = [*((name, value) for name, value in parse_qsl(parts.query) if name != "fold"), ("column", "time")]
    following: str | None = f"{parts.path}?{urlencode([*given, *([] if fold else [('fold', 'no')])])}"
    for _ in range(_MOST_PAGES):
        page = browser.get(following).text
        body = (
            page[page.index("<tbody>") : page.index("</tbody>", page.index("<tbody>"))] if "data-rows" in page else ""
        )
        for row in body.split("<tr data-open>")[1:]:
            repeats = re.search(r">([0-9,]+) ×", row)
            yield int(repeats[1].replace(",", "")) if repeats else 1
        older = re.search(r'href="([^"]+)" rel="next"', page)
        if older is None:
            return
        following = older[1].replace("&amp;", "&")
    raise AssertionError("a list without end")


apps = st.sampled_from(("app:wechat", "app:qq", "app:t*", "-app:alipay", "app:none"))
people = st.sampled_from(
    (f"client:{CLIENTS[0]}", "client:10.20.3.0/24", "user:alice", "-user:bob", "-user:*", "user:=a*")
)
places = st.sampled_from(("host:qq.com", "host:*.weixin.*", "weixin", "-host:wechat.com", "surface:http", "role:cdn"))
kinds = st.sampled_from(
    ("class:blocked", "class:would-block", "-class:shared", "verdict:log", "rule:default", "status:451")
)
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
@settings(
    max_examples=7, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)  # shrinking asks thousands of pages
def test_a_number_leads_to_as_many_rows(auditor: Browser, q: str, data: st.DataObject) -> None:
    page = auditor.get("/?" + urlencode({"q": q}))
    assert page.status_code == 200
    numbers = Links(page.text).found
    for url, _ in numbers:
        assert "snapshot=" in url
    for url, count in data.draw(st.permutations(numbers))[:8] if numbers else ():
        answer = auditor.get(url + LEAN)
        assert answer.status_code == 200, url
        assert total(answer.text) == count, url
    small = [pair for pair in numbers if pair[1] <= 200]
    if small:
        url, count = data.draw(st.sampled_from(small))
        assert sum(1 for _ in rows(auditor, url, fold=False)) == count, url
        assert sum(rows(auditor, url, fold=True)) == count, url


def test_numbers_without_a_filter(auditor: Browser) -> None:
    numbers = Links(auditor.get("/").text).found
    assert len(numbers) > 60
    wrong = [(url, count) for url, count in numbers[::3] if total(auditor.get(url + LEAN).text) != count]
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


SIGNED = {  # case: (details of the sign-off, hours before now from which things are new)
    "until the end of its period": ({"until": NOW - timedelta(hours=3)}, 3),
    "where it does not say": ({}, 1),
}


@pytest.mark.parametrize(("details", "hours"), SIGNED.values(), ids=SIGNED)
def test_news_since_the_last_sign_off(tmp_path: Path, details: dict[str, Any], hours: int) -> None:
    app = a_week(tmp_path, count=40)
    browser = signed_in(app, Role.AUDITOR)
    assert "nothing has been signed off yet" in browser.get("/").text
    audit.record(
        tmp_path / "log",
        ConsoleUsed(time=NOW - timedelta(hours=1), action=SIGNED_OFF, user="carol", details=details),
    )
    read(app)
    page = browser.get("/").text
    assert "New since the last sign-off" in page
    assert "by carol, 2026-11-24 09:00 UTC" in page
    news = page.partition('id="news-title"')[2].partition("</section>")[0]
    for url, count in Links(news).found:
        assert f"since:{NOW - timedelta(hours=hours):%Y-%m-%dT%H}" in url
        assert total(browser.get(url).text) == count
    assert "policies that were refused" not in news  # that was two days ago


@pytest.mark.parametrize("most", [500, 2], ids=["a few things happened", "more than a page of them"])
def test_what_is_new_is_counted_alike(auditor: Browser, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("embargo.console.news._MOST", most)
    page = auditor.get("/?q=since:3d").text.partition('id="news-title"')[2].partition("</section>")[0]
    found = Links(page).found
    assert len(found) >= 4
    for url, count in found:
        assert total(auditor.get(url).text) == count, url


HEALTH: dict[str, tuple[dict[str, Any] | None, str]] = {  # case: (what a proxy says, what the page does)
    "none runs": (None, "No proxy answers on this machine."),
    "all is well": (
        answer() | {"log": {"queue": 3, "lost": 0}},
        "1 proxy runs in mode enforce with policy 5f5f5f5f5f5f",
    ),
    "records were lost": (answer() | {"log": {"lost": 2}}, "lost 2 records of the decision log"),
    "a policy was refused": (answer() | {"refused": {"problems": ["x"]}}, "refused the newest policy (1 problem)"),
}


@pytest.mark.parametrize(("said", "shown"), HEALTH.values(), ids=HEALTH)
def test_how_the_proxies_are(tmp_path: Path, said: dict[str, Any] | None, shown: str) -> None:
    app = a_week(tmp_path, count=1)
    with a_proxy(tmp_path / "run", said):
        assert shown in signed_in(app, Role.AUDITOR).get("/").text
        viewers = signed_in(app, Role.VIEWER).get("/").text  # who may not see the proxies' status
    assert shown not in viewers
    assert ("needs an operator" in viewers) == (shown.startswith(("lost", "refused")))


@contextmanager
def a_proxy(directory: Path, said: dict[str, Any] | None) -> Iterator[None]:
    """A proxy's socket that says that to whoever asks."""
    if said is None:
        yield
        return
    directory.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(directory / "17.sock"))
        listening.listen()
        text = json.dumps(said).encode()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


PLACES = {Role.VIEWER: ["Overview", "Log"], Role.AUDITOR: ["Overview", "Log", "Users"]}


@pytest.mark.parametrize(("role", "pages"), PLACES.items(), ids=map(str, PLACES))
def test_navigation_has_what_one_may_see(tmp_path: Path, role: Role, pages: list[str]) -> None:
    page = signed_in(a_console(tmp_path), role).get("/log").text
    shown = re.findall(r'<li><a href="[^"]+"(?: aria-current="page")?>([A-Za-z]+)</a>', page.partition("</nav>")[0])
    assert [name for name in shown if name in pages] == pages
    assert role is not Role.VIEWER or "Users" not in shown
    assert re.search(r'aria-current="page">Log<', page)


def test_a_period_of_ones_own(auditor: Browser) -> None:
    page = auditor.get("/?" + urlencode({"q": "app:wechat", "since": "2026-11-20 08:30", "until": "2026-11-21"})).text
    assert "2026-11-20 08:30:00</time> to <time" in page
    assert "2026-11-21 00:00:00</time>" in page
    for url, count in Links(page).found[:6]:
        assert total(auditor.get(url).text) == count


def test_a_policy_that_no_longer_loads_is_told(tmp_path: Path) -> None:
    app = a_week(tmp_path, count=1)
    browser = signed_in(app, Role.AUDITOR)
    assert browser.get("/").status_code == 200
    (tmp_path / "policy/site.yaml").write_text("version: 1\nrulez: []\n")
    page = browser.get("/")
    assert page.status_code == 200
    assert "what ran before stays" in page.text


LENGTHS = {"a year, in days": "since:365d", "five days, in hours": "since:5d", "three hours": "since:3h"}


@pytest.mark.parametrize("q", LENGTHS.values(), ids=LENGTHS)
def test_bars_add_up_to_the_totals(auditor: Browser, q: str) -> None:
    page = auditor.get("/?" + urlencode({"q": q})).text
    drawn = page.partition('id="over-time"')[2].partition("<details")[0]
    tiles = re.findall(r'class="tile ([a-z-]+)" href="[^"]*" data-count="([0-9]+)"', page)
    assert tiles
    for name, count in tiles:
        bars = [number for url, number in Links(drawn).found if f"class:{name}+" in url]
        assert sum(bars) == int(count), name
