"""The quick way of reading a line says what `Record` says, or leaves it to `Record`."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.record import BrokenRecord, Encoder, Record
from embargo.journal.seal.chain import MARK
from embargo.journal.store.decoded import LineReader, row_of
from embargo.journal.store.identity import identity, uuid_of
from embargo.journal.store.kinds import Extra, Kind, Who
from recorded import EVENTS, OBSERVER, judged

ENCODER = Encoder(OBSERVER)


class Values:
    """Interns nothing: each value is its own number."""

    def kind(self, kind: Kind) -> Any:
        return kind

    def who(self, who: Who) -> Any:
        return who

    def names(self, names: tuple[str, ...]) -> Any:
        return names

    def extra(self, extra: Extra) -> Any:
        return extra


@pytest.mark.parametrize("name", EVENTS)
def test_every_event(name: str) -> None:
    line = ENCODER.line(EVENTS[name], sequence=7, identifier="019dc9a8-0000-7000-8000-00000000000b")
    row = LineReader(Values()).row(line)
    assert row == (row_of(Record.parse(line), Values()) if MARK not in line else None)


DOCUMENT = json.loads(ENCODER.line(judged(), sequence=1))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
PLACES = [
    *(("@timestamp",), ("event",), ("event", "id"), ("event", "sequence"), ("event", "category"), ("rule", "id")),
    *(
        ("source",),
        ("source", "ip"),
        ("user", "name"),
        ("url", "domain"),
        ("destination", "domain"),
        ("related", "hosts"),
    ),
    *(("http", "response"), ("http", "request", "method"), ("tls", "client"), ("embargo",), ("embargo", "app")),
    *(("embargo", "authority"), ("embargo", "trial"), ("embargo", "shared"), ("embargo", "connection"), ("dns",)),
]


@given(st.sampled_from(PLACES), JSON | st.just("2026-11-24T10:15:00+02:00"), st.booleans())
def test_it_agrees_with_record(place: tuple[str, ...], value: object, remove: bool) -> None:
    """With any value anywhere, and members missing. Where it takes more, it is in members that no row needs."""
    document = json.loads(json.dumps(DOCUMENT))
    parent = document
    for name in place[:-1]:
        parent = parent[name]
    if remove:
        parent.pop(place[-1], None)
    else:
        parent[place[-1]] = value
    line = json.dumps(document).encode() + b"\n"
    try:
        expected = row_of(Record.parse(line), Values())
    except BrokenRecord:
        with pytest.raises(BrokenRecord):
            LineReader(Values()).row(line)
    else:
        assert LineReader(Values()).row(line) == expected


@given(st.uuids(version=4) | st.uuids(version=1))
def test_a_uuid_there_and_back(value: object) -> None:
    assert uuid_of(*identity(str(value))) == str(value)
    assert identity(str(value).upper()) == identity(str(value))


@pytest.mark.parametrize("text", ["", "id-1", "019dc9a8-0000-7000-0000-000000000001", "x" * 36, "１" * 36, "-" * 36])
def test_another_text_is_no_uuid(text: str) -> None:
    high, low = identity(text)
    assert uuid_of(high, low) is None
    assert all(-(1 << 63) <= number < 1 << 63 for number in (high, low))
