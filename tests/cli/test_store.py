"""`embargo store`: status, rebuild, and following as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.journal.query import Query
from embargo.journal.record import Encoder
from embargo.journal.store import Store
from recorded import OBSERVER, judged, until

ENCODER = Encoder(OBSERVER)


def line(number: int) -> bytes:
    return ENCODER.line(judged(id=f"id-{number}"), sequence=number + 1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(line, range(7))))
    return tmp_path


def run(log: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["store", *arguments, "--log", str(log)])


def test_status_says_how_far_behind_it_is(log: Path) -> None:
    result = run(log, "status", "--json")
    found = json.loads(result.output)
    assert (result.exit_code, found["rows"], found["behind"]) == (1, 0, (log / "decisions.jsonl").stat().st_size)
    rebuilt = run(log, "rebuild")
    assert (rebuilt.exit_code, rebuilt.output) == (0, "7 records\n")
    result = run(log, "status", "--json")
    found = json.loads(result.output)
    assert (result.exit_code, found["rows"], found["behind"], found["newest"]) == (0, 7, 0, "2026-11-24T10:15:00.123Z")
    assert run(log, "status").output.startswith("7 records of 1 files")


def test_broken_lines_are_told(log: Path) -> None:
    with (log / "decisions.jsonl").open("ab") as file:
        file.write(b"\x1b[2Jgarbage\n")
    result = run(log, "rebuild")
    assert result.exit_code == 0
    assert "1 broken lines were left out" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("command", ["status", "rebuild"])
def test_a_directory_that_is_missing(command: str, tmp_path: Path) -> None:
    result = run(tmp_path / "none", command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {tmp_path / 'none'}: no such log directory\n"


def test_follow_until_it_is_ended(tmp_path: Path) -> None:
    """It waits for a log that is not there yet, keeps up over a rotation, and ends on SIGTERM with 0."""
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-c", "from embargo.cli.main import main; main()", "store", "follow", "--log", str(log)],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "addon")},
    )
    try:
        log.mkdir(mode=0o700)
        live = log / "decisions.jsonl"
        live.write_bytes(b"".join(map(line, range(3))))
        until(lambda: (log / "store" / "decisions.sqlite").exists())
        store = Store.open(log)
        until(lambda: store.snapshot() == 3)
        live.rename(log / "decisions-20261124T110000Z-1.jsonl")
        live.write_bytes(b"".join(map(line, range(3, 5))))
        until(lambda: store.count(Query(), store.snapshot()) == 5)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, b"")
    finally:
        process.kill()
        process.communicate()
