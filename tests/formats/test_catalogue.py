"""What is true of every format."""

import pytest
from hypothesis import given

from documents import RECORDS, hostile_records
from embargo.core.sink import SinkFormat
from embargo.formats.catalogue import FORMATS
from embargo.journal.record import Record


def test_the_policy_names_them_all() -> None:
    assert [word.value for word in SinkFormat] == list(FORMATS)


@pytest.mark.parametrize("name", RECORDS)
def test_the_record_can_be_found_again(name: str) -> None:
    for form in FORMATS.values():
        if "eve" not in form.standard.lower() or RECORDS[name].verdict is not None:
            assert RECORDS[name].id in form.write(RECORDS[name])


@given(hostile_records())
def test_pure_and_one_line(record: Record) -> None:
    for form in FORMATS.values():
        line = form.write(record)
        assert line == form.write(record)
        assert len(line.splitlines()) == 1
        assert line.encode("utf-8")
