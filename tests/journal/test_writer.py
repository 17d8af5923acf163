import asyncio
import errno
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embargo.core.rules import LogSettings
from embargo.journal import inbox
from embargo.journal.event import Event, ProcessChanged
from embargo.journal.livefile import LiveFile
from embargo.journal.reader import Reader
from embargo.journal.seal.chain import MARK
from embargo.journal.writer import Journal
from recorded import OBSERVER, TIME, Disk, judged, until, until_async

NEVER = 1e12  # seconds: the records are of a fixed day, which lies ever further back
QUICK = LogSettings(flush=0.01, rotate_age=NEVER)
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def make(tmp_path: Path, disk: Disk) -> Iterator[Callable[..., Journal]]:
    made: list[Journal] = []

    def journal(directory: Path = tmp_path, settings: LogSettings = QUICK, **options: Any) -> Journal:
        made.append(Journal(directory, settings, observer=OBSERVER, open_file=disk.open, **options))
        return made[-1]

    yield journal
    disk.gate.set()
    for each in made:
        each.close()


def event(number: int) -> Event:
    return judged(id=f"id-{number}")


def read(directory: Path) -> list[dict[str, Any]]:
    """The live file's records but the seal's own; every line has to be one, and none may be missing."""
    found = [json.loads(line) for line in (directory / "decisions.jsonl").read_bytes().splitlines()]
    numbers = [each["event"]["sequence"] for each in found]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
    return [each for each in found if each["event"]["action"] != "seal-checkpoint"]


def ids(directory: Path) -> list[str]:
    """The ids of the judged flows in all files, by time; no line may be broken."""
    reader = Reader(directory)
    found = [entry.record.id for entry in reader.entries() if entry.record.verdict is not None]
    assert not reader.broken.places
    return found


def test_what_is_offered_is_written_in_order(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    assert journal.offer(event(0)), "before the start, too"
    journal.start()
    assert all(journal.offer(event(number)) for number in range(1, 2500))
    assert journal.close()
    written = read(tmp_path)
    assert [record["event"]["id"] for record in written] == [f"id-{number}" for number in range(2500)]
    state = journal.state()
    assert (state.written, state.lost, state.queue, state.error, state.file) == (2500, 0, 0, None, "decisions.jsonl")


def test_an_event_is_in_the_file_without_closing(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    journal.start()
    journal.offer(event(1))
    until(lambda: (tmp_path / "decisions.jsonl").exists() and len(read(tmp_path)) == 1)


def test_the_sequence_goes_on_after_a_restart(make: Callable[..., Journal], tmp_path: Path) -> None:
    for number in range(3):
        journal = make()
        journal.start()
        journal.offer(event(number))
        assert journal.close()
    assert [record["event"]["sequence"] for record in read(tmp_path)] == [1, 3, 5]


def test_two_journals_share_a_directory(make: Callable[..., Journal], tmp_path: Path) -> None:
    first, second = make(), make()
    first.start()
    until(lambda: first.state().file is not None)
    second.start()
    until(lambda: second.state().file is not None)
    first.offer(event(1))
    second.offer(event(2))
    assert first.close()
    assert second.close()
    assert (first.state().file, second.state().file) != (None, None)
    assert sorted(ids(tmp_path)) == ["id-1", "id-2"]
    assert {path.name for path in tmp_path.iterdir()} == {"decisions.jsonl", "decisions.2.jsonl", "seal"}


def test_a_torn_line_is_cut_and_said(make: Callable[..., Journal], tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_bytes(b'{"@timestamp":"2026')
    journal = make()
    journal.start()
    journal.offer(event(1))
    assert journal.close()
    assert [record["event"]["action"] for record in read(tmp_path)] == ["log-loss", "block"]
    assert read(tmp_path)[0]["embargo"]["lost"]["reason"] == "a last line of 19 bytes, torn by a crash, was cut"
    assert journal.state().lost == 0, "another process's loss"


UNWRITABLE = {  # case: what makes the log directory unwritable before the start
    "below a file": lambda directory: directory.write_text("no directory"),
    "a file that is a directory": lambda directory: (directory / "decisions.jsonl").mkdir(parents=True),
}


@pytest.mark.parametrize("spoil", UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_log_that_cannot_be_made_stops_nothing(
    spoil: Callable[[Path], object], make: Callable[..., Journal], tmp_path: Path
) -> None:
    directory = tmp_path / "log"
    spoil(directory)
    journal = make(directory)
    journal.start()
    until(lambda: journal.state().error is not None)
    assert journal.submit(event(1))
    until(lambda: journal.state().lost == 1)
    shutil.rmtree(directory) if directory.is_dir() else directory.unlink()
    until(lambda: journal.state().error is None)
    journal.offer(event(2))
    assert journal.close()
    written = read(directory)
    assert written[0]["embargo"]["lost"]["count"] == 1
    assert [record["event"]["action"] for record in written] == ["log-loss", "block"]


def test_a_full_disk_is_counted_and_said_first_after_recovery(
    make: Callable[..., Journal], disk: Disk, tmp_path: Path
) -> None:
    journal = make()
    journal.start()
    journal.offer(event(1))
    until(lambda: journal.state().written == 1)
    disk.failing = FULL
    for number in range(2, 9):
        journal.offer(event(number))
    until(lambda: journal.state().lost == 7)
    assert journal.state().error == "No space left on device"
    disk.failing = None
    until(lambda: journal.state().error is None)
    journal.offer(event(9))
    assert journal.close()
    written = read(tmp_path)
    assert [record["event"]["action"] for record in written] == ["block", "log-loss", "block"]
    assert [record["event"]["sequence"] for record in written] == [1, 3, 4], "2 signs the first"
    lost = written[1]["embargo"]["lost"]
    assert (lost["count"], lost["reason"]) == (7, "No space left on device")
    assert lost["since"] <= written[1]["@timestamp"]
    assert (journal.state().written, journal.state().lost) == (3, 7)


def test_a_log_that_stays_unwritable_holds_no_events(make: Callable[..., Journal], disk: Disk) -> None:
    """What waits when an attempt fails again is counted at once, so memory and crash loss stay small."""
    disk.failing = FULL
    journal = make()
    journal.start()
    until(lambda: journal.state().error is not None)
    for number in range(5000):
        journal.offer(event(number))
    until(lambda: journal.state().lost == 5000)
    assert journal.state().queue == 0


def test_records_left_at_the_end_of_a_failed_log_are_counted(make: Callable[..., Journal], disk: Disk) -> None:
    disk.failing = FULL
    journal = make(bound=5000)
    journal.start()
    until(lambda: journal.state().error is not None)
    for number in range(3000):
        journal.offer(event(number))
    assert not journal.close()
    state = journal.state()
    assert (state.written, state.lost, state.queue) == (0, 3000, 0)
    assert not journal.offer(event(0)), "closed"


def test_what_the_disk_does_not_confirm_is_lost(
    make: Callable[..., Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: LiveFile) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(LiveFile, "sync", refuse)
        journal = make()
        journal.start()
        journal.offer(event(1))
        until(lambda: journal.state().lost >= 1)
        assert "did not confirm" in (journal.state().error or "")
    until(lambda: journal.state().error is None)
    journal.offer(event(2))
    assert journal.close()
    assert "log-loss" in [record["event"]["action"] for record in read(tmp_path)]


VANISHING = {  # case: what happens to the log between two events
    "the file removed": lambda directory: (directory / "decisions.jsonl").unlink(),
    "the directory removed": shutil.rmtree,
    "the directory replaced": lambda directory: (directory.rename(directory.with_name("old")), directory.mkdir()),
    "the file emptied": lambda directory: (directory / "decisions.jsonl").write_bytes(b""),
}


@pytest.mark.parametrize("vanish", VANISHING.values(), ids=VANISHING)
def test_a_log_that_vanishes_is_made_again(
    vanish: Callable[[Path], object], make: Callable[..., Journal], tmp_path: Path
) -> None:
    directory = tmp_path / "log"
    journal = make(directory)
    journal.start()
    journal.offer(event(1))
    until(lambda: journal.state().written == 1)
    vanish(directory)
    journal.offer(event(2))
    until(lambda: journal.state().written == 2)
    assert journal.close()
    assert [(record["event"]["id"], record["event"]["sequence"]) for record in read(directory)] == [("id-2", 3)]
    assert journal.state().lost == 0


def test_one_event_that_cannot_be_worded_loses_no_other(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    journal.offer(event(1))
    journal.offer(judged(id="bad", destination=7))
    journal.offer(event(2))
    journal.start()
    assert journal.close()
    written = read(tmp_path)
    assert [record["event"]["id"] for record in written if record["event"]["action"] == "block"] == ["id-1", "id-2"]
    assert journal.state().lost == 1


# --- a full queue


def test_offer_never_waits(make: Callable[..., Journal]) -> None:
    journal = make(bound=3)
    assert [journal.offer(event(number)) for number in range(5)] == [True, True, True, False, False]
    assert journal.state().lost == 0, "the caller may wait and try again"
    assert not journal.submit(event(5))
    assert (journal.state().lost, journal.state().queue) == (1, 3)


@pytest.mark.anyio
async def test_put_waits_for_room(make: Callable[..., Journal], disk: Disk, tmp_path: Path) -> None:
    disk.gate.clear()
    journal = make(bound=10)
    journal.start()
    while journal.offer(event(-1)):
        pass
    puts = [asyncio.ensure_future(journal.put(event(number))) for number in range(50)]
    await asyncio.sleep(0)
    disk.gate.set()
    assert all(await asyncio.gather(*puts))
    assert journal.close()
    assert {f"id-{number}" for number in range(50)} <= set(ids(tmp_path))
    assert (journal.state().lost, journal.state().waited > 0) == (0, True)


@pytest.mark.anyio
async def test_put_gives_up_where_the_writer_is_stuck(
    make: Callable[..., Journal], disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PATIENCE", 0.05)
    disk.gate.clear()
    journal = make(bound=4)
    journal.start()
    while journal.offer(event(0)):
        pass
    ticks = 0

    async def heart() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    beating = asyncio.ensure_future(heart())
    outcomes = await asyncio.gather(*(journal.put(event(number)) for number in range(3)))
    beating.cancel()
    assert outcomes == [False, False, False]
    assert ticks > 100, "the loop went on"
    assert journal.state().lost == 3
    disk.gate.set()
    assert journal.close()
    lost = [record["embargo"]["lost"] for record in read(tmp_path) if record["event"]["action"] == "log-loss"]
    assert sum(each["count"] for each in lost) == 3
    assert {each["reason"] for each in lost} == {"the queue was full"}


@pytest.mark.anyio
async def test_progress_extends_the_wait(
    make: Callable[..., Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many more flows wait than the writer can serve within the patience; none is lost while it gets on."""
    monkeypatch.setattr(inbox, "PATIENCE", 0.5)
    append = LiveFile.append

    def slow(file: LiveFile, lines: list[bytes]) -> None:
        time.sleep(0.02)  # the disk
        append(file, lines)

    monkeypatch.setattr(LiveFile, "append", slow)
    journal = make(bound=2)
    journal.start()
    outcomes = await asyncio.gather(*(journal.put(event(number)) for number in range(100)))
    assert all(outcomes)
    assert journal.close(30)
    assert len(ids(tmp_path)) == 100
    assert journal.state().waited > 0.5


@pytest.mark.anyio
async def test_put_does_not_wait_for_a_log_that_cannot_be_written(make: Callable[..., Journal], disk: Disk) -> None:
    disk.failing = FULL
    journal = make(bound=1)
    journal.start()
    await until_async(lambda: journal.state().error is not None)
    await asyncio.wait_for(asyncio.gather(*(journal.put(event(number)) for number in range(10))), 1)
    journal.close()
    assert journal.state().lost == 10


@pytest.mark.anyio
async def test_a_cancelled_put_is_counted(make: Callable[..., Journal], disk: Disk) -> None:
    disk.gate.clear()
    journal = make(bound=1)
    journal.start()
    while journal.offer(event(0)):
        pass
    put = asyncio.ensure_future(journal.put(event(1)))
    await asyncio.sleep(0.01)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert journal.state().lost == 1


# --- rotation


def test_rotation_under_load_loses_nothing(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make(settings=replace(QUICK, rotate_size=200_000))
    journal.start()
    for number in range(5000):
        while not journal.offer(event(number)):
            time.sleep(0.001)
    assert journal.close(30)
    assert len(list(tmp_path.glob("decisions-*"))) >= 4
    reader = Reader(tmp_path, checkpoints=True)
    sequences = [entry.record.sequence for entry in reader.entries()]
    assert sorted(sequences) == list(range(1, len(sequences) + 1))
    assert len(set(ids(tmp_path))) == 5000


def test_rotation_by_age(make: Callable[..., Journal], tmp_path: Path) -> None:
    clock = [TIME]
    journal = make(settings=replace(QUICK, rotate_age=60), now=lambda: clock[0])
    journal.start()
    journal.offer(event(1))
    until(lambda: journal.state().written == 1)
    assert not list(tmp_path.glob("decisions-*"))
    clock[0] = TIME.replace(minute=TIME.minute + 1)
    until(lambda: len(list(tmp_path.glob("decisions-20261124T101600Z-1.jsonl*"))) == 1)
    journal.offer(event(2))
    assert journal.close()
    assert sorted(ids(tmp_path)) == ["id-1", "id-2"]


# --- processes of their own

WRITER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from embargo.core.rules import LogSettings
    from embargo.journal.writer import Journal
    from recorded import OBSERVER, judged

    journal = Journal(Path(sys.argv[1]), LogSettings(flush=float(sys.argv[3]), rotate_age=1e12), observer=OBSERVER)
    journal.start()
    prefix = sys.argv[2]
    number = 0
    while True:
        for _ in range(20):
            journal.submit(judged(id=f"{prefix}-{number}"))
            number += 1
        print(number, time.monotonic(), flush=True)
        time.sleep(0.002)
    """
)


def spawn(source: str, *arguments: object) -> "subprocess.Popen[str]":
    root = Path(__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": f"{root.parent / 'addon'}{os.pathsep}{root}"}
    command = [sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_kill_9_loses_no_more_than_the_flush_bound(tmp_path: Path) -> None:
    """What was offered longer ago than `flush` (here 0.5 s, for a loaded machine) is in the file, in whole lines."""
    process = spawn(WRITER, tmp_path, "a", 0.5)
    assert process.stdout is not None
    told: list[tuple[int, float]] = []
    while len(told) < 2 or told[-1][1] - told[0][1] < 1.5:
        count, moment = process.stdout.readline().split()
        told.append((int(count), float(moment)))
    process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    process.wait()
    process.stdout.close()
    content = (tmp_path / "decisions.jsonl").read_bytes()
    whole = content[: content.rfind(b"\n") + 1].splitlines()
    numbers = [int(json.loads(line)["event"]["id"].removeprefix("a-")) for line in whole if MARK not in line]
    assert numbers == list(range(len(numbers)))
    due = max(count for count, moment in told if moment < killed - 0.5)
    assert len(numbers) >= due > 0
    after = Journal(tmp_path, QUICK, observer=OBSERVER)
    after.start()
    after.offer(ProcessChanged(time=TIME, action="start"))
    assert after.close()
    assert [record["event"]["sequence"] for record in read(tmp_path)][-1] >= len(numbers) + 1


def test_processes_share_a_directory(tmp_path: Path) -> None:
    processes = {prefix: spawn(WRITER, tmp_path, prefix, 0.05) for prefix in ("a", "b", "c")}
    live = [tmp_path / name for name in ("decisions.jsonl", "decisions.2.jsonl", "decisions.3.jsonl")]
    until(lambda: all(path.exists() and path.stat().st_size > 200_000 for path in live))  # some hundred records
    for process in processes.values():
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    writers = set[str]()
    for path in live:
        content = path.read_bytes()
        records = [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
        written = [record for record in records if record["event"]["action"] != "seal-checkpoint"]
        ours = {record["event"]["id"][0] for record in written}
        assert len(ours) == 1, "one chain a process"
        writers |= ours
        assert [record["event"]["sequence"] for record in records] == list(range(1, len(records) + 1))
    assert writers == set(processes)


FULL_DISK = textwrap.dedent(
    """
    import resource, sys, time
    from pathlib import Path
    from embargo.core.rules import LogSettings
    from embargo.journal.writer import Journal
    from recorded import OBSERVER, judged, until

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # the largest file: the disk is full behind it
    journal = Journal(Path(sys.argv[1]), LogSettings(flush=0.01, rotate_age=1e12), observer=OBSERVER)
    journal.start()
    for number in range(50):
        journal.submit(judged(id=f"id-{number}"))
    until(lambda: journal.state().lost > 0 and not journal.state().queue)
    full = journal.state()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: journal.state().error is None)
    journal.submit(judged(id="after"))
    journal.close()
    state = journal.state()
    print(full.written, full.lost, full.error, state.written, state.lost, state.error, sep="|")
    """
)


def test_a_disk_that_really_is_full(tmp_path: Path) -> None:
    process = spawn(FULL_DISK, tmp_path)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    written, lost, error, in_all, lost_in_all, last_error = printed.strip().split("|")
    assert (int(written) > 0, int(written) + int(lost), error, last_error) == (True, 50, "File too large", "None")
    records = read(tmp_path)  # every line is whole
    assert len(records) == int(in_all)
    assert [record["event"]["action"] for record in records[int(written) :]] == ["log-loss", "block"]
    assert records[int(written)]["embargo"]["lost"]["count"] == int(lost) == int(lost_in_all)


def test_lines_that_cannot_be_printed_do_not_end_the_log(
    make: Callable[..., Journal], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mitmproxy raises SystemExit where it cannot print, and the full disk is often that of standard output too."""

    def refuses(record: logging.LogRecord) -> None:
        raise SystemExit(1)

    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", refuses)
    logger = logging.getLogger("embargo.journal.writer")
    logger.addHandler(handler)
    try:
        journal = make()
        journal.start()
        disk.failing = FULL
        journal.offer(event(1))
        until(lambda: journal.state().lost == 1)
        assert journal.state().error == "No space left on device"
        disk.failing = None
        until(lambda: journal.state().error is None)
        journal.offer(event(2))
        assert journal.close()
        assert journal.state().written == 2  # with the record of the loss
    finally:
        logger.removeHandler(handler)
