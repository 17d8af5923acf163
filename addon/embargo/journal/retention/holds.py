"""Holds: times whose log is kept whatever its age, until somebody ends the hold. `holds.json` beside the log.

What protects evidence fails safe: where the file cannot be read whole, or is gone although the audit chain says that
there was a hold, nothing is deleted. A hold that was ended stays in the file, so that the file never vanishes by our
own doing.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embargo.journal.files import AUDIT_STEM, log_files
from embargo.journal.ownership import hand_over
from embargo.journal.reader import Reader
from embargo.journal.regular import regular_descriptor

FILE, _LOCK = "holds.json", ".holds.lock"
ADDED, ENDED = "hold-added", "hold-ended"  # `event.action`
SUBJECT = "hold"  # the member of `embargo` with the details
_VERSION = 1
_LARGEST = 4 * 1024 * 1024  # bytes of the file
_PATIENCE = 5.0  # seconds to wait for another command
_TURN = 0.05  # seconds between attempts at the lock
_SLACK = timedelta(minutes=1)  # records stand in the order of their writing, which may differ from that of their times


class HoldsUnreadable(Exception):
    """Nobody can say what is on hold; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A time whose log is kept."""

    id: str
    begin: datetime  # aware, UTC: the first instant that counts
    end: datetime | None  # the first that no longer does; None: open
    reason: str
    author: str
    since: datetime  # when it was ordered
    ticket: str | None = None
    ended: datetime | None = None  # when it was ended; None: it holds
    ended_by: str | None = None
    end_reason: str | None = None

    @property
    def holds(self) -> bool:
        """Whether it still does."""
        return self.ended is None

    def covers(self, since: datetime | None, until: datetime) -> bool:
        """Whether it keeps what was written from *since* (None: nobody knows) to *until*."""
        early = since is None or self.end is None or since - _SLACK < self.end
        return self.holds and early and until + _SLACK >= self.begin


def holds(log: Path) -> tuple[Hold, ...]:
    """Every hold of the log directory *log*, ended ones too, the earliest order first. Raises HoldsUnreadable."""
    path = log / FILE
    try:
        data = _content(path)
    except FileNotFoundError:
        if _was_held(log):
            raise HoldsUnreadable(f"{path} is gone, although a hold was recorded; bring it back") from None
        return ()
    except OSError as failure:
        raise HoldsUnreadable(f"{path}: {failure.strerror or failure}") from failure
    try:
        return _parsed(data)
    except (ValueError, TypeError, KeyError, RecursionError) as broken:
        raise HoldsUnreadable(f"{path} is damaged: {type(broken).__name__}: {broken}") from broken


def keeping(found: Sequence[Hold], since: datetime | None, until: datetime) -> Hold | None:
    """The first of *found* that keeps what was written from *since* to *until*."""
    return next((hold for hold in found if hold.covers(since, until)), None)


@contextmanager
def changing(log: Path) -> Iterator[None]:
    """The right to change the holds of *log*. Raises OSError (EAGAIN where another process has it)."""
    descriptor = os.open(log / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        hand_over(descriptor, log)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise OSError(
                        errno.EAGAIN, "another process changes the holds just now", str(log / _LOCK)
                    ) from None
                time.sleep(_TURN)
        yield
    finally:
        os.close(descriptor)


def write(log: Path, found: Sequence[Hold]) -> None:
    """Replaces the holds of *log* by *found*, confirmed by the disk; whole or not at all. Raises OSError."""
    document = {"version": _VERSION, "holds": [_members(hold) for hold in found]}
    beside = log / f".{FILE}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
            file.flush()
            hand_over(descriptor, log)
            os.fsync(descriptor)
        beside.rename(log / FILE)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    directory = os.open(log, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network disks refuse, and lose nothing by it
            os.fsync(directory)
    finally:
        os.close(directory)


def _content(path: Path) -> bytes:
    with open(path, "rb", opener=lambda *_: regular_descriptor(path, os.O_NOFOLLOW)) as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, "is too large to be ours", str(path))
    return data


def _was_held(log: Path) -> bool:
    """Whether the audit chain has an order for a hold. Raises HoldsUnreadable where it cannot be read."""
    needle = f'"action":"{ADDED}"'.encode()
    reader = Reader(log, (AUDIT_STEM,))
    try:
        files = log_files(log, AUDIT_STEM)
    except FileNotFoundError:
        return False
    except OSError as failure:
        raise HoldsUnreadable(f"{log}: {failure.strerror or failure}") from failure
    found = any(needle in line for file in files for line in reader.lines(file))
    if not found and reader.broken.count:
        raise HoldsUnreadable(f"the audit chain cannot be read: {reader.broken.places[0]}")
    return found


def _parsed(data: bytes) -> tuple[Hold, ...]:
    document = json.loads(data)
    if document["version"] != _VERSION:
        raise ValueError(f"version {document['version']!r}, expected {_VERSION}")
    found = [_hold(members) for members in document["holds"]]
    if len({hold.id for hold in found}) < len(found):
        raise ValueError("an id stands twice")
    return tuple(found)


_TIMES = frozenset({"begin", "end", "since", "ended"})
_OPTIONAL = frozenset({"end", "ticket", "ended", "ended_by", "end_reason"})


def _hold(members: dict[str, Any]) -> Hold:
    if set(members) != set(Hold.__slots__):
        raise ValueError(f"a hold has the members {', '.join(map(repr, sorted(members)))}")
    for name, value in members.items():
        if not (isinstance(value, str) or (value is None and name in _OPTIONAL)):
            raise TypeError(f"{name} is no text")
    return Hold(**(members | {name: _instant(members[name]) for name in _TIMES}))


def _instant(value: str | None) -> datetime | None:
    if value is None:
        return None
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError(f"{value!r} has no offset from UTC")
    return found.astimezone(UTC)


def _members(hold: Hold) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(hold).items()}
