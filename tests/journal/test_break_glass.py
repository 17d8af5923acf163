"""What the audit chain says of break-glass."""

from dataclasses import replace
from pathlib import Path

import pytest

from embargo.core.break_glass import End
from embargo.journal import audit
from embargo.journal.break_glass import ENDED, WORDS, ended, record_end, started
from recorded import GLASS, records_in


def written(directory: Path) -> list[dict]:
    return records_in(directory / "audit.jsonl")


def test_a_start_that_failed(tmp_path: Path) -> None:
    """It was recorded before it was tried, so what came of it is recorded after."""
    audit.record(tmp_path, started(GLASS, policy=None, replaces="older"))
    audit.record(tmp_path, started(GLASS, policy=None, error="No space left on device"))
    first, second = written(tmp_path)
    assert (first["event"]["outcome"], first["embargo"]["break_glass"]["replaces"]) == ("success", "older")
    assert (second["event"]["outcome"], second["error"]["message"]) == ("failure", "No space left on device")


@pytest.mark.parametrize("how", End)
def test_an_end(how: End, tmp_path: Path) -> None:
    audit.record(tmp_path, ended(GLASS, how, GLASS.until, policy=None, by="bob", reason="mended"))
    (record,) = written(tmp_path)
    assert record["event"]["reason"] == f"{WORDS[how]}: mended"
    assert record["user"]["name"] == "bob"
    assert record["embargo"]["break_glass"]["end"] == how.value
    assert record["embargo"]["break_glass"]["reason"] == "payroll is blocked"


TOLD = {  # case: (is its start recorded, its end, is the end noted elsewhere, what is said then, ends there are then)
    "a start alone": (True, None, False, End.EXPIRED, 1),
    "a start alone, and another log has the end": (True, None, True, End.EXPIRED, 1),
    "nothing": (False, None, False, End.EXPIRED, 1),
    "nothing, and another log has the end": (False, None, True, End.EXPIRED, 0),
    "both": (True, End.ENDED, False, End.ENDED, 1),
    "both, and it is noted": (True, End.ENDED, True, End.ENDED, 1),
    "an end alone": (False, End.REPLACED, False, End.REPLACED, 1),
}


@pytest.mark.parametrize(("start", "end", "noted", "said", "ends"), TOLD.values(), ids=TOLD)
def test_an_end_is_recorded_once(
    start: bool, end: End | None, noted: bool, said: End, ends: int, tmp_path: Path
) -> None:
    other = replace(GLASS, id="019dc9a8-0000-7000-8000-00000000000c")
    audit.record(tmp_path, started(other, policy=None, replaces=GLASS.id))
    if start:
        audit.record(tmp_path, started(GLASS, policy=None))
    if end is not None:
        audit.record(tmp_path, ended(GLASS, end, GLASS.until, policy=None, by="bob"))
    audit.record(tmp_path, ended(other, End.DAMAGED, GLASS.until, policy=None))
    for _ in range(2):
        assert record_end(tmp_path, GLASS, End.EXPIRED, GLASS.until, policy=None, noted=noted) is said
    found = [each["embargo"]["break_glass"] for each in written(tmp_path) if each["event"]["action"] == ENDED]
    assert [each["end"] for each in found if each["id"] == GLASS.id] == [said.value] * ends


def test_an_end_in_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    assert record_end(tmp_path / "log", GLASS, End.EXPIRED, GLASS.until, policy=None, noted=True) is End.EXPIRED
    assert not (tmp_path / "log").exists()
    assert record_end(tmp_path / "log", GLASS, End.EXPIRED, GLASS.until, policy=None) is End.EXPIRED
    assert len(written(tmp_path / "log")) == 1


def test_an_end_behind_a_broken_line(tmp_path: Path) -> None:
    audit.record(tmp_path, ended(GLASS, End.ENDED, GLASS.until, policy=None))
    with (tmp_path / "audit.jsonl").open("a") as file:
        file.write('{"id": "' + GLASS.id + '"}\nno JSON\n')
    assert record_end(tmp_path, GLASS, End.EXPIRED, GLASS.until, policy=None) is End.ENDED
