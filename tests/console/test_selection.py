"""A term that a page makes of a value takes the records with that value, whatever whoever made the request wrote."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from console.signed_in import NOW
from embargo.console.selection import DEFAULT_COLUMNS, Selection, term, written
from embargo.journal.query import BadTerm, parse_query, split_terms
from embargo.journal.record import Record

RECORD = Record(time=NOW, id="x", sequence=1, action="block", verdict="block")
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20) | st.sampled_from(
    ["a*", "=a", "//x", "'", '"', "\\", " ", "a b", "-x", "+x", "*", "since:7d", "\n", "a:b", "=cmd|' /C calc'!A0"]
)


@given(texts)
def test_a_value_is_found_by_its_term(value: str) -> None:
    for key, record in (
        ("user", replace(RECORD, user=value)),
        ("host", replace(RECORD, host=value, hosts=(value,))),
        ("client", replace(RECORD, client=value)),
    ):
        query = parse_query(split_terms(written(term(key, value))), NOW)
        assert query.matches(record), (key, value)
        assert not parse_query(split_terms(written(f"-{term(key, value)}")), NOW).matches(record)
        if value.casefold() != "other":
            assert not query.matches(replace(RECORD, user="other", host="other", hosts=("other",), client="other"))


TIMES = {  # case: (parameters, since, until)
    "a date": ({"since": "2026-11-20"}, "2026-11-20T00:00:00+00:00", None),
    "date and time": ({"since": "2026-11-20 08:30"}, "2026-11-20T08:30:00+00:00", None),
    "ago": ({"since": "2d", "until": "1h"}, "2026-11-22T10:00:00+00:00", "2026-11-24T09:00:00+00:00"),
    "with an offset": ({"until": "2026-11-20T08:00:00+08:00"}, None, "2026-11-20T00:00:00+00:00"),
    "in place of the filter's": ({"q": "since:7d app:qq", "since": "1d"}, "2026-11-23T10:00:00+00:00", None),
}


@pytest.mark.parametrize(("given", "since", "until"), TIMES.values(), ids=TIMES)
def test_times_that_are_typed(given: dict[str, str], since: str | None, until: str | None) -> None:
    found = Selection.read(MultiDict(given), NOW)
    assert found.since == (datetime.fromisoformat(since) if since else None)
    assert found.until == (datetime.fromisoformat(until) if until else None)


HARMLESS = [
    {"after": "x", "before": "1", "snapshot": "-1", "column": "nonsense", "fold": "maybe"},
    {"after": f"{10**40}.1", "snapshot": "9" * 40},
    {"after": "1.2.3", "before": "", "snapshot": "1e9"},
]


@pytest.mark.parametrize("given", HARMLESS)
def test_what_is_no_place_is_none(given: dict[str, str]) -> None:
    found = Selection.read(MultiDict(given), NOW, UTC)
    assert (found.after, found.before, found.snapshot, found.columns) == (None, None, None, DEFAULT_COLUMNS)


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "7x", "-1d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadTerm):
        Selection.read(MultiDict({"since": text}), NOW)
