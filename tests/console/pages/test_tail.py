"""The live tail's stream: what comes, as rows; where it ended it goes on; refused where it may not be."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from console.a_week import a_week
from console.signed_in import Browser, signed_in
from embargo.console.access.desk import KEY
from embargo.console.access.rights import Role
from embargo.console.context import KEY as CONSOLE
from embargo.console.context import Console


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return a_week(tmp_path, count=5)


def events(browser: Browser, path: str, **headers: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of each event, as they come."""
    answer = browser.get(path, headers=headers, buffered=False)
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    try:
        for piece in answer.iter_encoded():
            members = dict(
                line.split(": ", 1) for line in piece.decode().splitlines() if ": " in line and line[0] != ":"
            )
            if "event" in members:
                yield members["event"], json.loads(members["data"])
    finally:
        answer.close()


def log_in(app: Flask, name: str) -> None:
    """Something happens."""
    with app.test_request_context():
        app.extensions[KEY].record("log-in", account=name, details={"way": "test"})


def test_what_comes(app: Flask) -> None:
    auditor = signed_in(app, Role.AUDITOR)
    stream = events(auditor, "/log/tail?q=action:log-in&after=0")
    log_in(app, "<b>eve</b>")
    name, data = next(stream)
    assert name == "rows"
    assert len(data["rows"]) == 1 and "&lt;b&gt;eve&lt;/b&gt;" in data["rows"][0]
    log_in(app, "mallory")
    _, data = next(stream)
    assert ["mallory" in row for row in data["rows"]] == [True]  # what was sent comes no second time
    stream.close()


def test_it_goes_on_where_it_ended(app: Flask) -> None:
    auditor = signed_in(app, Role.AUDITOR)
    highest = app.extensions["embargo"].store.snapshot()
    log_in(app, "eve")
    stream = events(auditor, "/log/tail?q=&after=0", **{"Last-Event-ID": str(highest)})
    _, data = next(stream)
    assert len(data["rows"]) == 1
    stream.close()


@pytest.mark.parametrize("fold", ["yes", "no"])
def test_rows_have_the_columns_of_the_page(app: Flask, fold: str) -> None:
    auditor = signed_in(app, Role.AUDITOR)
    page = auditor.get(f"/log?q=action:log-in&column=user&column=rule&fold={fold}").text
    address = re.search(r'data-tail="([^"]+)"', page)
    assert address
    log_in(app, "eve")
    stream = events(auditor, address[1].replace("&amp;", "&"))
    _, data = next(stream)
    stream.close()
    heads = page.partition("<thead>")[2].partition("</thead>")[0].count("<th ")
    (row,) = data["rows"]
    assert row.count("<td") + row.count("<th") == heads
    assert "fold=no" not in row or fold == "no"  # a filter for a value folds as the page does


def test_a_viewer_sees_nobody(app: Flask) -> None:
    stream = events(signed_in(app, Role.VIEWER), "/log/tail?q=app:wechat&after=0")
    _, data = next(stream)
    assert data["rows"]
    assert "10.20." not in "".join(data["rows"]) and "client-" in "".join(data["rows"])
    stream.close()


REFUSED = {  # case: (query, what is said)
    "a filter that is none": ("aap:x", "unknown key"),
    "for whom one may not see": ("user:alice", "sees no clients and users"),
}


@pytest.mark.parametrize(("query", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_in_words(app: Flask, query: str, said: str) -> None:
    ((name, data),) = events(signed_in(app, Role.VIEWER), f"/log/tail?q={query}")
    assert name == "refused"
    assert said in data["message"]


def test_nobody_takes_all_the_room(app: Flask) -> None:
    greedy, other = signed_in(app, Role.AUDITOR), signed_in(app, Role.AUDITOR, "other")
    console: Console = app.extensions[CONSOLE]
    with ExitStack() as views:
        for _ in range(console.settings.access.tails // 2):
            stream = greedy.get("/log/tail?q=", buffered=False)
            views.callback(stream.close)
            assert next(stream.iter_encoded()).startswith(b"retry:")
        ((name, data),) = events(greedy, "/log/tail?q=")
        assert (name, "as many as one may have" in data["message"]) == ("refused", True)
        stream = other.get("/log/tail?q=", buffered=False)
        views.callback(stream.close)
        assert next(stream.iter_encoded()).startswith(b"retry:")


def test_no_more_than_there_may_be(app: Flask) -> None:
    auditor = signed_in(app, Role.AUDITOR)
    console: Console = app.extensions[CONSOLE]
    with ExitStack() as others:
        for number in range(console.settings.access.tails):
            others.enter_context(console.tail(f"account {number}"))
        ((name, data),) = events(auditor, "/log/tail?q=")
        assert (name, "as many as there may be" in data["message"]) == ("refused", True)
    for _ in range(console.settings.access.tails + 1):  # each gives its room back
        stream = auditor.get("/log/tail?q=", buffered=False)
        assert next(stream.iter_encoded()).startswith(b"retry:")
        stream.close()
