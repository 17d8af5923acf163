"""Where a log's store lies, who may fill it, and how one database takes another's place.

`LOG/store/decisions.sqlite` leads to the database in use, `decisions-N.sqlite`: whoever reads an older one goes on with
it, undisturbed, until he looks again. Who may not write there has a store of his own below the state directory.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from embargo.paths import state_directory

NAME = "decisions.sqlite"
_LOCK = "lock"
_TURN = 0.02  # seconds between looks at a lock
_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite keeps beside a database


class NoPlace(OSError):
    """There is nowhere to keep a store."""


class Busy(Exception):
    """Another process is filling the store."""


@dataclass(frozen=True, slots=True)
class Place:
    """A directory with a store in it, mode 700."""

    directory: Path

    @classmethod
    def of(cls, log: Path) -> "Place":
        """The place of the log directory *log*, made where it is missing. Raises NoPlace."""
        with suppress(OSError):
            return cls._made(log / "store", log)
        digest = hashlib.sha256(os.fsencode(log.resolve())).hexdigest()[:16]
        try:
            state_directory().mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls._made(state_directory() / "store" / digest, None)
        except OSError as failure:
            raise NoPlace(f"the store of {log} can be kept nowhere: {failure}") from failure

    @classmethod
    def _made(cls, directory: Path, owner: Path | None) -> "Place":
        if owner is not None and not _usable(owner) and not directory.is_dir():
            raise PermissionError(str(owner))
        directory.mkdir(mode=0o700, parents=owner is None, exist_ok=True)
        status = directory.stat()
        if status.st_uid != os.geteuid() and os.geteuid() != 0:
            raise PermissionError(str(directory))
        if not _usable(directory):
            raise PermissionError(str(directory))
        place = cls(directory)
        if owner is not None:
            place.hand_over(owner)
        return place

    @property
    def link(self) -> Path:
        """What leads to the database in use."""
        return self.directory / NAME

    def database(self) -> Path | None:
        """The database in use; None where there is none yet."""
        try:
            target = self.directory / self.link.readlink().name
        except FileNotFoundError:
            return None
        except OSError:  # no link: somebody put a file there
            return None
        return target if target.exists() else None

    def fresh(self) -> Path:
        """The name of a database to build; what a crash left there is gone."""
        number = 1 + max((_number(path) for path in self.directory.glob("decisions-*.sqlite")), default=0)
        path = self.directory / f"decisions-{number}.sqlite"
        remove(path)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return path

    def use(self, database: Path) -> None:
        """From now on *database* is in use; all others but it go."""
        aside = self.directory / f".{NAME}.{os.getpid()}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(database.name)
        aside.rename(self.link)
        for other in self.directory.glob("decisions-*.sqlite"):
            if other != database:
                remove(other)

    def set_aside(self, database: Path) -> Path:
        """Keeps a damaged *database* under another name, which is returned."""
        kept = database.with_name(f"{database.name}.damaged")
        for beside in _BESIDE:
            with suppress(FileNotFoundError):
                database.with_name(database.name + beside).rename(kept.with_name(kept.name + beside))
        return kept

    def hand_over(self, owner: Path) -> None:
        """Gives what root made here to the owner of *owner*, who goes on with it."""
        if os.geteuid() != 0:
            return
        status = owner.stat()
        for path in (self.directory, *self.directory.iterdir()):
            with suppress(OSError):
                if path.lstat().st_uid != status.st_uid:
                    os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)

    @contextmanager
    def locked(self, patience: float) -> Iterator[None]:
        """The right to fill the store, for which it waits up to *patience* seconds. Raises Busy, OSError."""
        descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            deadline = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise Busy from None
                    time.sleep(_TURN)
            yield
        finally:
            os.close(descriptor)


def remove(database: Path) -> None:
    """Removes *database* and what lies beside it."""
    for beside in _BESIDE:
        database.with_name(database.name + beside).unlink(missing_ok=True)


def _usable(directory: Path) -> bool:
    return os.access(directory, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)


def _number(path: Path) -> int:
    text = path.stem.rpartition("-")[2]
    return int(text) if text.isdecimal() else 0
