"""`embargo hold`: ordered, listed, ended; recorded; refused where it cannot be."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.journal.reader import Reader
from embargo.journal.retention.holds import FILE, holds
from embargo.journal.seal.chain import START, sealed
from journal.retention.graveyard import line


def run(log: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["hold", *arguments, "--log", str(log)])


def add(log: Path, *arguments: str, since: str = "2026-03-01") -> Result:
    return run(log, "add", "--from", since, "--reason", "Doe v. Example", "--author", "bob", *arguments)


USAGE = {  # case: (arguments, what the error says)
    "no time": (["add", "--reason", "x"], "--from"),
    "no reason": (["add", "--from", "2026-03-01"], "--reason"),
    "a blank reason": (["add", "--from", "2026-03-01", "--reason", " "], "expected 1 to 1000 characters"),
    "no day": (["add", "--from", "March", "--reason", "x"], "expected a date such as"),
    "the wrong way round": (["add", "--from", "2026-03-01", "--to", "2026-03-01", "--reason", "x"], "not after --from"),
    "an end of nothing": (["end", "--reason", "x"], "ID"),
    "an end without a reason": (["end", "hold-1"], "--reason"),
    "one that nobody knows": (["end", "hold-1", "--reason", "x"], "hold-1 is not known; on hold are: none"),
}


@pytest.mark.parametrize(("arguments", "why"), USAGE.values(), ids=USAGE)
def test_usage(arguments: list[str], why: str, tmp_path: Path) -> None:
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert not (tmp_path / FILE).exists()


def test_its_life(tmp_path: Path) -> None:
    log = tmp_path
    assert run(log, "list").stdout == "nothing is on hold\n"
    added = add(log, "--to", "2026-06-01", "--ticket", "LEGAL-9")
    assert added.exit_code == 0, added.output
    (hold,) = holds(log)
    assert added.stdout.startswith(f"{hold.id}: nothing that was written from 2026-03-01 to 2026-06-01 is deleted")
    listed = run(log, "list").stdout
    assert f"{hold.id}  from 2026-03-01 to 2026-06-01, 0 rotated files\n  by bob on " in listed
    assert "(LEGAL-9): Doe v. Example" in listed
    ended = run(log, "end", hold.id, "--reason", "settled", "--author", "eve")
    assert (ended.exit_code, ended.stdout) == (0, f"{hold.id} is ended: what it kept may be deleted again\n")
    assert run(log, "list").stdout == "nothing is on hold\n"
    assert "ended by eve on " in run(log, "list", "--all").stdout
    again = run(log, "end", hold.id, "--reason", "settled")
    assert (again.exit_code, "has been ended already" in again.stderr) == (2, True)


def test_each_step_is_recorded_before_and_after(tmp_path: Path) -> None:
    add(tmp_path)
    run(tmp_path, "end", holds(tmp_path)[0].id, "--reason", "settled", "--author", "eve")
    records = [entry.record for entry in Reader(tmp_path, ("audit",)).entries()]
    told = [record for record in records if record.action.startswith("hold-")]
    assert [(record.action, record.outcome, record.user, record.reason) for record in told] == [
        ("hold-added", "unknown", "bob", "Doe v. Example"),
        ("hold-added", "success", "bob", "Doe v. Example"),
        ("hold-ended", "unknown", "eve", "settled"),
        ("hold-ended", "success", "eve", "settled"),
    ]
    assert told[0].document["embargo"]["hold"]["from"] == "2026-03-01T00:00:00.000Z"


def test_json_and_the_files_it_keeps(tmp_path: Path) -> None:
    time = datetime(2026, 3, 2, tzinfo=UTC)
    rotated = tmp_path / f"decisions-{time + timedelta(hours=1):%Y%m%dT%H%M%SZ}-1.jsonl"
    rotated.write_bytes(b"".join(sealed([line(1, time)], START)))
    added = json.loads(add(tmp_path, "--to", "2026-06-01", "--json").stdout)
    assert (added["from"], added["to"], added["files"], added["holds"]) == (
        "2026-03-01T00:00:00+00:00",
        "2026-06-01T00:00:00+00:00",
        1,
        True,
    )
    add(tmp_path, since="2026-04-01")
    listed = [json.loads(text) for text in run(tmp_path, "list", "--json").stdout.splitlines()]
    assert [(each["files"], each["to"]) for each in listed] == [(1, added["to"]), (0, None)]
    assert len({each["id"] for each in listed}) == 2


@pytest.mark.parametrize("arguments", [["list"], ["add", "--from", "2026-01-01", "--reason", "x"]], ids=lambda a: a[0])
def test_damage_is_told(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{")
    result = run(tmp_path, *arguments)
    assert result.exit_code == 2
    assert f"error: {tmp_path / FILE} is damaged" in result.stderr
    assert (tmp_path / FILE).read_text() == "{", "nothing is written over it"


def test_control_characters_stay_out_of_the_terminal(tmp_path: Path) -> None:
    add(tmp_path, "--ticket", "\x1b[31mT")
    assert "\x1b" not in run(tmp_path, "list").stdout


@pytest.mark.parametrize("arguments", [["list"], ["add", "--from", "2026-01-01", "--reason", "x"]], ids=lambda a: a[0])
def test_a_log_that_is_not_there(arguments: list[str], tmp_path: Path) -> None:
    """A name that was misspelled protects nothing."""
    result = run(tmp_path / "lgo", *arguments)
    assert (result.exit_code, "No such file or directory" in result.stderr) == (2, True)
    assert not (tmp_path / "lgo").exists()


def test_a_hold_that_cannot_be_recorded_is_none(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    result = add(tmp_path)
    assert result.exit_code == 2
    assert not (tmp_path / FILE).exists()
