"""Whatever reads a log waits for nothing that is no file."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.core.rules import LogSettings
from embargo.journal.files import log_files
from embargo.journal.livefile import LiveFile, last_record
from embargo.journal.reader import Reader
from embargo.journal.regular import open_regular
from embargo.journal.retention.extent import begun, extent, first_of
from embargo.journal.rotation import keep
from embargo.journal.seal.verification import verify
from embargo.journal.spool import Spool

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LIVE, ROTATED, COMPRESSED = "audit.jsonl", "audit-20261124T000000Z-1.jsonl", "audit-20261124T000000Z-1.jsonl.zst"


def reading(log: Path) -> None:
    reader = Reader(log)
    assert not list(reader.entries())
    assert not reader.newest(1)
    assert reader.broken.count


READERS: dict[str, Callable[[Path], object]] = {
    "the reader": reading,
    "the spool": lambda log: Spool(log, {}).read(1),
    "verification": lambda log: verify(log, []),
    "the keeper": lambda log: keep(log, "audit", LogSettings(), NOW, lambda file: None),
    "the next process": lambda log: LiveFile.open(log, "audit"),
    "what a file holds": lambda log: [extent(file) for file in log_files(log, "audit")],
    "when it begins": lambda log: [begun(file) for file in log_files(log, "audit")],
    "where it begins": lambda log: [first_of(file) for file in log_files(log, "audit")],
    "its last record": lambda log: [last_record(file) for file in log_files(log, "audit")],
}


@pytest.fixture
def patience() -> Iterator[None]:
    """Ten seconds for what would wait for ever."""

    def over(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", [LIVE, ROTATED, COMPRESSED])
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.usefixtures("patience")
def test_nobody_waits_for_a_pipe(read: Callable[[Path], object], name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    try:
        read(tmp_path)
    except OSError as refused:  # TimeoutError is one, too
        assert "no regular file" in str(refused)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a directory"])
def test_what_is_no_file_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(OSError, match="is no regular file"):
        open_regular(tmp_path / "x")
