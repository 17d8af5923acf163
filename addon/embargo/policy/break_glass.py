"""The file by which break-glass reaches every worker of a machine, and the one that remembers the last.

`break-glass.json` in the state directory is what workers look at: while it is there, whole, ours and its time is not
over, nothing is refused. Without it, or with any other, the policy holds. `break-glass.last.json` stays, and says
whether the end was recorded: so the end is recorded once, by whoever comes first, be it after a restart. Both are
replaced by rename; who changes them, or records an end, holds the lock.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embargo.core.break_glass import LONGEST, SHORTEST, BreakGlass, Clocks, End

FILE, LAST, LOCK = "break-glass.json", "break-glass.last.json", "break-glass.lock"
_LARGEST = 16_384  # bytes
_LONGEST_TEXT = 1_000  # characters of a reason; author, ticket and id have less
_LOOK = 0.02  # seconds between attempts at the lock, or at two files that belong together
_LOOKS = 5
_FOR_WANT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE})  # says nothing of the file

# Sees to it that the audit chain has an end, once, and returns it as it stands there. The instant: it is noted since
# then that some chain has it, so that only one with the beginning needs it too. Raises OSError.
type Recorder = Callable[[BreakGlass, End, datetime | None], End]


class Damaged(ValueError):
    """A file that is none of ours: it counts for nothing."""


class Busy(OSError):
    """Somebody else holds the lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The newest break-glass that began."""

    glass: BreakGlass
    end: End | None = None  # None: its end has not been recorded
    ended: datetime | None = None  # when it was


def clocks() -> Clocks:
    """Both clocks of this machine. The second counts through a suspend where the system has such a clock."""
    ticking = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
    return Clocks(datetime.now(UTC), ticking)


# -- reading


def in_force(directory: Path, now: Clocks) -> BreakGlass | None:
    """The one that holds now. Raises Damaged; OSError where it cannot be told, for want of descriptors or memory.

    It counts as it was recorded to begin: whoever changes the file, or puts back one that has ended, prolongs nothing.
    """
    for _ in range(_LOOKS):
        glass = read(directory)
        if glass is None or glass.left(now) <= 0:
            return None
        newest = last(directory)
        if newest is not None and newest.glass == glass:
            break
        time.sleep(_LOOK)  # both are just being replaced
    else:
        raise Damaged(f"{directory / FILE}: is not what was recorded to begin")
    if newest.end is not None:
        return None
    if glass.is_ahead(now):
        raise Damaged(f"{directory / FILE}: begins in the future, at {glass.since:%Y-%m-%d %H:%M:%S} UTC")
    return glass


def read(directory: Path) -> BreakGlass | None:
    """The one whose file lies in *directory*, in force or over. Raises Damaged, which names the file, and OSError."""
    path = directory / FILE
    content = _content(path)
    if content is None:
        return None
    try:
        return _glass(json.loads(content))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as broken:
        raise Damaged(f"{path}: no break-glass of ours: {broken}") from broken


def last(directory: Path) -> Last | None:
    """The newest that began; None where none is known of. Raises OSError."""
    try:
        content = _content(directory / LAST)
        if content is None:
            return None
        members = json.loads(content)
        end, ended = members["end"], members["ended"]
        return Last(
            glass=_glass(members["break_glass"]),
            end=End(end) if end is not None else None,
            ended=_instant(ended) if ended is not None else None,
        )
    except (Damaged, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None  # it decides nothing; the next one writes it anew


def _content(path: Path) -> bytes | None:
    """What the file holds, if nobody but us can have written it. Raises Damaged, OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as failure:
        if failure.errno == errno.ENOTDIR:
            return None
        if failure.errno in _FOR_WANT:
            raise
        why = "a symbolic link" if failure.errno == errno.ELOOP else failure.strerror or str(failure)
        raise Damaged(f"{path}: {why}") from failure
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged(f"{path}: no regular file")
        if found.st_uid != _owner(path.parent):
            raise Damaged(f"{path}: belongs to another user ({found.st_uid})")
        if found.st_mode & 0o022:
            raise Damaged(f"{path}: others may write it (mode {stat.S_IMODE(found.st_mode):o})")
        content = os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        raise Damaged(f"{path}: longer than {_LARGEST} bytes")
    return content


def _glass(members: Any) -> BreakGlass:
    """Raises ValueError, TypeError, KeyError, OverflowError."""
    if not isinstance(members, dict):
        raise TypeError("no object")
    seconds, ticks = members["seconds"], members["ticks"]
    if type(seconds) not in (int, float) or type(ticks) not in (int, float):
        raise TypeError("seconds and ticks are numbers")
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(f"lasts {seconds:g} s, more or less than it may")
    if not 0 <= ticks < 1e12:
        raise ValueError("ticks are out of range")
    glass = BreakGlass(
        id=_text(members, "id"),
        since=_instant(members["since"]),
        seconds=float(seconds),
        ticks=float(ticks),
        reason=_text(members, "reason"),
        author=_text(members, "author"),
        ticket=_text(members, "ticket") if members.get("ticket") is not None else None,
    )
    _ = glass.until  # a time beyond the calendar raises
    return glass


def _text(members: dict[str, Any], name: str) -> str:
    value = members[name]
    if type(value) is not str or not 0 < len(value) <= _LONGEST_TEXT:
        raise ValueError(f"{name} is no text of 1 to {_LONGEST_TEXT} characters")
    value.encode()  # a lone surrogate raises, which no record could hold
    return value


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("a time without offset")
    return instant.astimezone(UTC)


# -- changing: under the lock


@contextlib.contextmanager
def locked(directory: Path, patience: float) -> Iterator[None]:
    """Nobody else changes either file, or records an end, meanwhile.

    Raises OSError; Busy where the lock is not had within *patience* (seconds).
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory / LOCK, flags, 0o600)
    try:
        _hand_over(descriptor, directory)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Busy(errno.EAGAIN, "another process changes it just now", str(directory / LOCK)) from None
                time.sleep(_LOOK)
        yield
    finally:
        os.close(descriptor)


def write(directory: Path, glass: BreakGlass) -> None:
    """Put *glass* in force. Under the lock. Raises OSError, and then it is not, and what was before is."""
    before = last(directory)
    remembered, held = _beside(directory / LAST, _of_last(Last(glass=glass))), None
    try:
        held = _beside(directory / FILE, _members(glass))
        _put(remembered, directory / LAST)
        try:
            _put(held, directory / FILE)  # at once: each counts with the other alone
        except OSError:
            with contextlib.suppress(OSError):
                if before is not None:
                    write_last(directory, before)
                else:
                    (directory / LAST).unlink()
            raise
    finally:
        for beside in (remembered, held):
            if beside is not None:
                beside.unlink(missing_ok=True)


def write_last(directory: Path, newest: Last) -> None:
    """Remember the newest, and whether its end is recorded. Under the lock. Raises OSError."""
    _put(_beside(directory / LAST, _of_last(newest)), directory / LAST)


def clear(directory: Path) -> None:
    """Take the file away, whatever is there. Under the lock. Raises OSError."""
    _remove(directory / FILE)


def _members(glass: BreakGlass) -> dict[str, Any]:
    return asdict(glass) | {"since": glass.since.isoformat()}


def _of_last(newest: Last) -> dict[str, Any]:
    return {
        "break_glass": _members(newest.glass),
        "end": newest.end.value if newest.end is not None else None,
        "ended": newest.ended.isoformat() if newest.ended is not None else None,
    }


def _beside(path: Path, members: dict[str, Any]) -> Path:
    """A new file beside *path*, on the disk, that may take its place. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    _remove(beside)  # left by one that was killed: the lock is ours
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        _hand_over(file.fileno(), path.parent)
        file.write(json.dumps(members, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return beside


def _put(beside: Path, path: Path) -> None:
    """Rename *beside* to *path*, whatever is there. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        _remove(path)
    beside.replace(path)


def _remove(path: Path) -> None:
    """Take *path* away; a directory is moved aside, for nobody knows what is in it. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.aside-{time.time_ns()}"))
    else:
        path.unlink(missing_ok=True)


def _hand_over(descriptor: int, directory: Path) -> None:
    """What root makes belongs to whom the directory belongs to: the proxy, which is not root, has to believe it."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _owner(directory: Path) -> int:
    """Whose files count. Root's command sees what the proxy sees, which is whom the directory belongs to."""
    user = os.geteuid()
    return directory.stat().st_uid if user == 0 else user


# -- the end


def settle(
    directory: Path, record: Recorder, *, known: BreakGlass | None = None, now: Clocks, patience: float = 0.0
) -> None:
    """Have the end recorded of whichever is over, once in each log, and clear away its file.

    *known*: one that the asker saw in force. Raises OSError: the end is not recorded, or not noted, yet; ask again.
    """
    with locked(directory, patience):
        settle_locked(directory, record, known=known, now=now)


def settle_locked(directory: Path, record: Recorder, *, known: BreakGlass | None = None, now: Clocks) -> None:
    """As `settle`, for one who holds the lock."""
    newest = last(directory)
    holding = current = None
    damaged = False
    try:
        current = read(directory)
        holding = in_force(directory, now)
    except Damaged:
        damaged = True
    if newest is None:  # lost, or never there
        seen = known or current
        newest = Last(glass=seen) if seen is not None else None
    elif known is not None and known.id != newest.glass.id:
        lost = holding is None and newest.glass.since < known.since  # an older one was put back
        how = End.REPLACED if not lost else End.EXPIRED if known.left(now) <= 0 else End.REMOVED
        record(known, how, None)  # mostly it is: by who began the other
    if newest is None or (holding is not None and holding.id == newest.glass.id):
        return  # there is nothing, or it goes on
    subject = newest.glass
    if newest.end is not None:
        record(subject, newest.end, newest.ended or now.wall)
    else:
        how = End.EXPIRED if subject.left(now) <= 0 else End.DAMAGED if damaged else End.REMOVED
        write_last(directory, Last(glass=subject, end=record(subject, how, None), ended=now.wall))
    if current is not None and current.id == subject.id:
        clear(directory)  # one that has ended does not come back
