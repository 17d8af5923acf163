"""Opens regular files and nothing else: a pipe under a file's name would be waited for, perhaps for ever."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def regular_descriptor(path: Path, flags: int = 0) -> int:
    """A descriptor of *path* for reading; *flags* are more of `os.open`'s.

    Raises OSError, also where it is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor


def open_regular(path: Path) -> BufferedReader:
    """*path*, open for reading. Raises OSError, also where it is no regular file."""
    return open(path, "rb", opener=lambda *_: regular_descriptor(path))
