"""Reading one file, whole and unchanged, or saying why not; a FIFO or a device never makes us wait."""

import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embargo.policy.problem import Mistake

LARGEST_POLICY = 64 * 1024 * 1024  # bytes of one YAML file (DESIGN 4, Errors)
LARGEST_LIST = 1024 * 1024 * 1024  # bytes of one plain list: some 50 million names
_ATTEMPTS = 5
_PAUSE = 0.1  # seconds between attempts: an editor's save takes a few milliseconds
BOM = b"\xef\xbb\xbf"  # that some editors write before UTF-8
_CHUNK = 1024 * 1024
_KINDS = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device"}

UNREADABLE = frozenset(  # codes of problems for which there was no text to judge: exit 2, not 1
    {"missing-file", "unreadable-file", "directory", "not-a-file", "unstable-file"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file."""

    name: str  # as messages show it
    path: Path
    data: bytes


class NotUtf8(ValueError):
    """A byte that is no UTF-8: where it stands (line and column from 1), and what is wrong."""

    def __init__(self, line: int, column: int, mistake: Mistake) -> None:
        self.line, self.column, self.mistake = line, column, mistake
        super().__init__(str(mistake))


def utf8(data: bytes) -> str:
    """The text of *data*. Raises NotUtf8."""
    try:
        return data.decode()
    except UnicodeDecodeError as refused:
        before = data[: refused.start].decode()
        message = f"byte 0x{data[refused.start]:02x} is not UTF-8: {refused.reason}"
        mistake = Mistake("not-utf-8", message, "save the file as UTF-8")
        raise NotUtf8(before.count("\n") + 1, len(before) - before.rfind("\n"), mistake) from None


def read(
    name: str,
    path: Path,
    largest: int = LARGEST_POLICY,
    pause: Callable[[float], None] = time.sleep,
    *,
    hint: str = "put long lists of domains into files of their own, named by endpoints_from",
) -> Source:
    """The file at *path*, called *name* in messages; *pause* waits between attempts (seconds).

    *hint* is what to do about one of more than *largest* bytes.

    Raises Mistake: missing-file, unreadable-file, directory, not-a-file, too-large, unstable-file.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(_PAUSE)
        data = _read_once(path, largest, hint)
        if data is not None:
            return Source(name, path, data)
    raise Mistake("unstable-file", "the file changed while it was read", "wait until it has been written, then retry")


def _read_once(path: Path, largest: int, hint: str) -> bytes | None:
    """The file's bytes; None where it changed meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as refused:
        raise _refusal(refused) from refused
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            kind = _KINDS.get(stat.S_IFMT(before.st_mode), "device")
            code = "directory" if kind == "directory" else "not-a-file"
            raise Mistake(code, f"this is a {kind}, not a file", "name a file")
        if before.st_size > largest:
            limit = f"{largest // 1024 // 1024} MiB"
            raise Mistake(
                "too-large",
                f"the file has {before.st_size / 1024 / 1024:.1f} MiB, of which {limit} are allowed",
                hint,
            )
        chunks: list[bytes] = []
        left = before.st_size + 1  # one more, so that a file that grew shows
        while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK))):
            chunks.append(chunk)
            left -= len(chunk)
        after = os.fstat(descriptor)
    except OSError as refused:
        raise _refusal(refused) from refused
    finally:
        os.close(descriptor)
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) and left == 1
    return b"".join(chunks) if unchanged else None


def _refusal(refused: OSError) -> Mistake:
    match refused.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return Mistake("missing-file", "there is no such file")
        case errno.ENXIO:
            return Mistake("not-a-file", "this is a socket, not a file", "name a file")
        case _:
            return Mistake("unreadable-file", f"cannot be read: {refused.strerror}")
