"""HTTP archives: what is asked for, by whom it was answered, and what is within the browser."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic.har import read

TIME = "2026-11-24T13:00:00.500+01:00"
WHEN = datetime(2026, 11, 24, 12, 0, 0, 500_000, UTC)


def entry(url: object, method: str = "GET", headers: dict[str, str] | None = None, **members: Any) -> dict[str, Any]:
    named = [{"name": name, "value": value} for name, value in (headers or {}).items()]
    request = {"method": method, "url": url, "httpVersion": "HTTP/1.1", "headers": named}
    return {"startedDateTime": TIME, "time": 1.5, "request": request, "response": {"content": {"text": "x"}}, **members}


def har(*entries: object) -> bytes:
    return json.dumps({"log": {"version": "1.2", "pages": [{"id": "p"}], "entries": entries}}).encode()


ENTRIES: dict[str, tuple[dict[str, Any], list[Seen]]] = {
    "a request": (
        entry("https://a.test/x?y=1", headers={"User-Agent": "Browser/1", "Host": "a.test"}),
        [Seen(request="https://a.test/x?y=1", time=WHEN, user_agent="Browser/1")],
    ),
    "the server's address": (
        entry("https://a.test/", serverIPAddress="[2001:db8::1]"),
        [Seen(request="https://a.test/", time=WHEN, names=("[2001:db8::1]",))],
    ),
    "no address, where a cache answered": (
        entry("https://a.test/", serverIPAddress=""),
        [Seen(request="https://a.test/", time=WHEN)],
    ),
    "another Host": (
        entry("https://a.test/", headers={"Host": "b.test"}),
        [Seen(request="https://a.test/", time=WHEN, names=("b.test",))],
    ),
    "another :authority of HTTP/2": (
        entry("https://a.test/", headers={":authority": "b.test"}),
        [Seen(request="https://a.test/", time=WHEN, names=("b.test",))],
    ),
    "a WebSocket": (entry("wss://a.test/ws"), [Seen(request="wss://a.test/ws", time=WHEN)]),
    "CONNECT": (
        entry("https://a.test:443/", "CONNECT"),
        [Seen(request="a.test:443", time=WHEN, surface=Surface.CONNECT)],
    ),
    "data within the page": (entry("data:text/plain,x"), []),
    "an extension": (entry("chrome-extension://abc/x.js"), []),
}


@pytest.mark.parametrize(("one", "seen"), ENTRIES.values(), ids=ENTRIES)
def test_entry(one: dict[str, Any], seen: list[Seen]) -> None:
    assert list(read(io.BytesIO(har(one)))) == seen


BROKEN: dict[str, object] = {
    "no object": 7,
    "no request": {"startedDateTime": TIME},
    "a URL that is none": entry(7),
    "no time": {"request": {"url": "https://a.test/"}},
    "a time that is none": entry("https://a.test/", startedDateTime="yesterday"),
    "a time before the calendar": entry("https://a.test/", startedDateTime="0001-01-01T00:00:00+14:00"),
    "headers that are none": {"startedDateTime": TIME, "request": {"url": "https://a.test/", "headers": [7]}},
}


@pytest.mark.parametrize("one", BROKEN.values(), ids=BROKEN)
def test_a_broken_entry_ends_nothing(one: object) -> None:
    unread, seen = read(io.BytesIO(har(one, entry("https://a.test/"))))
    assert isinstance(unread, Unread) and unread.where == "entry 1"
    assert seen == Seen(request="https://a.test/", time=WHEN)


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_an_archive_that_is_cut(cut: int) -> None:
    *seen, unread = read(io.BytesIO(har(*[entry(f"https://{number}.test/") for number in range(9)])[:-cut]))
    assert isinstance(unread, Unread) and unread.where.startswith("behind entry")
    assert len(seen) >= 7


def test_a_deep_one() -> None:
    assert all(isinstance(item, Unread) for item in read(io.BytesIO(b'{"log": {"entries": [' + b"[" * 100_000)))
