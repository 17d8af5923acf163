"""The file that a process appends to: locked, never with a torn line inside, rotated without a gap.

A lock (flock) on the file itself says who writes it; the next process takes the next number. What a crash tore
is cut on opening: a line that was not whole is no record, and joining the next to it would lose two.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import zstandard

from embargo.journal.backwards import lines_backwards, whole_lines_end
from embargo.journal.files import STEM, LogFile, live_name, log_files, rotated_name
from embargo.journal.ownership import hand_over
from embargo.journal.regular import open_regular
from embargo.journal.seal.chain import MARK, START, seal_of

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE = 0o600
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})  # what file systems say of links
_TURN = 0.01  # seconds between attempts at a file that another process holds
_MOST_CHAINS = 10_000  # processes on one directory; more are an error of ours
_LONGEST_FIRST_LINE = 1 << 20  # bytes; a policy record with many problems is the longest that we write
_MOST_BROKEN = 1000  # lines searched backwards for a sequence number


class PartlyWritten(OSError):
    """Some lines were written whole, the rest not at all."""

    def __init__(self, whole: int, cause: OSError) -> None:
        super().__init__(cause.errno, cause.strerror or str(cause))
        self.whole = whole  # lines


class LiveFile:
    """An open, locked live file. For one thread."""

    def __init__(self, path: Path, descriptor: int, *, size: int, last: "Last") -> None:
        self.path = path
        self.size = size  # bytes
        self.sequence = last.sequence  # of the last record of the chain
        self.seal = last.seal  # of that record, 64 hex digits
        self.signed = last.signed  # that record is a checkpoint of the seal: nothing before it is unsigned
        self.first = self.sequence + 1  # of the first record in this file
        self.began: datetime | None = None  # time of the first record in this file; None while it is empty
        self.cut = 0  # bytes of a torn last line that opening took away
        self._descriptor = descriptor

    @classmethod
    def open(cls, directory: Path, stem: str = STEM, patience: float = 0.0) -> "LiveFile":
        """The first live file of *directory* that no other process holds, made where it is missing.

        For the very first it waits up to *patience* seconds: one that writes and goes is worth waiting for.
        Raises OSError.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + patience
        for number in range(1, _MOST_CHAINS):
            path = directory / live_name(stem, number)
            while (descriptor := _locked(path)) is None and number == 1 and time.monotonic() < deadline:
                time.sleep(_TURN)
            if descriptor is not None:
                try:
                    return cls._taken_over(path, descriptor, stem, number)
                except BaseException:
                    os.close(descriptor)
                    raise
        raise OSError(errno.EMFILE, "too many processes write here", str(directory))

    @classmethod
    def _taken_over(cls, path: Path, descriptor: int, stem: str, number: int) -> "LiveFile":
        status = os.fstat(descriptor)
        if status.st_nlink > 1:
            undo_rotation(path, status, stem)
        hand_over(descriptor, path.parent)
        size = whole_lines_end(descriptor, status.st_size)
        if size < status.st_size:
            os.ftruncate(descriptor, size)
        last = _last(descriptor, size) or _last_of_rotated(path.parent, stem, number)
        file = cls(path, descriptor, size=size, last=last)
        file.cut = status.st_size - size
        if size:
            file._read_first()
        _sync_directory(path.parent)
        return file

    def resume(self, last: "Last") -> None:
        """Goes on after *last*, which this process has written already into a file that is gone."""
        self.sequence, self.seal, self.signed = last.sequence, last.seal, last.signed
        if not self.size:
            self.first = self.sequence + 1

    @property
    def last(self) -> "Last":
        """The last record of the chain."""
        return Last(self.sequence, self.seal, self.signed)

    def append(self, lines: Sequence[bytes]) -> None:
        """Writes *lines*, each whole or not at all. Raises PartlyWritten.

        One write call as a rule. A full disk takes part of it: what is not a whole line is cut off again.
        """
        data = memoryview(b"".join(lines))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as cause:
            whole = kept = 0
            for line in lines:
                if kept + len(line) > written:
                    break
                kept += len(line)
                whole += 1
            if kept < written:
                os.ftruncate(self._descriptor, self.size + kept)  # where this fails, opening again cuts
            self.size += kept
            self._wrote(lines[:whole])
            raise PartlyWritten(whole, cause) from cause
        self.size += written
        self._wrote(lines)

    def _wrote(self, lines: Sequence[bytes]) -> None:
        if lines:
            self.sequence += len(lines)
            self.seal = seal_of(lines[-1]) or START
            self.signed = MARK in lines[-1]

    def current(self) -> bool:
        """Whether the name still leads to this file: it, or its directory, may have been removed or replaced."""
        try:
            named = self.path.stat()
        except OSError:
            return False
        ours = os.fstat(self._descriptor)
        # a file cut short by somebody else (`> decisions.jsonl`) is taken up anew, too
        return (named.st_ino, named.st_dev, named.st_size) == (ours.st_ino, ours.st_dev, self.size)

    def sync(self) -> None:
        """Has the disk confirm what was written. Raises OSError."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Gives up file and lock."""
        with contextlib.suppress(OSError):  # a network disk reports late here; sync has been asked before
            os.close(self._descriptor)

    def rotated(self, instant: datetime) -> "LiveFile":
        """An empty live file of the same name, locked; this one lies beside it under its rotated name, closed.

        The name is never without a file, so that no other process takes it: this one gets its second name
        first, and the new one then replaces the first name. Raises OSError, and nothing has changed then.
        """
        self.sync()
        aside = self.path.with_name(rotated_name(self.path.name, instant, self.first))
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, _FLAGS | os.O_EXCL, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hand_over(descriptor, self.path.parent)
            linked = self._named_aside(aside)
            try:
                fresh.rename(self.path)
            except OSError:
                if linked:
                    aside.unlink()
                else:
                    aside.rename(self.path)
                raise
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        _sync_directory(self.path.parent)
        self.close()
        return LiveFile(self.path, descriptor, size=0, last=self.last)

    def _named_aside(self, aside: Path) -> bool:
        """Gives the file the name *aside*: beside its own (True), or instead of it where links are not to be had."""
        try:
            os.link(self.path, aside, follow_symlinks=False)
        except OSError as refused:
            if refused.errno not in _NO_LINKS:
                raise
            self.path.rename(aside)  # leaves the name free for a moment, in which another process may take it
            return False
        return True

    def _read_first(self) -> None:
        """Where this file begins, told by its first line; by its last change where that line is broken."""
        first, began = _beginning(self._descriptor)
        self.first = first if first is not None else self.sequence
        self.began = began or datetime.fromtimestamp(os.fstat(self._descriptor).st_mtime, UTC)


def first_sequence(descriptor: int) -> int | None:
    """The sequence of the first record of an open file; None where its line is broken. Raises OSError."""
    return _beginning(descriptor)[0]


def _beginning(descriptor: int) -> tuple[int | None, datetime | None]:
    head = os.pread(descriptor, _LONGEST_FIRST_LINE, 0).partition(b"\n")[0]
    try:
        document = json.loads(head)
        return int(document["event"]["sequence"]), datetime.fromisoformat(document["@timestamp"])
    except (ValueError, TypeError, KeyError):
        return None, None


def _locked(path: Path) -> int | None:
    """A descriptor of the regular file *path*, locked; None where another process has it."""
    while True:
        descriptor = os.open(path, _FLAGS, _MODE)
        try:
            if not stat.S_ISREG((status := os.fstat(descriptor)).st_mode):
                raise OSError(errno.EINVAL, "is no regular file", str(path))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                named = path.stat()
                if (named.st_ino, named.st_dev) == (status.st_ino, status.st_dev):
                    return descriptor
            os.close(descriptor)  # rotated or removed between our opening and locking it
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise


def undo_rotation(path: Path, status: os.stat_result, stem: str) -> None:
    """Takes away the second name that a crash in the middle of a rotation left."""
    live = live_name(stem, 1).removesuffix(".jsonl")
    for other in path.parent.glob(f"{live}*-*.jsonl"):
        with contextlib.suppress(FileNotFoundError):
            named = other.stat()
            if (named.st_ino, named.st_dev) == (status.st_ino, status.st_dev):
                other.unlink()


@dataclass(frozen=True, slots=True)
class Last:
    """What the next record of a chain goes on from."""

    sequence: int = 0
    seal: bytes = START
    signed: bool = False


def last_record(file: LogFile) -> Last | None:
    """The last record of a file of a chain; None where none can be read in it. Raises OSError."""
    with open_regular(file.path) as opened:
        if not file.compressed:
            return _last(opened.fileno(), os.fstat(opened.fileno()).st_size)
        return _last_compressed(opened.fileno())


def _last(descriptor: int, size: int) -> Last | None:
    for line in islice(lines_backwards(descriptor, size), _MOST_BROKEN):
        if (sequence := _sequence(line)) is not None:
            return Last(sequence, seal_of(line) or START, MARK in line)
    return None


def _last_of_rotated(directory: Path, stem: str, number: int) -> Last:
    """The last record in the newest rotated file of a chain; its first number where none can be read."""
    rotated = [file for file in log_files(directory, stem) if file.number == number and file.rotated is not None]
    if not rotated:
        return Last()
    return last_record(rotated[-1]) or Last(rotated[-1].first)


def _last_compressed(descriptor: int) -> Last | None:
    tail = b""
    with os.fdopen(os.dup(descriptor), "rb") as source:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        try:
            while block := reader.read(1 << 20):
                tail = (tail + block)[-(1 << 20) :]
        except zstandard.ZstdError:
            pass  # damaged: what could be read still tells the last number that could be
    for line in reversed(tail.splitlines(keepends=True)):
        if (sequence := _sequence(line)) is not None:
            return Last(sequence, seal_of(line) or START, MARK in line)
    return None


def _sequence(line: bytes) -> int | None:
    try:
        sequence = json.loads(line)["event"]["sequence"]
    except (ValueError, TypeError, KeyError):
        return None
    return sequence if type(sequence) is int else None


def _sync_directory(directory: Path) -> None:
    """Has the disk confirm a new or renamed name; some network file systems refuse, and lose nothing by it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
