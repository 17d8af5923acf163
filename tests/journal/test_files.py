from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embargo.journal.files import live_name, log_file, log_files, rotated_name

ROTATED = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
NAMES = {  # file name: (chain, rotated, first, compressed); None where it is none of ours
    "decisions.jsonl": (1, None, 0, False),
    "decisions.2.jsonl": (2, None, 0, False),
    "decisions-20261124T101500Z-1.jsonl": (1, ROTATED, 1, False),
    "decisions.12-20261124T101500Z-900.jsonl.zst": (12, ROTATED, 900, True),
    "decisions.jsonl.zst": None,
    "decisions.0.jsonl": None,
    "decisions-20261124T101500Z-1.jsonl.zst.part": None,
    "decisions-20269924T101500Z-1.jsonl": None,
    "audit.jsonl": None,
    ".decisions.jsonl.7.new": None,
    "policies": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    file = log_file(Path(name))
    assert (file and (file.number, file.rotated, file.first, file.compressed)) == NAMES[name]


def test_names_are_read_as_they_are_made() -> None:
    assert log_file(Path(live_name("decisions", 3))) == log_file(Path("decisions.3.jsonl"))
    made = log_file(Path(rotated_name("decisions.3.jsonl", ROTATED, 41)))
    assert made is not None
    assert (made.number, made.rotated, made.first) == (3, ROTATED, 41)


def test_a_clock_that_was_set_back_changes_no_order(tmp_path: Path) -> None:
    """Records count up, whatever the names say of the time."""
    names = [rotated_name("decisions.jsonl", ROTATED - timedelta(hours=first), first) for first in (1, 4, 10)]
    for name in ("decisions.jsonl", *names):
        (tmp_path / name).touch()
    assert [file.path.name for file in log_files(tmp_path)] == [*names, "decisions.jsonl"]


def test_each_record_is_in_one_file(tmp_path: Path) -> None:
    """Compressed before plain, a rotation under way once, oldest first and the live one last."""
    for name in (
        "decisions.jsonl",
        "decisions.2.jsonl",
        "decisions-20261124T101500Z-10.jsonl",
        "decisions-20261124T101500Z-10.jsonl.zst",
        "decisions-20261123T101500Z-1.jsonl.zst",
        "decisions-20261125T101500Z-20.jsonl",
        "decisions-20261125T101500Z-20.jsonl.zst.part",
        "notes.txt",
    ):
        (tmp_path / name).touch()
    (tmp_path / "decisions-20261126T101500Z-30.jsonl").hardlink_to(tmp_path / "decisions.jsonl")
    assert [file.path.name for file in log_files(tmp_path)] == [
        "decisions-20261123T101500Z-1.jsonl.zst",
        "decisions-20261124T101500Z-10.jsonl.zst",
        "decisions-20261125T101500Z-20.jsonl",
        "decisions.jsonl",
        "decisions.2.jsonl",
    ]
