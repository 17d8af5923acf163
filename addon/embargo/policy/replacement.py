"""Changing a file of a policy: locked against other writers, and replaced whole or not at all.

The new text is written beside and confirmed by the disk, then takes the old one's name, so a reader sees the one or the
other, whatever happens in between. Mode, owner and extended attributes stay; where the name is a symbolic link, it
stays one. What this command leaves behind when it is killed is a file that no one reads, and the next one removes it.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from embargo.policy.lock import Busy, Holder, Note, Signature, acquired, lock_of, signature
from embargo.policy.problem import Mistake
from embargo.policy.reading import read

PATIENCE = 30.0  # seconds that a writer waits for others; one takes a second or two


class NotWritten(Exception):
    """The file could not be changed, and is as it was; says why, and what to do."""


@contextmanager
def locked(
    path: Path,
    holder: Holder,
    *,
    like: Path,
    patience: float = PATIENCE,
    waiting: Callable[[Holder], None] = lambda other: None,
) -> Iterator["LockedFile"]:
    """The file at *path*, while nobody else may change it by this way; *holder* tells others who does.

    One that is not there yet will be readable for whoever may read *like*. *waiting* is called once, with who holds
    the lock, where that has to be waited for.

    Raises NotWritten after *patience* seconds, or where there can be no lock.
    """
    target = Path(os.path.realpath(path))
    lock = lock_of(target)
    try:
        descriptor = acquired(lock, patience, waiting)
    except Busy as other:
        raise NotWritten(f"{lock.parent}: {other} is changing it; nothing was written: try again") from other
    except OSError as failure:
        raise NotWritten(f"{lock}: {failure.strerror or failure}, so it cannot be locked") from failure
    try:
        note = Note(descriptor, holder)
        file = LockedFile(path, target, like, note)
        try:
            yield file
        finally:
            file.discard()
            note.release()
    finally:
        os.close(descriptor)


class LockedFile:
    """The file while it is locked: `read`, then `stage` and `replace`."""

    def __init__(self, path: Path, target: Path, like: Path, note: Note | None = None) -> None:
        self.path = path  # as it is named
        self._target = target  # what that leads to
        self._like = like
        self._note = note  # where readers are told; None: nobody follows the file
        self._seen: Signature = None
        self._staged: Path | None = None

    def read(self) -> bytes | None:
        """What it holds; None where there is no file. Raises NotWritten where it cannot be read."""
        self._seen = signature(self._target)
        try:
            return read(str(self.path), self._target).data
        except Mistake as mistake:
            if mistake.code == "missing-file" and not os.path.lexists(self._target):
                return None
            raise NotWritten(f"{self.path}: {mistake}") from mistake

    def stage(self, data: bytes) -> None:
        """Have *data* on the disk, ready to take the file's place. Raises NotWritten."""
        self._remove_abandoned()
        staged = self._target.with_name(f".{self._target.name}.{os.getpid()}.new")
        try:
            descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._staged = staged
            try:
                _write(descriptor, data)
                self._keep_attributes(descriptor)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as failure:
            self.discard()
            raise NotWritten(f"{staged.parent}: {failure.strerror or failure}") from failure

    def replace(self, *, alone: bool = True) -> None:
        """Put what was staged in the file's place. Raises NotWritten, and the file is as it was then.

        Unless it is *alone*, other files have to change with it: `tell` once all are in place.
        """
        assert self._staged is not None, "nothing was staged"
        if signature(self._target) != self._seen:
            raise NotWritten(f"{self.path}: somebody else changed it meanwhile; nothing was written: try again")
        if alone:
            self._tell(self._staged)  # first, so that no reader comes in between
        try:
            self._staged.rename(self._target)
        except OSError as failure:
            raise NotWritten(f"{self.path}: {failure.strerror or failure}") from failure
        self._staged = None
        _sync_directory(self._target.parent)

    def remove(self) -> None:
        """Have no file there. Raises NotWritten, and it is as it was then."""
        try:
            self._target.unlink()
        except OSError as failure:
            raise NotWritten(f"{self.path}: {failure.strerror or failure}") from failure
        _sync_directory(self._target.parent)

    def tell(self) -> None:
        """Readers need not wait for the file to stand still: it is what was put there, and so are all with it."""
        self._tell(self._target)

    def discard(self) -> None:
        """Take away what was staged and did not take the file's place."""
        if self._staged is not None:
            with suppress(OSError):
                self._staged.unlink()
            self._staged = None

    def open_elsewhere(self) -> Path | None:
        """What an editor leaves beside a file that it has open: it may write over what is changed now."""
        name = self._target.name
        candidates = (self._target.with_name(f".{name}.swp"), self._target.with_name(f".#{name}"))  # Vim's, Emacs'
        return next((beside for beside in candidates if os.path.lexists(beside)), None)

    def _tell(self, file: Path) -> None:
        if self._note is not None:
            self._note.tell(signature(file))

    def _remove_abandoned(self) -> None:
        for left in self._target.parent.glob(f".{self._target.name}.*.new"):
            with suppress(OSError):
                left.unlink()

    def _keep_attributes(self, descriptor: int) -> None:
        """Give the staged file the mode, owner and extended attributes of the one whose place it takes.

        Raises OSError where it would belong to somebody else, or somebody else could read it.
        """
        new = self._seen is None
        model = self._like if new else self._target
        status = model.stat()
        ours = os.fstat(descriptor)
        if (ours.st_uid, ours.st_gid) != (status.st_uid, status.st_gid):
            try:
                os.fchown(descriptor, status.st_uid, status.st_gid)
            except PermissionError as refused:
                if not new:
                    raise OSError(
                        errno.EPERM, f"only its owner (uid {status.st_uid}) or root can keep whose it is"
                    ) from refused
                with suppress(PermissionError):
                    os.fchown(descriptor, -1, status.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & (0o666 if new else 0o7777))
        if not new:
            for name in _attributes(model):
                with suppress(OSError):  # some are the system's to set
                    os.setxattr(descriptor, name, os.getxattr(model, name))


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path)
    except (OSError, AttributeError):  # a file system without them, a system other than Linux
        return []


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync_directory(directory: Path) -> None:
    """Have the disk confirm the new name; some network file systems refuse, and lose nothing by it."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
