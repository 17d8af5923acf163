"""Dead letters: what a receiver will never take, in `LOG/sinks/NAME.dead.jsonl`, each record with the reason.

Several processes may write there: the one that delivers, and `embargo sinks retry`. Whoever does holds a lock. While
letters are tried again they lie in `NAME.again.jsonl`, which a crash leaves for the next trial.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from embargo.formats.members import encoded
from embargo.journal.record import BrokenRecord, Record
from embargo.sinks import keep
from embargo.sinks.message import Message

_MOST = 64 * 1024 * 1024  # bytes of a file; one older is kept
_LOCK = ".letters.lock"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def letters_of(log: Path, name: str) -> Path:
    """Where the dead letters of the sink *name* are; there need be none."""
    return log / keep.DIRECTORY / f"{name}.dead.jsonl"


def bury(log: Path, name: str, message: Message, why: str, now: datetime) -> None:
    """Set *message* aside, confirmed by the disk. Raises OSError."""
    path = letters_of(log, name)
    line = encoded({"time": now.isoformat(), "id": message.id, "reason": why, "record": message.record.document})
    with _locked(log):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size >= _MOST:
                path.rename(path.with_name(f"{name}.dead.1.jsonl"))
        _write(path, [line.encode("ascii") + b"\n"], os.O_APPEND)


def forget(log: Path, before: datetime) -> int:
    """Drop the dead letters of all sinks, of former ones too, whose record is older; how many. Raises OSError.

    What the log no longer keeps must not live on here.
    """
    gone = 0
    with _locked(log):
        for path in sorted(
            [*keep.directory_of(log).glob("*.dead*.jsonl"), *log.glob(f"{keep.DIRECTORY}/*.again.jsonl")]
        ):
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if not _is_older(line, before)]
            gone += len(lines) - len(kept)
            if not kept:
                path.unlink()
            elif len(kept) < len(lines):
                fresh = path.with_name(f".{path.name}.new")
                _write(fresh, kept, os.O_TRUNC)
                fresh.rename(path)
    return gone


def retry(log: Path, name: str, deliver: Callable[[Sequence[Record]], Iterable[int]], batch: int) -> tuple[int, int]:
    """Hand the dead letters of *name* to *deliver*, *batch* at a time, which says which of them stay; how many went
    and how many stay. What *deliver* raises ends it: what was not handed over stays. Raises OSError.
    """
    path = letters_of(log, name)
    under_way = path.with_name(f"{name}.again.jsonl")
    with _locked(log):
        for each in (path.with_name(f"{name}.dead.1.jsonl"), path):
            if each.exists():
                _write(under_way, each.read_bytes().splitlines(keepends=True), os.O_APPEND)
                each.unlink()
    if not under_way.exists():
        return 0, 0
    lines = list(dict.fromkeys(under_way.read_bytes().splitlines(keepends=True)))  # a crash may have put one in twice
    letters = [(line, record) for line in lines if (record := _record(line)) is not None]
    stay: list[bytes] = []
    done = 0
    try:
        while done < len(letters):
            part = letters[done : done + batch]
            kept = set(deliver([record for _, record in part]))
            stay += [line for position, (line, _) in enumerate(part) if position in kept]
            done += len(part)
    finally:
        stay += [line for line, _ in letters[done:]]
        with _locked(log):
            if stay:
                _write(path, stay, os.O_APPEND)
            under_way.unlink()
    return len(letters) - len(stay), len(stay)


def _record(letter: bytes) -> Record | None:
    try:
        return Record.of(json.loads(letter)["record"])
    except (ValueError, KeyError, TypeError, BrokenRecord):
        return None  # torn by a crash


def _is_older(letter: bytes, before: datetime) -> bool:
    try:
        return datetime.fromisoformat(json.loads(letter)["record"]["@timestamp"]) < before
    except (ValueError, KeyError, TypeError):
        return True  # torn by a crash: it says nothing


def _write(path: Path, lines: Iterable[bytes], how: int) -> None:
    with os.fdopen(os.open(path, _FLAGS | how, 0o600), "wb") as target:
        target.writelines(lines)
        target.flush()
        os.fsync(target.fileno())


@contextlib.contextmanager
def _locked(log: Path) -> Iterator[None]:
    descriptor = os.open(keep.directory_of(log) / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
