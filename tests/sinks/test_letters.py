"""Dead letters: kept as long as the log, tried again when somebody has mended what refused them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from embargo.journal.record import Record
from embargo.sinks.letters import Busy, bury, forget, letters_of, retry
from embargo.sinks.message import Composer
from embargo.sinks.receiver import Unreachable
from sinks.spooled import NOW, identifier, lines, sink


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for message in Composer(sink("/x"), NOW).messages(lines(1, 3)):
        bury(tmp_path, "siem", message, "400", NOW)
    return tmp_path


def kept(log: Path) -> list[str]:
    path = letters_of(log, "siem")
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()] if path.exists() else []


def test_they_live_no_longer_than_the_log(log: Path) -> None:
    assert forget(log, NOW) == 0
    assert forget(log, NOW + timedelta(milliseconds=3)) == 2
    assert kept(log) == [identifier(3)]
    assert letters_of(log, "siem").stat().st_mode & 0o777 == 0o600
    assert forget(log, NOW + timedelta(days=1)) == 1
    assert not letters_of(log, "siem").exists()


def test_what_is_taken_goes_and_what_is_refused_stays(log: Path) -> None:
    def deliver(records: Sequence[Record]) -> list[int]:
        return [position for position, record in enumerate(records) if record.id == identifier(2)]

    assert retry(log, "siem", deliver, 2) == (2, 1)
    assert kept(log) == [identifier(2)]
    assert sorted(path.name for path in (log / "sinks").iterdir()) == [
        ".letters.lock", ".retry.lock", "siem.dead.jsonl",
    ]  # fmt: skip


def test_one_trial_at_a_time(log: Path) -> None:
    """A second one would take letters that the first then removes."""

    def second(_records: Sequence[Record]) -> list[int]:
        with pytest.raises(Busy, match="are being sent again already"):
            retry(log, "siem", lambda _: (), 500)
        return [0, 1, 2]

    assert retry(log, "siem", second, 500) == (0, 3)
    assert kept(log) == [identifier(number) for number in (1, 2, 3)]


def test_forgotten_while_they_are_tried_again(log: Path) -> None:
    def slow(_records: Sequence[Record]) -> list[int]:
        assert forget(log, NOW + timedelta(days=1)) == 3
        return [1]

    assert retry(log, "siem", slow, 500) == (2, 1)
    assert kept(log) == [identifier(2)]


def test_none_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.sinks.letters._MOST", 1)  # each file is full with its first letter
    for message in Composer(sink("/x"), NOW).messages(lines(1, 4)):
        bury(tmp_path, "siem", message, "400", NOW)
    handed: list[str] = []
    assert retry(tmp_path, "siem", lambda records: handed.extend(record.id for record in records) or (), 500) == (4, 0)
    assert sorted(handed) == [identifier(number) for number in (1, 2, 3, 4)]


def test_what_was_not_reached_stays(log: Path) -> None:
    handed: list[str] = []

    def deliver(records: Sequence[Record]) -> list[int]:
        if handed:
            raise Unreachable("connection refused")
        handed.extend(record.id for record in records)
        return []

    with pytest.raises(Unreachable):
        retry(log, "siem", deliver, 2)
    assert kept(log) == [identifier(3)]


def test_a_crash_in_the_middle_loses_none(log: Path) -> None:
    letters_of(log, "siem").rename(log / "sinks/siem.again.jsonl")
    handed: list[str] = []
    retry(log, "siem", lambda records: handed.extend(record.id for record in records) or (), 500)
    assert handed == [identifier(number) for number in (1, 2, 3)]


def test_there_are_none(tmp_path: Path) -> None:
    assert retry(tmp_path, "siem", lambda _: (), 500) == (0, 0)
