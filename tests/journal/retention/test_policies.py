"""The texts of policies go when no record names them any more, and not before."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from embargo.journal import audit
from embargo.journal.event import ConfigurationChanged
from embargo.journal.retention.policies import mark_in_force, prune
from journal.retention.graveyard import NOW, Chain, actions

DIGEST, OTHER = "aa" * 32, "bb" * 32


def record(log: Path, event: ConfigurationChanged) -> None:
    audit.record(log, event)


def stored(log: Path, digest: str, days: float) -> Path:
    """The text of a policy that was last in force *days* ago."""
    path = log / "policies" / digest
    path.parent.mkdir(exist_ok=True)
    path.write_text("text")
    instant = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (instant, instant))
    return path


CASES = {  # case: (days since it was in force, policy that the only file, 300 days old, names; goes)
    "older than all records, and none names it": (400, OTHER, True),
    "older than all records, but one names it": (400, DIGEST, False),
    "in force when records were written": (200, OTHER, False),
    "in force within a day of the oldest": (300.5, OTHER, False),
}


@pytest.mark.parametrize(("days", "named", "goes"), CASES.values(), ids=CASES)
def test_prune(days: float, named: str, goes: bool, tmp_path: Path) -> None:
    Chain(tmp_path).rotated(300, policy=named)
    text = stored(tmp_path, DIGEST, days)
    assert prune(tmp_path, NOW, record) == goes
    assert text.exists() is not goes
    if goes:
        assert actions(tmp_path) == ["policy-deleted"]
        assert prune(tmp_path, NOW, record) == 0


def test_a_log_that_cannot_be_read_keeps_all(tmp_path: Path) -> None:
    file = Chain(tmp_path).rotated(300, 20_000, policy=OTHER)
    file.path.write_bytes(file.path.read_bytes()[:-2000])
    text = stored(tmp_path, DIGEST, 400)
    assert prune(tmp_path, NOW, record) == 0
    assert text.exists()


def test_an_empty_log_keeps_all(tmp_path: Path) -> None:
    text = stored(tmp_path, DIGEST, 400)
    assert prune(tmp_path, NOW, record) == 0
    assert text.exists()


def test_what_cannot_be_recorded_stays(tmp_path: Path) -> None:
    Chain(tmp_path).rotated(300, policy=OTHER)
    text = stored(tmp_path, DIGEST, 400)

    def fail(log: Path, event: ConfigurationChanged) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        prune(tmp_path, NOW, fail)
    assert text.exists()


def test_an_interrupted_search_keeps_all(tmp_path: Path) -> None:
    Chain(tmp_path).rotated(300, policy=OTHER)
    text = stored(tmp_path, DIGEST, 400)
    assert prune(tmp_path, NOW, record, lambda: True) == 0
    assert text.exists()


def test_other_files_there_are_nobodys_business(tmp_path: Path) -> None:
    Chain(tmp_path).rotated(300, policy=OTHER)
    note = stored(tmp_path, "README", 400)
    assert prune(tmp_path, NOW, record) == 0
    assert note.exists()


def test_marking(tmp_path: Path) -> None:
    text = stored(tmp_path, DIGEST, 400)
    mark_in_force(tmp_path, DIGEST)
    assert text.stat().st_mtime > NOW.timestamp() - 90 * 86_400
    for nothing in ("", OTHER, "../../etc/passwd"):
        mark_in_force(tmp_path, nothing)
