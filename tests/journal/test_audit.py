"""What commands change is on the disk, in one chain, before they go on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embargo.core.rules import LogSettings
from embargo.journal.audit import record
from embargo.journal.livefile import LiveFile
from embargo.journal.reader import Reader
from recorded import EXCEPTION, TIME


def records(directory: Path, name: str = "audit.jsonl") -> list[dict[str, Any]]:
    """All but the seal's own; the next to each is one that signs it."""
    found = [json.loads(line) for line in (directory / name).read_bytes().splitlines()]
    return [each for each in found if each["event"]["action"] != "seal-checkpoint"]


def test_a_directory_and_a_chain_are_begun(tmp_path: Path) -> None:
    log = tmp_path / "state" / "log"
    record(log, EXCEPTION)
    record(log, EXCEPTION)
    assert [each["event"]["sequence"] for each in records(log)] == [1, 3]
    assert (log / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert len({each["event"]["id"] for each in records(log)}) == 2


def test_it_is_read_with_the_decisions(tmp_path: Path) -> None:
    record(tmp_path, EXCEPTION)
    (entry,) = Reader(tmp_path).entries()
    assert (entry.record.action, entry.record.user, entry.record.apps) == ("exception-added", "bob", ("alipay",))
    assert list(Reader(tmp_path, stems=("decisions",)).entries()) == []


def test_the_disk_confirms_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(LiveFile, "sync", lambda file: synced.append(file.sequence))
    record(tmp_path, EXCEPTION)
    assert synced == [2], "and its signature"


def test_a_torn_line_is_cut_and_told(tmp_path: Path) -> None:
    record(tmp_path, EXCEPTION)
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"@timestamp":"2026')
    record(tmp_path, EXCEPTION)
    assert [each["event"]["action"] for each in records(tmp_path)] == ["exception-added", "log-loss", "exception-added"]
    assert [each["event"]["sequence"] for each in records(tmp_path)] == [1, 3, 4]


def test_what_is_old_is_rotated(tmp_path: Path) -> None:
    record(tmp_path, EXCEPTION)
    record(tmp_path, replace(EXCEPTION, time=TIME + timedelta(days=2)), LogSettings(rotate_age=86_400.0))
    (aside,) = tmp_path.glob("audit-*")
    assert aside.name == "audit-20261126T101500Z-1.jsonl.zst"
    assert [each["event"]["sequence"] for each in records(tmp_path)] == [3]
    assert [entry.record.sequence for entry in Reader(tmp_path).entries()] == [1, 3]


def test_a_chain_that_is_held_is_waited_for(tmp_path: Path) -> None:
    held = LiveFile.open(tmp_path, "audit")
    waiting = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from embargo.journal.audit import record\n"
            "from recorded import EXCEPTION\nprint('ready', flush=True); record(Path(sys.argv[1]), EXCEPTION)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"ready\n"
    held.close()
    assert waiting.wait(30) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"audit.jsonl", "seal"}


def test_one_that_is_held_for_long_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embargo.journal.audit.PATIENCE", 0.05)
    held = LiveFile.open(tmp_path, "audit")
    record(tmp_path, EXCEPTION)
    held.close()
    assert len(records(tmp_path, "audit.2.jsonl")) == 1


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/dev/full")], ids=["a file", "a device"])
def test_where_it_cannot_be_written_it_says_so(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "log")
    with pytest.raises(OSError):
        record(tmp_path / "log", EXCEPTION)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_writes_is_the_directory_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    record(tmp_path, EXCEPTION)
    status = (tmp_path / "audit.jsonl").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)
