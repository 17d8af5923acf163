"""Deleting: on record before it is done, and not at all where anything stands against it."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from embargo.core.rules import LogSettings
from embargo.journal import audit
from embargo.journal.event import ConfigurationChanged
from embargo.journal.files import LogFile, log_files
from embargo.journal.livefile import LiveFile
from embargo.journal.reader import Reader
from embargo.journal.record import Observer
from embargo.journal.retention.deletion import NotDeleted, Retirement, delete
from embargo.journal.retention.holds import FILE, Hold, write
from embargo.journal.retention.tombstone import explanation, tombstone_of
from embargo.journal.rotation import retire
from embargo.journal.seal.chain import START, seal_of, sealed
from embargo.journal.seal.finding import Kind
from embargo.journal.seal.keys import KEY, public_key
from embargo.journal.seal.verification import verify
from embargo.journal.writer import Journal
from embargo.review.holds import begin, end
from journal.retention.graveyard import NOW, YEAR, Chain, actions, line
from recorded import judged, until


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
    assert explanation(stones, 1, younger.first - 1) is stones[0]
    assert stones[0].accounted


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


def run_all(log: Path, settings: LogSettings, now: datetime) -> None:
    """A round over decisions and then the audit files, as a proxy does it."""
    made = Retirement(log, lambda: settings, lambda: now, record)
    made.begin()
    for stem in ("decisions", "audit"):
        retire(log, stem, settings, now, made)
    made.end()
    assert made.state.error is None


def rotate_audit(log: Path, now: datetime) -> None:
    """The audit file that is written to now is rotated, as a due one is by the next command."""
    file = LiveFile.open(log, "audit")
    (file.rotated(now) if file.size else file).close()


def verified(log: Path) -> list[str]:
    """What is wrong with the log; that these chains have no checkpoints aside."""
    found = verify(log, [public_key(log)]).findings
    return [str(finding) for finding in found if finding.kind is not Kind.UNSIGNED]


def test_a_tombstone_is_kept_as_long_as_it_explains_anything(tmp_path: Path) -> None:
    """However short a time audit files are kept for."""
    settings = LogSettings(audit_retention=86_400.0)
    chain = Chain(tmp_path)
    chain.rotated(400)
    chain.rotated(300)
    run_all(tmp_path, settings, NOW)
    rotate_audit(tmp_path, NOW)
    assert verified(tmp_path) == []
    later = NOW + timedelta(days=30)
    run_all(tmp_path, settings, later)
    assert len(log_files(tmp_path, "audit")) == 2, "it is needed for the file that is 330 days old"
    assert verified(tmp_path) == []
    run_all(tmp_path, settings, NOW + timedelta(days=70))
    assert names(tmp_path) == []
    assert len(log_files(tmp_path, "audit")) == 1, "that one is gone, and what explained its beginning"
    assert verified(tmp_path) == []


def test_what_explains_the_holes_around_what_is_on_hold_is_kept(tmp_path: Path) -> None:
    settings = LogSettings(audit_retention=86_400.0)
    chain = Chain(tmp_path)
    for days in (500, 450, 420, 300):
        chain.rotated(days)
    held(tmp_path, NOW - timedelta(days=451), NOW - timedelta(days=449))
    for days in (0, 30, 100):
        now = NOW + timedelta(days=days)
        run_all(tmp_path, settings, now)
        rotate_audit(tmp_path, now)
        assert verified(tmp_path) == [], days
    assert len(names(tmp_path)) == 1, "what is on hold"


def test_what_is_on_hold_and_is_taken_away_is_missed(tmp_path: Path) -> None:
    """Before and after the next file is deleted on record, which does not cover up for it."""
    chain = Chain(tmp_path)
    files = [chain.rotated(days) for days in (500, 450, 420, 300)]
    held(tmp_path, NOW - timedelta(days=451), NOW - timedelta(days=449))
    run_all(tmp_path, LogSettings(), NOW)
    assert verified(tmp_path) == []
    files[1].path.unlink()
    assert len(verified(tmp_path)) == 1
    run_all(tmp_path, LogSettings(), NOW + timedelta(days=60))
    chain.rotated(100)
    assert len(verified(tmp_path)) == 1
    assert "missing" in verified(tmp_path)[0]


def test_the_first_of_a_chain_that_is_taken_away_is_missed(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    first = chain.rotated(450)
    for days in (420, 300):
        chain.rotated(days)
    first.path.unlink()
    run_all(tmp_path, LogSettings(), NOW)
    assert "missing" in verified(tmp_path)[0]


def test_a_log_of_a_release_that_kept_no_record_of_deletion(tmp_path: Path) -> None:
    """Neither sealed nor with tombstones: what comes after is whole."""
    chain = Chain(tmp_path)
    old = chain.rotated(450, compressed=False)
    second = chain.rotated(420, compressed=False)
    second.path.write_bytes(b"".join(line(number, NOW - timedelta(days=421)) for number in range(4, 7)))
    chain.seal = START
    chain.rotated(300)
    old.path.unlink()
    run_all(tmp_path, LogSettings(), NOW)
    assert names(tmp_path) == [file.path.name for file in log_files(tmp_path)]
    assert len(names(tmp_path)) == 1
    assert verified(tmp_path) == []


def test_a_file_that_somebody_takes_away_is_missing(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(400)
    chain.rotated(300)
    taken = chain.rotated(200)
    chain.rotated(100)
    run_all(tmp_path, LogSettings(), NOW)
    assert verified(tmp_path) == []
    taken.path.unlink()
    (found,) = verified(tmp_path)
    assert "file-missing" in found


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


def plain(log: Path, number: int) -> tuple[LogFile, list[bytes]]:
    file = log_files(log)[number]
    return file, file.path.read_bytes().splitlines(keepends=True)


def aged(log: Path, number: int, found: list[bytes]) -> None:
    """The file of that place holds *found*, and an older name."""
    file = log_files(log)[number]
    file.path.unlink()
    (log / f"decisions-20200101T000000Z-{file.first}.jsonl").write_bytes(b"".join(found))


def a_last_record_of_old(log: Path) -> None:
    _, found = plain(log, 2)
    seal = seal_of(found[-1])
    assert seal is not None
    forged = line(9, NOW - timedelta(days=500))[:-3] + b',"seal":"' + seal + b'"}}\n'
    aged(log, 2, [*found, forged])


def nothing_but_a_record_of_old(log: Path) -> None:
    _, found = plain(log, 2)
    seal = seal_of(found[-1])
    assert seal is not None
    aged(log, 2, [line(9, NOW - timedelta(days=500))[:-3] + b',"seal":"' + seal + b'"}}\n'])


def a_first_number_that_covers_the_file_before(log: Path) -> None:
    file, found = plain(log, 1)
    log_files(log)[0].path.unlink()
    file.path.write_bytes(b"".join([found[0].replace(b'"sequence":4', b'"sequence":1'), *found[1:]]))
    file.path.rename(file.path.with_name(file.path.name.replace("-4.", "-1.")))


def records_in_front_that_cover_the_file_before(log: Path) -> None:
    file, found = plain(log, 1)
    log_files(log)[0].path.unlink()
    forged = sealed([line(number, NOW - timedelta(days=450)) for number in (1, 2, 3)], START)
    file.path.write_bytes(b"".join([*forged, *found]))
    file.path.rename(file.path.with_name(file.path.name.replace("-4.", "-1.")))


FORGED = {
    "a last record that is old": a_last_record_of_old,
    "one record alone that is old": nothing_but_a_record_of_old,
    "a first number that covers the file before": a_first_number_that_covers_the_file_before,
    "records in front that cover the file before": records_in_front_that_cover_the_file_before,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_nobody_without_a_key_has_us_explain_what_he_took_away(forge: Callable[[Path], None], tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    for days in (450, 400, 2, 1):
        chain.rotated(days, compressed=False)
    forge(tmp_path)
    run_all(tmp_path, LogSettings(), NOW)
    assert any("missing" in finding or "cut off" in finding for finding in verified(tmp_path)), verified(tmp_path)


def test_a_file_without_seals_explains_nothing_that_was_sealed(tmp_path: Path) -> None:
    """Who has no key takes the first away, and has the second say that it was never sealed, and began at 1."""
    chain = Chain(tmp_path)
    first, second = (chain.rotated(days, compressed=False).path for days in (450, 420))
    chain.rotated(400)
    chain.rotated(1)
    first.unlink()
    second.write_bytes(b"".join(line(number, NOW - timedelta(days=420)) for number in range(1, 7)))
    second.rename(second.with_name(second.name.replace("-4.", "-1.")))
    run_all(tmp_path, LogSettings(), NOW)
    assert len(names(tmp_path)) == 1
    assert any("missing" in finding for finding in verified(tmp_path)), verified(tmp_path)


HIDDEN: dict[str, Callable[[Path], object]] = {
    "under an older name": lambda path: path.rename(path.with_name(path.name.replace("2025", "2021"))),
    "behind a first record of another time": lambda path: path.write_bytes(
        path.read_bytes().replace(b"2025-", b"2026-", 1)
    ),
    "behind a last record of another time": lambda path: (
        path.write_bytes(path.read_bytes() + line(99, NOW - timedelta(days=1500))),
        path.rename(path.with_name(path.name.replace("2025", "2021"))),
    ),
}


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_nobody_without_a_key_hides_a_file_from_a_hold(hide: Callable[[Path], object], tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(460, compressed=False)
    kept = chain.rotated(450, compressed=False)
    held(tmp_path, NOW - timedelta(days=451), NOW - timedelta(days=449))
    hide(kept.path)
    run(tmp_path, retirement(tmp_path))
    assert len(names(tmp_path)) == 1, "the other one went"


def test_a_file_of_one_record_is_deleted_as_any_other(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    for days, records in ((420, 2), (410, 1), (400, 1), (300, 2)):
        chain.rotated(days, records)
    run_all(tmp_path, LogSettings(), NOW)
    assert len(names(tmp_path)) == 1
    assert verified(tmp_path) == []


def edited(log: Path, **members: object) -> None:
    document = json.loads((log / FILE).read_text())
    document["holds"][0] |= members
    (log / FILE).write_text(json.dumps(document))


EDITED: dict[str, tuple[Callable[[Path], object], str]] = {
    "ended": (
        lambda log: edited(log, ended=NOW.isoformat(), ended_by="bob", end_reason="settled"),
        "is ended in holds.json, and no record says so",
    ),
    "moved": (lambda log: edited(log, begin="2026-11-23T00:00:00+00:00"), "not in holds.json as it was ordered"),
    "shortened": (lambda log: edited(log, end="2020-01-02T00:00:00+00:00"), "not in holds.json as it was ordered"),
    "taken out": (lambda log: write(log, []), "not in holds.json as it was ordered"),
    "nothing": (lambda log: None, ""),
    "ended, by the command": (lambda log: end(log, "hold-20261124-1", by="bob", reason="x", now=lambda: NOW), ""),
}


@pytest.mark.parametrize(("edit", "why"), EDITED.values(), ids=EDITED)
def test_a_hold_is_ended_on_record_or_not_at_all(edit: Callable[[Path], object], why: str, tmp_path: Path) -> None:
    Chain(tmp_path).rotated(400)
    old = NOW - timedelta(days=4000)
    begin(tmp_path, begin=old, end=None, reason="r", author="bob", ticket=None, now=lambda: NOW)
    edit(tmp_path)
    made = retirement(tmp_path)
    run(tmp_path, made)
    assert why in (made.state.error or "")
    assert len(names(tmp_path)) == (edit is not EDITED["ended, by the command"][0])
    assert bool(made.state.error) is bool(why)


def test_a_file_that_another_process_deleted_first(tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(400)
    file.path.unlink()
    assert delete(tmp_path, file, NOW, YEAR, record)
    assert not (tmp_path / "audit.jsonl").exists()


def test_a_proxy_deletes_once_its_policy_has_told_it(tmp_path: Path) -> None:
    chain = Chain(tmp_path)
    chain.rotated(4000)
    text = tmp_path / "policies" / ("aa" * 32)
    text.parent.mkdir()
    text.touch()
    os.utime(text, (1_000_000_000, 1_000_000_000))
    journal = Journal(tmp_path, observer=Observer(hostname="proxy1", version="0.1.0", pid=1))
    journal.start()
    journal.offer(judged(policy=""))
    until(lambda: journal.state().file is not None)
    assert journal.state().retention.deleted == 0
    journal.follow(LogSettings(), "aa" * 32)
    until(lambda: journal.state().retention.deleted == 1)
    assert journal.close()
    assert len(log_files(tmp_path)) == 1
    assert text.stat().st_mtime > 1_000_000_000, "it is in force"
    assert verified(tmp_path) == []
