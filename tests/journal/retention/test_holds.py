"""Holds: what they keep, and that nobody loses one unseen."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged
from embargo.journal.retention.holds import FILE, Hold, HoldsUnreadable, changing, holds, keeping, write

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def day(number: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def hold(begin: float = 10, end: float | None = 20, **members: object) -> Hold:
    usual: dict[str, object] = {
        "id": "hold-1", "begin": day(begin), "end": day(end) if end is not None else None, "reason": "lawsuit",
        "author": "bob", "since": NOW,
    }  # fmt: skip
    return Hold(**(usual | members))  # type: ignore[arg-type]


COVERED = {  # case: (hold, first and last day of the file, kept)
    "inside": (hold(), 12, 13, True),
    "all around": (hold(), 1, 40, True),
    "over its begin": (hold(), 9, 11, True),
    "over its end": (hold(), 19, 21, True),
    "before": (hold(), 1, 9, False),
    "after": (hold(), 21, 22, False),
    "it ends where the hold begins": (hold(), 9, 10, True),
    "open": (hold(end=None), 300, 301, True),
    "open, before": (hold(end=None), 1, 9, False),
    "nobody knows when the file begins": (hold(), None, 30, True),
    "nobody knows when the file begins, but it ends before": (hold(), None, 9, False),
    "ended": (hold(ended=NOW), 12, 13, False),
}


@pytest.mark.parametrize(("order", "first", "last", "kept"), COVERED.values(), ids=COVERED)
def test_what_it_keeps(order: Hold, first: float | None, last: float, kept: bool) -> None:
    since = day(first) if first is not None else None
    assert order.covers(since, day(last)) is kept
    assert (keeping([hold(900, 901), order], since, day(last)) is order) is kept


def test_written_and_read(tmp_path: Path) -> None:
    assert holds(tmp_path) == ()
    orders = (hold(), hold(id="hold-2", end=None, ticket="T-1", ended=NOW, ended_by="eve", end_reason="settled"))
    with changing(tmp_path):
        write(tmp_path, orders)
    assert holds(tmp_path) == orders
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


GOOD = {
    "id": "a", "begin": "2026-01-01T00:00:00+00:00", "end": None, "reason": "r", "author": "b",
    "since": "2026-01-01T00:00:00+00:00", "ticket": None, "ended": None, "ended_by": None, "end_reason": None,
}  # fmt: skip
DAMAGED = {
    "empty": "",
    "cut": json.dumps({"version": 1, "holds": [GOOD]})[:-9],
    "no JSON": "holds: []",
    "another version": json.dumps({"version": 2, "holds": []}),
    "no list": json.dumps({"version": 1}),
    "a member is missing": json.dumps({"version": 1, "holds": [{key: GOOD[key] for key in GOOD if key != "reason"}]}),
    "a member too many": json.dumps({"version": 1, "holds": [GOOD | {"note": "x"}]}),
    "no time": json.dumps({"version": 1, "holds": [GOOD | {"begin": "yesterday"}]}),
    "a time without an offset": json.dumps({"version": 1, "holds": [GOOD | {"begin": "2026-01-01T00:00:00"}]}),
    "no text": json.dumps({"version": 1, "holds": [GOOD | {"reason": 7}]}),
    "no begin": json.dumps({"version": 1, "holds": [GOOD | {"begin": None}]}),
    "an id twice": json.dumps({"version": 1, "holds": [GOOD, GOOD]}),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damage_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(HoldsUnreadable, match=FILE):
        holds(tmp_path)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps({"version": 1, "holds": []}))
    (tmp_path / FILE).symlink_to("elsewhere")
    with pytest.raises(HoldsUnreadable):
        holds(tmp_path)
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)  # and nobody waits for it
    with pytest.raises(HoldsUnreadable, match="no regular file"):
        holds(tmp_path)


def test_a_file_that_is_gone_is_told_where_a_hold_is_on_record(tmp_path: Path) -> None:
    audit.record(tmp_path, ConfigurationChanged(time=NOW, action="exception-added", change=Change.CREATION))
    assert holds(tmp_path) == ()
    audit.record(tmp_path, ConfigurationChanged(time=NOW, action="hold-added", change=Change.CREATION, subject="hold"))
    with pytest.raises(HoldsUnreadable, match="is gone, although a hold was recorded"):
        holds(tmp_path)
