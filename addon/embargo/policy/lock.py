"""The lock file beside a file of a policy: who is changing that, and in which state it was last put there whole.

The first line is for people who wait, the second for readers: one that would let a file stand still first, since an
editor may be in the middle of writing it, need not do so where the file still looks as told there.
"""

import fcntl
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_TURN = 0.05  # seconds between attempts
_LONGEST_HOLDER = 400  # bytes of who holds a lock
_LONGEST_LOCK = 1000  # bytes of a lock file that are read
_LOCK_FLAGS = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_WHOLE = re.compile(rb"whole (\d+) (\d+) (\d+)")

type Signature = tuple[int, int, int] | None  # inode, mtime (ns), size; None: no file
type Holder = str  # who holds the lock, in words


class Busy(Exception):
    """Somebody else has it; says who."""


def last_replaced(path: Path) -> Signature:
    """What the file at *path* looked like when it was last replaced this way, whole; None where that is not known.

    Where it still looks so, nobody is in the middle of writing it. Never waits and never raises.
    """
    target = Path(os.path.realpath(path))
    try:
        descriptor = os.open(lock_of(target), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _whole(descriptor)
    finally:
        os.close(descriptor)


def signature(path: Path) -> Signature:
    """What tells that a file changed; None where it cannot be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def lock_of(target: Path) -> Path:
    """The lock file of *target*, a path without links."""
    return target.with_name(f".{target.name}.lock")


def acquired(path: Path, patience: float, waiting: Callable[[Holder], None]) -> int:
    """A descriptor of the lock file *path*, locked.

    *waiting* is called once, with who has it, where that is somebody else. Raises Busy after *patience* seconds,
    OSError where there can be no lock.
    """
    deadline = time.monotonic() + patience
    told = False
    while (descriptor := _locked(path)) is None:
        other = _holder(path)
        if time.monotonic() >= deadline:
            raise Busy(other)
        if not told:
            told = True
            waiting(other)
        time.sleep(_TURN)
    return descriptor


def _holder(path: Path) -> Holder:
    """Who has the lock *path*, as far as is known, fit to be printed."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_HOLDER).partition(b"\n")[0].decode(errors="replace").strip()
    except OSError:
        text = ""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text) or "somebody"


class Note:
    """What a lock file says while it is ours: a courtesy to those who wait, and to those who read the file."""

    def __init__(self, descriptor: int, holder: Holder) -> None:
        self._descriptor = descriptor
        self._whole = _whole(descriptor)
        self._holder = " ".join(holder.splitlines()).encode(errors="replace")[:_LONGEST_HOLDER]
        self._write()

    def tell(self, whole: Signature) -> None:
        """The file, as it looks then, is whole."""
        self._whole = whole
        self._write()

    def release(self) -> None:
        """Nobody holds it."""
        self._holder = b""
        self._write()

    def _write(self) -> None:
        whole = "whole {} {} {}".format(*self._whole) if self._whole is not None else ""
        text = self._holder + b"\n" + whole.encode() if self._holder or whole else b""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)


def _locked(path: Path) -> int | None:
    """A descriptor of *path*, locked; None where somebody else has it. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDWR | _LOCK_FLAGS, 0o644)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)  # another user's: enough for a lock
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours, named = os.fstat(descriptor), path.stat()
        if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _whole(descriptor: int) -> Signature:
    """What the second line of an open lock file tells; None where it tells nothing."""
    try:
        lines = os.pread(descriptor, _LONGEST_LOCK, 0).splitlines()
    except OSError:
        return None
    found = _WHOLE.fullmatch(lines[1]) if len(lines) > 1 else None
    if found is None:
        return None
    inode, modified, size = map(int, found.groups())
    return inode, modified, size
