"""What was counted row by row of late: a page asks for several numbers of one selection, and people go back to it.

A count up to a snapshot stays what it is, until rows are taken out: that is part of the key.
"""

from collections import Counter, OrderedDict
from threading import Lock
from typing import Any

from embargo.journal.store.selection import Selection

_ROOM = 300_000  # numbers that are kept, some hundred bytes each; one count takes a tenth at most

type Asked = tuple[Selection, str, int, int]  # by what, snapshot, how often rows had been taken out


class Recent:
    """Counts by what was asked; of one database. Thread-safe. What it gives is not to be changed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Asked, tuple[Counter[Any], int]] = OrderedDict()  # with its size
        self._taken = 0
        self._lock = Lock()

    def get(self, asked: Asked) -> Counter[Any] | None:
        """What was counted; None where it was not, or too long ago."""
        with self._lock:
            if (found := self._kept.get(asked)) is None:
                return None
            self._kept.move_to_end(asked)
            return found[0]

    def put(self, asked: Asked, found: Counter[Any]) -> None:
        """Keep *found* for a while."""
        size = 1 + len(found) + asked[0].size
        if size > _ROOM // 10:
            return
        with self._lock:
            if asked in self._kept:
                return
            self._kept[asked] = (found, size)
            self._taken += size
            while self._taken > _ROOM:
                self._taken -= self._kept.popitem(last=False)[1][1]
