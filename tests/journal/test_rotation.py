import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from embargo.core.rules import LogSettings
from embargo.journal.files import LogFile
from embargo.journal.livefile import LiveFile
from embargo.journal.rotation import compress, due, keep

NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
SETTINGS = LogSettings(rotate_size=100, rotate_age=3600.0, retention=10 * 86_400.0)
LINE = b'{"@timestamp":"2026-11-24T10:15:00.000Z","event":{"sequence":4}}\n'


def rotated(directory: Path, age: timedelta = timedelta(0), first: int = 1, content: bytes = LINE) -> Path:
    path = directory / f"decisions-{NOW - age:%Y%m%dT%H%M%SZ}-{first}.jsonl"
    path.write_bytes(content)
    return path


def delete(file: LogFile) -> None:
    """As retention does where nothing stands against it (tests/journal/retention)."""
    file.path.unlink()


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def plain(path: Path) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes(), read_across_frames=True).read()


DUE = {  # case: (lines, age of the first record in seconds, due)
    "young and small": (1, 0.0, False),
    "large": (2, 0.0, True),
    "just old enough": (1, 3600.0, True),
    "not quite old enough": (1, 3599.0, False),
    "empty": (0, 1e9, False),
}


@pytest.mark.parametrize(("lines", "age", "is_due"), DUE.values(), ids=DUE)
def test_due(lines: int, age: float, is_due: bool, tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path)
    file.append([LINE] * lines)
    file.began = NOW - timedelta(seconds=age) if lines else None
    assert due(file, SETTINGS, NOW) is is_due
    file.close()


def test_compressing(tmp_path: Path) -> None:
    content = LINE * 50_000
    path = rotated(tmp_path, content=content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert compress(path)
    whole = tmp_path / f"{path.name}.zst"
    assert names(tmp_path) == {whole.name}
    assert plain(whole) == content
    assert whole.stat().st_mode & 0o777 == 0o600
    assert whole.stat().st_mtime == 1_000_000_000
    assert whole.stat().st_size < len(content) / 10


CRASHES = {  # case: what a crash in the middle of compressing left beside the plain file
    "before it began": {},
    "half written": {".zst.part": b"half"},
    "written, not renamed": {".zst.part": zstandard.compress(LINE)},
    "renamed, the plain one still there": {".zst": zstandard.compress(LINE)},
}


@pytest.mark.parametrize("left", CRASHES.values(), ids=CRASHES)
def test_what_a_crash_left_is_finished(left: dict[str, bytes], tmp_path: Path) -> None:
    path = rotated(tmp_path)
    for suffix, content in left.items():
        path.with_name(path.name + suffix).write_bytes(content)
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert names(tmp_path) == {f"{path.name}.zst"}
    assert plain(path.with_name(f"{path.name}.zst")) == LINE


def test_a_part_without_its_file_goes(tmp_path: Path) -> None:
    (tmp_path / "decisions-20261124T101500Z-1.jsonl.zst.part").write_bytes(b"half")
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert not names(tmp_path)


def test_what_a_rotation_never_used_goes(tmp_path: Path) -> None:
    for name, age in (("7", 2), ("8", 0)):
        (tmp_path / f".decisions.jsonl.{name}.new").touch()
        instant = (NOW - timedelta(hours=age)).timestamp()
        os.utime(tmp_path / f".decisions.jsonl.{name}.new", (instant, instant))
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert names(tmp_path) == {".decisions.jsonl.8.new"}, "another process may be about to lock it"


def test_a_full_disk_keeps_the_plain_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = rotated(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            compress(path)
    assert names(tmp_path) == {path.name}
    assert path.read_bytes() == LINE


def test_an_interruption_keeps_the_plain_file(tmp_path: Path) -> None:
    path = rotated(tmp_path)
    assert not compress(path, lambda: True)
    assert names(tmp_path) == {path.name}


def test_a_file_that_is_still_written_is_left_alone(tmp_path: Path) -> None:
    """A rotation under way: the live file has its second name already, and its writer's lock."""
    file = LiveFile.open(tmp_path)
    file.append([LINE])
    aside = tmp_path / "decisions-20261124T101500Z-1.jsonl"
    aside.hardlink_to(file.path)
    assert not compress(aside)
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert names(tmp_path) == {"decisions.jsonl", aside.name}
    file.close()
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)  # its writer has crashed; whoever takes the file over undoes it
    assert names(tmp_path) == {"decisions.jsonl", aside.name}


AGES = {  # case: (days since rotation, kept for 10)
    "young": (1, True),
    "the last day": (9.9, True),
    "the day": (10, False),
    "old": (400, False),
}


@pytest.mark.parametrize(("days", "kept"), AGES.values(), ids=AGES)
def test_retention_deletes_whole_files(days: float, kept: bool, tmp_path: Path) -> None:
    path = rotated(tmp_path, timedelta(days=days))
    compressed = tmp_path / f"decisions.2-{NOW - timedelta(days=days):%Y%m%dT%H%M%SZ}-9.jsonl.zst"
    compressed.write_bytes(zstandard.compress(LINE))
    (tmp_path / "notes.txt").touch()
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert names(tmp_path) == {"notes.txt"} | ({f"{path.name}.zst", compressed.name} if kept else set())


def test_of_a_file_that_is_there_twice_both_go(tmp_path: Path) -> None:
    """A crash came between compressing and deleting the plain one: one tombstone is for both."""
    path = rotated(tmp_path, timedelta(days=10))
    whole = path.with_name(f"{path.name}.zst")
    whole.write_bytes(zstandard.compress(LINE))
    seen: list[str] = []
    keep(tmp_path, "decisions", SETTINGS, NOW, lambda file: (seen.append(file.path.name), delete(file))[1])
    assert (names(tmp_path), seen) == (set(), [whole.name])


ABANDONED = {  # case: (seconds since the last write, rotated)
    "just written": (10, False),
    "old": (3600, True),
}


@pytest.mark.parametrize(("seconds", "is_rotated"), ABANDONED.values(), ids=ABANDONED)
def test_a_live_file_that_nobody_holds_is_rotated(seconds: int, is_rotated: bool, tmp_path: Path) -> None:
    path = tmp_path / "decisions.3.jsonl"
    path.write_bytes(LINE)
    os.utime(path, (NOW.timestamp() - seconds,) * 2)
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert names(tmp_path) == {"decisions.3-20261124T101500Z-4.jsonl.zst" if is_rotated else "decisions.3.jsonl"}


def test_a_live_file_that_is_held_is_not(tmp_path: Path) -> None:
    file = LiveFile.open(tmp_path)
    file.append([LINE])
    os.utime(file.path, (NOW.timestamp() - 1e6,) * 2)
    keep(tmp_path, "decisions", SETTINGS, NOW, delete)
    assert file.current()
    file.close()
