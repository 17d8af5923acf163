from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from embargo.journal.follow import Follower
from embargo.journal.reader import Reader
from embargo.journal.record import Encoder
from recorded import OBSERVER, TIME, judged

ENCODER = Encoder(OBSERVER)


def line(number: int) -> bytes:
    return ENCODER.line(judged(id=str(number), time=TIME + timedelta(seconds=number)), sequence=number)


class Log:
    """A log directory, its writer, and whoever follows it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.reader = Reader(directory)
        self.follower: Follower | None = None

    def write(self, *numbers: int, name: str = "decisions.jsonl") -> None:
        with (self.directory / name).open("ab") as file:
            for number in numbers:
                file.write(line(number))

    def rotate(self, first: int, *, compressed: bool = False) -> None:
        aside = self.directory / f"decisions-20261124T1016{first:02}Z-{first}.jsonl"
        (self.directory / "decisions.jsonl").rename(aside)
        if compressed:
            aside.with_name(aside.name + ".zst").write_bytes(zstandard.compress(aside.read_bytes()))
            aside.unlink()
        (self.directory / "decisions.jsonl").touch()

    def follow(self) -> None:
        self.follower = Follower(self.reader)

    def seen(self) -> list[int]:
        assert self.follower is not None
        return [int(entry.record.id) for entry in self.follower.poll()]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    if made.follower is not None:
        made.follower.close()


def test_only_what_is_new(log: Log) -> None:
    log.write(1, 2)
    log.follow()
    assert log.seen() == []
    log.write(3, 4)
    assert log.seen() == [3, 4]
    assert log.seen() == []


def test_a_line_is_seen_when_it_is_whole(log: Log) -> None:
    log.write(1)
    log.follow()
    with (log.directory / "decisions.jsonl").open("ab") as file:
        file.write(line(2)[:40])
        file.flush()
        assert log.seen() == []
        file.write(line(2)[40:])
    assert log.seen() == [2]


def test_what_commands_change_comes_between(log: Log) -> None:
    log.write(1)
    log.write(2, name="audit.jsonl")
    log.follow()
    log.write(4)
    log.write(3, 5, name="audit.jsonl")
    assert log.seen() == [3, 4, 5]
    log.write(6, name="audit.jsonl")
    assert log.seen() == [6]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_over_a_rotation(log: Log, compressed: bool) -> None:
    log.write(1)
    log.follow()
    log.write(2)
    assert log.seen() == [2]
    log.write(3)
    log.rotate(1, compressed=compressed)
    log.write(4)
    assert log.seen() == [3, 4]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_over_several_rotations_between_two_looks(log: Log, compressed: bool) -> None:
    log.write(1)
    log.follow()
    log.write(2)
    log.rotate(1, compressed=compressed)
    log.write(3)
    log.rotate(3, compressed=compressed)
    log.write(4)
    log.rotate(4, compressed=compressed)
    log.write(5)
    assert log.seen() == [2, 3, 4, 5]


def test_processes_come_and_their_records_are_merged(log: Log) -> None:
    log.write(1)
    log.follow()
    log.write(4)
    log.write(3, 5, name="decisions.2.jsonl")
    assert log.seen() == [3, 4, 5]


def test_a_file_emptied_in_place(log: Log) -> None:
    log.write(1, 2, 3)
    log.follow()
    (log.directory / "decisions.jsonl").write_bytes(b"")
    log.write(4)
    assert log.seen() == [4]


def test_a_directory_that_comes_later(tmp_path: Path) -> None:
    log = Log(tmp_path / "later")
    log.follow()
    assert log.seen() == []
    log.directory.mkdir()
    log.write(1)
    assert log.seen() == [1]


def test_broken_lines_are_counted(log: Log) -> None:
    log.write(1)
    log.follow()
    with (log.directory / "decisions.jsonl").open("ab") as file:
        file.write(b"garbage\n" + line(2))
    assert log.seen() == [2]
    assert log.reader.broken.count == 1
