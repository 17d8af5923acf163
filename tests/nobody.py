"""What a test does as a user who may not write everywhere, though root runs it: in a child, with its rights lowered."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534  # user and group, by Linux' convention


def in_child(run: Callable[[], object]) -> str:
    """What *run* says in a process of its own: what it returns, or the text of what it raises after `refused: `."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            said = str(run())
        except BaseException as refused:
            said = f"refused: {refused}" if type(refused).__module__.startswith("embargo") else f"broken: {refused!r}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def as_nobody(run: Callable[[], object]) -> str:
    """As `in_child`, as a user to whom nothing belongs where root runs the tests, else as whoever does."""

    def lowered() -> object:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setegid(NOBODY)
            os.seteuid(NOBODY)
        return run()

    return in_child(lowered)


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that other users may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        try:
            yield directory
        finally:
            directory.chmod(0o755)  # else nobody but root could clear it
