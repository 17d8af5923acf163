"""Deleting: on record before it is done, and not at all where anything stands against it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from embargo.core.rules import LogSettings
from embargo.journal import audit
from embargo.journal.event import ConfigurationChanged
from embargo.journal.files import log_files
from embargo.journal.reader import Reader
from embargo.journal.retention.deletion import NotDeleted, Retirement, delete
from embargo.journal.retention.holds import FILE, Hold, write
from embargo.journal.retention.tombstone import explaining, tombstone_of
from embargo.journal.rotation import retire
from embargo.journal.seal.keys import KEY, public_key
from journal.retention.graveyard import NOW, YEAR, Chain, actions


def record(log: Path, event: ConfigurationChanged) -> None:
    audit.record(log, event)


def retirement(log: Path, settings: LogSettings | None = LogSettings()) -> Retirement:  # noqa: B008 - it is frozen
    return Retirement(log, lambda: settings, lambda: NOW, record)


def run(log: Path, made: Retirement, stem: str = "decisions") -> None:
    made.begin()
    retire(log, stem, LogSettings(), NOW, made)
    made.end()


def names(log: Path) -> list[str]:
    return [file.path.name for file in log_files(log)]


def test_what_is_too_old_goes_and_leaves_a_tombstone(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    old, younger = chain.rotated(400), chain.rotated(300)
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert names(tmp_path) == [younger.path.name]
    assert (made.state.deleted, made.state.error, made.state.held) == (1, None, 0)
    stones = [
        stone
        for entry in Reader(tmp_path, ("audit",)).entries()
        if (stone := tombstone_of(entry.record.document)) is not None
    ]
    assert [stone.file for stone in stones] == [old.path.name]
    assert stones[0].holds(public_key(tmp_path))
    assert explaining(stones, "decisions", younger.first) is stones[0]


def test_of_every_chain(tmp_path: Path) -> None:
    Chain(tmp_path).rotated(400)
    Chain(tmp_path, "decisions.2.jsonl").rotated(400)
    Chain(tmp_path, "audit.jsonl").rotated(400)
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert names(tmp_path) == []
    run(tmp_path, made, "audit")
    assert actions(tmp_path) == ["log-deleted"] * 3
    assert made.state.deleted == 3


def test_it_is_on_record_before_it_goes(tmp_path: Path) -> None:
    old = Chain(tmp_path).rotated(400)
    there: list[bool] = []

    def look(log: Path, event: ConfigurationChanged) -> None:
        there.append(old.path.exists())

    assert delete(tmp_path, old, NOW, YEAR, look)
    assert (there, old.path.exists()) == ([True], False)


def test_what_cannot_be_recorded_is_not_deleted(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(500)
    chain.rotated(400)

    def fail(log: Path, event: ConfigurationChanged) -> None:
        raise OSError(28, "No space left on device")

    made = Retirement(tmp_path, LogSettings, lambda: NOW, fail)
    run(tmp_path, made)
    assert len(names(tmp_path)) == 2
    assert made.state.error is not None
    assert "No space left" in made.state.error


def test_what_cannot_be_signed_is_not_deleted(tmp_path: Path) -> None:
    Chain(tmp_path).rotated(400)
    run(tmp_path, retirement(tmp_path))
    assert names(tmp_path) == []
    Chain(tmp_path).rotated(400)
    (tmp_path / "seal" / KEY).unlink()
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert len(names(tmp_path)) == 1
    assert made.state.error is not None
    assert "no tombstone can be signed" in made.state.error


def test_a_crash_between_tombstone_and_deletion_harms_nothing(tmp_path: Path) -> None:
    old = Chain(tmp_path).rotated(400)

    class Crash(BaseException):
        pass

    def crash(log: Path, event: ConfigurationChanged) -> None:
        audit.record(log, event)
        raise Crash

    with pytest.raises(Crash):
        delete(tmp_path, old, NOW, YEAR, crash)
    assert old.path.exists()
    run(tmp_path, retirement(tmp_path))
    assert not old.path.exists()
    assert actions(tmp_path) == ["log-deleted"] * 2


def held(log: Path, begin: datetime, end: datetime | None, ended: datetime | None = None) -> None:
    write(log, [Hold(id="h", begin=begin, end=end, reason="lawsuit", author="bob", since=NOW, ended=ended)])


def test_what_is_on_hold_stays_and_what_is_not_goes(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(500)
    kept = chain.rotated(450)
    chain.rotated(400)
    held(tmp_path, NOW - timedelta(days=451), NOW - timedelta(days=449))
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert names(tmp_path) == [kept.path.name]
    assert (made.state.held, made.state.deleted) == (1, 2)
    held(tmp_path, NOW - timedelta(days=451), None, ended=NOW)
    run(tmp_path, made)
    assert names(tmp_path) == []


def test_damaged_holds_keep_everything_and_say_so(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(500)
    chain.rotated(400)
    (tmp_path / FILE).write_text("{")
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert len(names(tmp_path)) == 2
    assert made.state.error is not None
    assert "nobody can say what is on hold" in made.state.error
    assert not (tmp_path / "audit.jsonl").exists()


def test_nothing_goes_while_nobody_knows_how_long_it_is_kept(tmp_path: Path) -> None:
    """A proxy that starts reads its log before its policy, which may say five years."""
    Chain(tmp_path).rotated(4000)
    run(tmp_path, retirement(tmp_path, None))
    assert len(names(tmp_path)) == 1


def test_nobody_has_us_sign_for_a_younger_file(tmp_path: Path) -> None:
    """Who may write here but has no key puts the records of yesterday under an old name."""
    young = Chain(tmp_path).rotated(1)
    disguised = young.path.with_name("decisions-20200101T000000Z-1.jsonl.zst")
    young.path.rename(disguised)
    (file,) = log_files(tmp_path)
    with pytest.raises(NotDeleted, match="younger than its name says"):
        delete(tmp_path, file, NOW, YEAR, record)
    assert disguised.exists()


def test_a_file_that_another_process_deleted_first(tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(400)
    file.path.unlink()
    assert delete(tmp_path, file, NOW, YEAR, record)
    assert not (tmp_path / "audit.jsonl").exists()
