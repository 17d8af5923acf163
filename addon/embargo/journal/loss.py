"""Counts the records that never reached the disk, and what of that the log itself has yet to say."""

import threading
from collections.abc import Callable
from datetime import datetime

from embargo.journal.event import RecordsLost


class Losses:
    """The count of a process. Thread-safe."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._lost = 0
        self._unsaid = 0
        self._since: datetime | None = None  # of the first that is unsaid
        self._why = ""

    @property
    def lost(self) -> int:
        """Records lost by this process."""
        return self._lost

    @property
    def unsaid(self) -> int:
        """Records of whose loss the log has yet to say."""
        return self._unsaid

    def lose(self, count: int, why: str) -> None:
        """*count* more records are lost."""
        with self._lock:
            self._lost += count
        self.report(count, why)

    def report(self, count: int, why: str) -> None:
        """Has the log say that *count* are missing that another process lost."""
        if not count:
            return
        with self._lock:
            self._unsaid += count
            self._why = why
            if self._since is None:
                self._since = self._now()

    def event(self) -> RecordsLost | None:
        """What the log has to say, if anything; `said` when it is written."""
        with self._lock:
            if self._since is None:
                return None
            return RecordsLost(time=self._now(), count=self._unsaid, since=self._since, reason=self._why)

    def said(self, event: RecordsLost) -> None:
        """The log says so now; what was lost since *event* was made is left to say."""
        with self._lock:
            self._unsaid -= event.count
            self._since = event.time if self._unsaid else None
