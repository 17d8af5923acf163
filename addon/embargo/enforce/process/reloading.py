"""A reload that all workers were told of: over once each has read the policy, or after a bound."""

import asyncio
import math
from collections.abc import Iterable, Sequence

from embargo.enforce.process.child import Child

LONGEST_RELOAD = 150.0  # seconds until systemd is told that a reload is over, whatever became of it


class Reloading:
    """Which workers have not read it yet."""

    def __init__(self) -> None:
        self._before: dict[int, int] = {}  # pid of a worker that was told to read: its count before
        self._ends = math.inf  # time of the loop

    def begin(self, children: Iterable[Child]) -> None:
        """Note what those that are ready have read: they are told now to read it once more."""
        told = [child for child in children if child.ready.is_set()]
        self._before = {child.pid: child.health.get("read", 0) for child in told}
        self._ends = asyncio.get_running_loop().time() + LONGEST_RELOAD

    def look(self, children: Sequence[Child]) -> bool:
        """Whether any has still to read it."""
        read = {child.pid: child.health.get("read", 0) for child in children}  # those that have died need not
        self._before = {pid: count for pid, count in self._before.items() if read.get(pid, math.inf) <= count}
        return bool(self._before)

    def is_overdue(self) -> bool:
        """Whether the bound has passed."""
        return asyncio.get_running_loop().time() >= self._ends

    def end(self, children: Iterable[Child]) -> str | None:
        """Wait no longer; which workers did not read it, in a sentence, or None."""
        late = [str(child.number) for child in children if child.pid in self._before]
        self._before, self._ends = {}, math.inf
        if not late:
            return None
        workers = f"worker{'' if len(late) == 1 else 's'} {', '.join(late)}"
        return f"embargo: {workers} did not read the policy within {LONGEST_RELOAD:g} s of being told to"
