"""What the audit chain says of break-glass."""

import json
from pathlib import Path

import pytest

from embargo.core.break_glass import End
from embargo.journal import audit
from embargo.journal.break_glass import WORDS, ended, started
from recorded import GLASS


def written(directory: Path) -> list[dict]:
    return [json.loads(line) for line in (directory / "audit.jsonl").read_text().splitlines()]


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
