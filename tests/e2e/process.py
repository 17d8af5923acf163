"""What the kernel says of a process that a test watches."""

import threading
from pathlib import Path
from typing import Self


class Watch:
    """Looks every so many seconds, in a thread of its own, for the time of a `with`."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def look(self) -> None:
        """What is done each time."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.look()


def own_memory(pid: int) -> int:
    """Bytes that a process holds for itself, in memory or swapped out: what it shares changes as others end."""
    held = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Anonymous:", "Swap:")):
            held += int(line.split()[1]) * 1024
    assert held, "nothing measured"
    return held


def open_files(pid: int) -> int:
    """How many descriptors a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def has_ended(pid: int) -> bool:
    """Whether a process, that need not be a child of ours, runs no more, with all its threads: until then its sockets
    are open.
    """
    process = Path(f"/proc/{pid}")
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        return state in "ZX" and len(list((process / "task").iterdir())) <= 1
    except OSError:
        return True
