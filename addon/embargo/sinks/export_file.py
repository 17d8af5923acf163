"""A file in a format of choice, rotated by name: what a shipper of the site's own reads.

`NAME` grows; from a size on it becomes `NAME.1`, the one before `NAME.2`, and the oldest goes. What a crash tore is
cut on opening. A file that is there keeps its mode and owner, and one made by rotation takes over both; a new one is
for its owner alone (600).
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from embargo.core.sink import Sink
from embargo.journal.backwards import whole_lines_end
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable


class ExportFile:
    """The file, opened when it is needed."""

    def __init__(self, sink: Sink) -> None:
        self._path = Path(sink.to.path)
        self._size, self._keep = sink.rotate_size, sink.rotate_keep
        self._descriptor: int | None = None

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        """Append them all, confirmed by the disk. Raises Unreachable."""
        try:
            descriptor = self._opened()
            if os.fstat(descriptor).st_size >= self._size:
                descriptor = self._rotated(descriptor)
            begin = os.fstat(descriptor).st_size
            data = memoryview("".join(f"{message.text}\n" for message in messages).encode("utf-8"))
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, begin)  # a full disk takes a part; the whole comes again
                raise
        except OSError as failure:
            self.close()
            raise Unreachable(f"{self._path}: {failure.strerror or failure}") from failure
        return Delivery()

    def idle(self) -> None:
        """Notice that somebody else rotated it: what comes next begins a new one."""
        if self._descriptor is None:
            return
        try:
            named, opened = self._path.stat(), os.fstat(self._descriptor)
        except OSError:
            self.close()
            return
        if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        self.idle()
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, 0o600)
            size = os.fstat(self._descriptor).st_size
            if (whole := whole_lines_end(self._descriptor, size)) < size:
                os.ftruncate(self._descriptor, whole)
        return self._descriptor

    def _rotated(self, descriptor: int) -> int:
        status = os.fstat(descriptor)
        for number in range(self._keep, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                newer.rename(older)
        self.close()
        fresh = self._opened()
        with contextlib.suppress(PermissionError):
            os.fchown(fresh, status.st_uid, status.st_gid)
        os.fchmod(fresh, status.st_mode & 0o777)
        return fresh
