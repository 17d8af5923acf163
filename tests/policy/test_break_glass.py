"""The file of break-glass: what counts, what does not, and that its end is recorded once."""

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from embargo.core.break_glass import BreakGlass, Clocks, End
from embargo.policy import break_glass
from embargo.policy.break_glass import FILE, LAST, Busy, Damaged, Last, clear, in_force, last, locked, settle, write
from sample import NOW

TICKS = 1000.0
GLASS = BreakGlass(id="id-1", since=NOW, seconds=600.0, ticks=TICKS, reason="payroll", author="alice", ticket="INC-1")


def after(seconds: float) -> Clocks:
    """Both clocks, so long after it began."""
    return Clocks(NOW + timedelta(seconds=seconds), TICKS + seconds)


def begun(directory: Path, glass: BreakGlass = GLASS) -> Path:
    directory.mkdir(exist_ok=True)
    with locked(directory, 0):
        write(directory, glass)
    return directory / FILE


class Kept:
    """An audit chain: it holds one end of each."""

    def __init__(self, *ends: tuple[str, End]) -> None:
        self.ends = list(ends)
        self.noted: list[str] = []  # of which it was asked again, whose end is recorded somewhere

    def __call__(self, glass: BreakGlass, how: End, noted: datetime | None) -> End:
        if noted is not None:
            self.noted.append(glass.id)
            return how
        known = dict(self.ends)
        if glass.id not in known:
            self.ends.append((glass.id, how))
        return known.get(glass.id, how)


def test_it_holds_until_its_end(tmp_path: Path) -> None:
    assert in_force(tmp_path, after(0)) is None
    file = begun(tmp_path)
    assert in_force(tmp_path, after(1)) == GLASS
    assert in_force(tmp_path, after(600)) is None
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [FILE, LAST, "break-glass.lock"]


def test_without_a_ticket(tmp_path: Path) -> None:
    glass = replace(GLASS, ticket=None)
    begun(tmp_path, glass)
    assert in_force(tmp_path, after(1)) == glass


# -- files that count for nothing


def members(**changed: object) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))

    return change


def content(data: bytes) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.write_bytes(data)

    return change


def a_symlink(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def writable(file: Path) -> None:
    file.chmod(0o666)


def without_last(file: Path) -> None:
    (file.parent / LAST).unlink()


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a symbolic link": (a_symlink, "a symbolic link"),
    "a directory": (a_directory, "no regular file"),
    "a FIFO": (a_fifo, "no regular file"),
    "others may write it": (writable, "others may write it"),
    "huge": (content(b" " * 20_000_000), "longer than"),
    "empty": (content(b""), "no break-glass of ours"),
    "half of it": (content(b'{"id": "id-1", "sin'), "no break-glass of ours"),
    "no object": (content(b"[1]"), "no break-glass of ours"),
    "no UTF-8": (content(b"\xff\xfe\x00"), "no break-glass of ours"),
    "nested without end": (content(b"[" * 16_000), "no break-glass of ours"),
    "more than a day": (members(seconds=86_401), "more or less than it may"),
    "for ever": (members(seconds=float("inf")), "more or less than it may"),
    "no number": (members(seconds=float("nan")), "more or less than it may"),
    "true for a number": (members(seconds=True), "are numbers"),
    "no reason": (members(reason=""), "reason is no text"),
    "a reason without end": (members(reason="x" * 1001), "reason is no text"),
    "a lone surrogate": (members(author="\ud800"), "no break-glass of ours"),
    "a time without offset": (members(since="2026-11-24T12:00:00"), "without offset"),
    "beyond the calendar": (members(since="9999-12-31T23:59:59Z"), "no break-glass of ours"),
    "a date far in the future": (members(since="2099-01-01T00:00:00Z"), "not what was recorded"),
    "prolonged by hand": (members(seconds=7200), "not what was recorded"),
    "another in its place": (members(id="id-9", since="2026-11-24T12:00:05+00:00"), "not what was recorded"),
    "begun by hand": (without_last, "not what was recorded"),
}


@pytest.mark.parametrize(("attack", "why"), ATTACKS.values(), ids=ATTACKS)
def test_a_file_that_is(attack: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    """It is ignored, and one that it takes the place of has ended, which is recorded once."""
    attack(begun(tmp_path))
    with pytest.raises(Damaged, match=why):
        in_force(tmp_path, after(1))
    kept = Kept()
    for _ in range(2):
        settle(tmp_path, kept, known=GLASS, now=after(1))
    assert kept.ends == [("id-1", End.DAMAGED)]
    assert last(tmp_path) == Last(glass=GLASS, end=End.DAMAGED, ended=after(1).wall)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_another_users_file(tmp_path: Path) -> None:
    os.chown(begun(tmp_path), 65534, 65534)
    with pytest.raises(Damaged, match="belongs to another user"):
        in_force(tmp_path, after(1))


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory away takes root")
def test_what_root_writes_is_the_directorys(tmp_path: Path) -> None:
    """The proxy's user has to believe it, to read what is remembered, and to take the lock; and so has root, later."""
    os.chown(tmp_path, 65534, 65534)
    file = begun(tmp_path)
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {65534}
    assert in_force(tmp_path, after(1)) == GLASS
    os.chown(file, 0, 0)
    with pytest.raises(Damaged, match="belongs to another user"):
        in_force(tmp_path, after(1))  # as the proxy will see it


def test_a_machine_whose_clock_went_wrong(tmp_path: Path) -> None:
    """Started anew, an hour behind: no clock bounds it any more, so it does not count."""
    begun(tmp_path)
    with pytest.raises(Damaged, match="begins in the future"):
        in_force(tmp_path, Clocks(NOW - timedelta(hours=1), 5.0))
    assert in_force(tmp_path, Clocks(NOW + timedelta(seconds=60), 5.0)) == GLASS


def test_no_descriptors_say_nothing_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path)

    def none_left(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        in_force(tmp_path, after(1))


def test_no_directory(tmp_path: Path) -> None:
    assert in_force(tmp_path / "missing", after(0)) is None
    assert last(tmp_path / "missing") is None
    (tmp_path / "file").write_text("")
    assert in_force(tmp_path / "file", after(0)) is None


# -- the end


def test_a_copy_of_one_that_has_ended_does_not_come_back(tmp_path: Path) -> None:
    file = begun(tmp_path)
    copy = file.read_bytes()
    file.unlink()
    kept = Kept()
    settle(tmp_path, kept, now=after(1))
    file.write_bytes(copy)
    file.chmod(0o600)
    assert in_force(tmp_path, after(2)) is None
    settle(tmp_path, kept, now=after(2))
    assert kept.ends == [("id-1", End.REMOVED)]
    assert not file.exists()


ENDS: dict[str, tuple[float, bool, list[tuple[str, End]]]] = {
    "it goes on": (1, True, []),
    "its time is over": (600, True, [("id-1", End.EXPIRED)]),
    "it was removed": (1, False, [("id-1", End.REMOVED)]),
    "removed, and its time is over": (601, False, [("id-1", End.EXPIRED)]),
}


@pytest.mark.parametrize(("seconds", "there", "ends"), ENDS.values(), ids=ENDS)
def test_an_end(seconds: float, there: bool, ends: list[tuple[str, End]], tmp_path: Path) -> None:
    file = begun(tmp_path)
    if not there:
        clear(tmp_path)
    kept = Kept()
    for _ in range(3):
        settle(tmp_path, kept, now=after(seconds))
    assert kept.ends == ends
    assert file.exists() is (not ends)


def test_of_many_one_records_it(tmp_path: Path) -> None:
    begun(tmp_path)
    kept, start = Kept(), threading.Barrier(8)

    def worker() -> None:
        start.wait()
        settle(tmp_path, kept, known=GLASS, now=after(600), patience=10)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.ends == [("id-1", End.EXPIRED)]


def test_an_end_that_cannot_be_recorded_is_tried_again(tmp_path: Path) -> None:
    begun(tmp_path)

    def full(_glass: BreakGlass, _how: End, _noted: datetime | None) -> End:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        settle(tmp_path, full, now=after(600))
    kept = Kept()
    settle(tmp_path, kept, now=after(700))
    assert kept.ends == [("id-1", End.EXPIRED)]


def test_an_end_that_was_recorded_and_not_noted(tmp_path: Path) -> None:
    """By one that was killed in between, or for which the disk had no room left: what the chain says is noted."""
    begun(tmp_path)
    kept = Kept(("id-1", End.ENDED))
    settle(tmp_path, kept, now=after(700))
    assert kept.ends == [("id-1", End.ENDED)]
    assert last(tmp_path) == Last(glass=GLASS, end=End.ENDED, ended=after(700).wall)


def test_an_end_that_is_noted_may_be_missing_in_a_log_of_its_own(tmp_path: Path) -> None:
    """Of proxies with logs of their own each is asked for its."""
    begun(tmp_path)
    settle(tmp_path, Kept(), now=after(600))
    kept = Kept()
    settle(tmp_path, kept, now=after(700))
    assert (kept.ends, kept.noted) == ([], ["id-1"])
    assert last(tmp_path) == Last(glass=GLASS, end=End.EXPIRED, ended=after(600).wall)


SINCE = {"later": 5, "before it, since the clock was set back": -3600}


@pytest.mark.parametrize("seconds", SINCE.values(), ids=SINCE)
def test_one_that_was_replaced(seconds: int, tmp_path: Path) -> None:
    """Its end is not the successor's, and whoever recorded it has said how it came."""
    begun(tmp_path)
    newer = replace(GLASS, id="id-2", since=NOW + timedelta(seconds=seconds), ticks=TICKS + 5)
    begun(tmp_path, newer)
    kept = Kept(("id-1", End.REPLACED))
    now = Clocks(newer.since + timedelta(seconds=5), TICKS + 10)
    settle(tmp_path, kept, known=GLASS, now=now)
    assert kept.ends == [("id-1", End.REPLACED)]
    assert in_force(tmp_path, now) == newer
    over = Clocks(newer.since + timedelta(seconds=700), TICKS + 705)
    settle(tmp_path, kept, known=GLASS, now=over)
    assert kept.ends == [("id-1", End.REPLACED), ("id-2", End.EXPIRED)]


def test_one_that_was_replaced_by_a_command_that_was_killed(tmp_path: Path) -> None:
    begun(tmp_path)
    begun(tmp_path, replace(GLASS, id="id-2", since=NOW + timedelta(seconds=5), ticks=TICKS + 5))
    kept = Kept()
    settle(tmp_path, kept, known=GLASS, now=after(10))
    assert kept.ends == [("id-1", End.REPLACED)]


def test_the_state_directory_was_lost(tmp_path: Path) -> None:
    """Who saw it in force knows what to record; the next who asks finds that it was."""
    kept = Kept()
    for _ in range(2):
        settle(tmp_path, kept, known=GLASS, now=after(1))
    assert kept.ends == [("id-1", End.REMOVED)]


def test_a_lock_that_is_held(tmp_path: Path) -> None:
    with locked(tmp_path, 0), pytest.raises(Busy), locked(tmp_path, 0.05):
        pass


def test_one_that_was_killed_while_it_wrote(tmp_path: Path) -> None:
    (tmp_path / f".{FILE}.new").write_text("half")
    begun(tmp_path)
    assert in_force(tmp_path, after(1)) == GLASS


IN_THE_WAY = {"of the file": FILE, "of what remembers it": LAST, "of the new file": f".{FILE}.new"}


@pytest.mark.parametrize("name", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_directory_in_the_way(name: str, tmp_path: Path) -> None:
    """It is moved aside, with what is in it."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "kept").write_text("")
    begun(tmp_path)
    assert in_force(tmp_path, after(1)) == GLASS
    assert len(list(tmp_path.glob("**/kept"))) == 1


def test_what_is_there_is_taken_away_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    clear(tmp_path)
    assert not (tmp_path / FILE).exists()


def test_one_that_cannot_take_its_place_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path)
    replace_path = Path.replace

    def failing(path: Path, target: Path) -> Path:
        if target.name == FILE:
            raise OSError(errno.EIO, "Input/output error")
        return replace_path(path, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(Path, "replace", failing)
        begun(tmp_path, replace(GLASS, id="id-2"))
    assert in_force(tmp_path, after(1)) == GLASS
    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(Path, "replace", failing)
        begun(tmp_path / "none", GLASS)
    assert last(tmp_path / "none") is None


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(break_glass.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        begun(tmp_path)
    assert in_force(tmp_path, after(1)) is None
