"""What root makes in a log is the log's owner's; where it matters, by root alone."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged
from embargo.journal.files import log_files
from embargo.journal.livefile import LiveFile
from embargo.journal.ownership import hand_over
from embargo.journal.rotation import compress
from embargo.journal.seal.keys import signing_key
from embargo.review.holds import begin
from recorded import TIME

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files away")
OWNER = 4711


def recorded(log: Path) -> None:
    audit.record(log, ConfigurationChanged(time=TIME, action="exception-added", change=Change.CREATION))


def compressed(log: Path) -> None:
    path = log / "decisions-20261124T101500Z-1.jsonl"
    path.write_bytes(b"{}\n")
    os.chown(path, OWNER, OWNER)
    compress(path)


def rotated(log: Path) -> None:
    file = LiveFile.open(log)
    file.append([b"{}\n"])
    file.rotated(TIME).close()


MADE: dict[str, Callable[[Path], object]] = {
    "a record of a command": recorded,
    "what a proxy writes": rotated,
    "a hold": lambda log: begin(log, begin=TIME, end=None, reason="r", author="a", ticket=None, now=lambda: TIME),
    "the key": signing_key,
    "a compressed file": compressed,
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_everything_is_the_owners(make: Callable[[Path], object], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir(mode=0o700)
    os.chown(log, OWNER, OWNER)
    make(log)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in log.rglob("*")} == {(OWNER, OWNER)}


def test_a_file_of_another_name_is_not_given_away(tmp_path: Path) -> None:
    """The owner of the log may have put it there: `/etc/shadow` by a second name."""
    (log := tmp_path / "log").mkdir()
    os.chown(log, OWNER, OWNER)
    (tmp_path / "secret").touch()
    os.link(tmp_path / "secret", log / ".lock")
    with (log / ".lock").open("rb") as file:
        hand_over(file.fileno(), log)
    assert (tmp_path / "secret").stat().st_uid == 0
    assert not log_files(log)
