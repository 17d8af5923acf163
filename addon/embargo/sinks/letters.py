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

_MOST = 64 * 1024 * 1024  # bytes of a file; the older ones are numbered, and kept as long as the log
_LOCK, _TRIAL_LOCK = ".letters.lock", ".retry.lock"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Busy(Exception):
    """Another process sends the dead letters of this log again."""


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
                path.rename(path.with_name(f"{name}.dead.{1 + max(map(_number, _older(path)), default=0)}.jsonl"))
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
    and how many stay. What *deliver* raises ends it: what was not handed over stays. Raises Busy, OSError.
    """
    with _locked(log, _TRIAL_LOCK, fcntl.LOCK_NB):
        return _retried(log, name, deliver, batch)


def _retried(log: Path, name: str, deliver: Callable[[Sequence[Record]], Iterable[int]], batch: int) -> tuple[int, int]:
    path = letters_of(log, name)
    under_way = path.with_name(f"{name}.again.jsonl")
    with _locked(log):
        for each in (*_older(path), path):
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
            under_way.unlink(missing_ok=True)  # as where its letters have been forgotten meanwhile
    return len(letters) - len(stay), len(stay)


def _older(path: Path) -> list[Path]:
    """The full files beside *path*, the oldest first."""
    return sorted(path.parent.glob(path.name.removesuffix("jsonl") + "[0-9]*.jsonl"), key=_number)


def _number(path: Path) -> int:
    return int(path.suffixes[-2].removeprefix("."))


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
def _locked(log: Path, name: str = _LOCK, how: int = 0) -> Iterator[None]:
    """Raises Busy, where *how* is not to wait."""
    descriptor = os.open(keep.directory_of(log) / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        except BlockingIOError as taken:
            raise Busy(f"the dead letters of {log} are being sent again already") from taken
        yield
    finally:
        os.close(descriptor)
