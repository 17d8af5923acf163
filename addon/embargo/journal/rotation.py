"""When the live file is rotated, and what becomes of rotated files: compressed, and deleted when they are old.

Compressing and deleting happen in a thread of their own, beside the writer. A compressed file is written beside
and renamed when it is whole, and only then the plain one goes: after a crash at any point each record is in one
file that readers count (files.py). Several processes may do this to one directory: whoever holds the lock (flock)
on a plain file compresses it.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import zstandard

from embargo.core.rules import LogSettings
from embargo.journal.files import AUDIT_STEM, LogFile, log_file, log_files, rotated_name
from embargo.journal.livefile import LiveFile, first_sequence, undo_rotation
from embargo.journal.ownership import hand_over
from embargo.journal.regular import regular_descriptor
from embargo.journal.retention.deletion import Recorder, Retirement
from embargo.journal.retention.policies import mark_in_force, prune

_LEVEL = 3  # zstd's default: 104 bytes a record at level 1 (measured), some less here
_BETWEEN_ROUNDS = 3600.0  # seconds
_ABANDONED = 3600.0  # seconds after which nobody is still about to rotate
_logger = logging.getLogger(__name__)


def due(file: LiveFile, settings: LogSettings, now: datetime) -> bool:
    """Whether the live file is to be rotated; an empty one never is."""
    if not file.size or file.began is None:
        return False
    return file.size >= settings.rotate_size or (now - file.began).total_seconds() >= settings.rotate_age


class Keeper:
    """The thread that compresses and deletes rotated files."""

    def __init__(
        self,
        directory: Path,
        stem: str,
        settings: Callable[[], LogSettings],
        now: Callable[[], datetime],
        retirement: Retirement,
        record: Recorder,
    ) -> None:
        self._directory = directory
        self._stem = stem
        self._settings = settings
        self._now = now
        self._retirement = retirement
        self._record = record
        self.policy = ""  # digest of the one in force
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; it waits to be notified."""
        self._thread = threading.Thread(target=self._run, name="embargo-log-keeper", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """The live file is open, or there is one to compress: a crash may have left some, too.

        Not before: a look at an old live file holds its lock for a moment, and its next writer would pass it by.
        """
        self._wake.set()

    def close(self, timeout: float) -> None:
        """Ends the thread; what it had begun is finished after the next start."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self._wake.wait(_BETWEEN_ROUNDS)
            self._wake.clear()
            if self._closing:
                return
            with contextlib.suppress(SystemExit):  # mitmproxy's, where it cannot print what is logged
                self._keep()

    def _keep(self) -> None:
        try:
            directory, settings, now = self._directory, self._settings(), self._now()
            mark_in_force(directory, self.policy)
            self._retirement.begin()
            try:
                keep(directory, self._stem, settings, now, self._retirement, lambda: self._closing)
                retire(directory, AUDIT_STEM, settings, now, self._retirement)
            finally:
                self._retirement.end()
            if self.policy:  # before, the one that is about to take effect may be one that was in force long ago
                prune(directory, now, self._record, lambda: self._closing)
        except Exception as failure:  # a thread's top: say so, try again later
            _logger.warning("decision log: keeping %s failed", self._directory, exc_info=failure)


def keep(
    directory: Path,
    stem: str,
    settings: LogSettings,
    now: datetime,
    delete: Callable[[LogFile], None],
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """One round over *directory*: rotate what dead processes left, have *delete* see to what is too old, compress.

    Raises OSError; what was done until then is whole.
    """
    for file in _named(directory, stem):
        if file.rotated is None:
            _rotate_abandoned(file.path, stem, settings, now)
    retire(directory, stem, settings, now, delete)
    counted = {file.path for file in log_files(directory, stem)}  # a rotation under way is not
    for file in _named(directory, stem):
        if interrupted():
            return
        if file.rotated is None:
            continue
        if not file.compressed and (file.path in counted or _done(file.path)):
            compress(file.path, interrupted)
    for part in directory.glob(f"{stem}*.jsonl.zst.part"):
        if not part.with_name(part.name.removesuffix(".zst.part")).exists():
            part.unlink(missing_ok=True)  # its plain file was deleted in the middle
    for fresh in directory.glob(f".{stem}*.new"):  # what a crash left of a rotation not yet begun
        with _exclusively(fresh) as descriptor:
            # a young one may be another process's that has not locked it yet
            if descriptor is not None and now.timestamp() - os.fstat(descriptor).st_mtime > _ABANDONED:
                fresh.unlink(missing_ok=True)


def retire(directory: Path, stem: str, settings: LogSettings, now: datetime, delete: Callable[[LogFile], None]) -> None:
    """Have *delete* see to each file of *stem*'s chains that is too old, oldest first. Raises OSError."""
    retention = timedelta(seconds=settings.kept_for(audit=stem == AUDIT_STEM))
    for file in log_files(directory, stem):
        if file.rotated is None or now - file.rotated < retention:
            continue
        if file.compressed:  # a crash came before the plain one went, and the same records must not come back
            file.path.with_name(file.path.name.removesuffix(".zst")).unlink(missing_ok=True)
        delete(file)


def compress(path: Path, interrupted: Callable[[], bool] = lambda: False) -> bool:
    """Replaces the rotated plain file *path* by `path.zst`; False where another process is at it, or on interruption.

    Raises OSError (a full disk), and the plain file stays then.
    """
    whole = path.with_name(path.name + ".zst")
    part = path.with_name(path.name + ".zst.part")
    with _exclusively(path) as source:
        if source is None:
            return False
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
                compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
                with compressor.stream_writer(target, closefd=False) as writer:
                    while block := os.read(source, 1 << 20):
                        if interrupted():
                            raise InterruptedError
                        writer.write(block)
                target.flush()
                hand_over(target.fileno(), path.parent)
                os.fsync(target.fileno())
            status = os.fstat(source)
            os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
            part.rename(whole)
        except InterruptedError:
            part.unlink(missing_ok=True)
            return False
        except OSError:
            part.unlink(missing_ok=True)
            raise
        path.unlink()
    return True


def _done(path: Path) -> bool:
    """Whether *path* is compressed already: a crash came before the plain file went."""
    return path.with_name(path.name + ".zst").exists()


def _named(directory: Path, stem: str) -> Iterator[LogFile]:
    for path in sorted(directory.iterdir()):
        if (file := log_file(path, stem)) is not None:
            yield file


@contextlib.contextmanager
def _exclusively(path: Path) -> Iterator[int | None]:
    """A locked descriptor of *path* for reading; None where it is gone or another process holds it."""
    try:
        descriptor = regular_descriptor(path, os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor if _lock(path, descriptor) else None
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named, opened = path.stat(), os.fstat(descriptor)
    except (BlockingIOError, FileNotFoundError):
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def _rotate_abandoned(path: Path, stem: str, settings: LogSettings, now: datetime) -> None:
    """Rotates a live file that no process holds any more (there were more workers once) and that is old enough."""
    try:
        if now.timestamp() - path.stat().st_mtime < settings.rotate_age:
            return  # do not even touch the lock, for which a starting process may look
    except FileNotFoundError:
        return
    with _exclusively(path) as descriptor:
        if descriptor is None:
            return
        status = os.fstat(descriptor)
        if status.st_size and now.timestamp() - status.st_mtime >= settings.rotate_age:
            undo_rotation(path, status, stem)
            path.rename(path.with_name(rotated_name(path.name, now, first_sequence(descriptor) or 0)))
