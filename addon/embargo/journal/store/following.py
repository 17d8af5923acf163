"""Keeps a store up to its log for as long as wanted: looks five times a second, works only where something changed.

By looking, as `journal.follow` does: network disks tell nobody that something was written.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from embargo.journal.store.place import Busy
from embargo.journal.store.sources import signature
from embargo.journal.store.store import Store

_EVERY = 0.2  # seconds
_AFTER_FAILURE = 5.0  # seconds


class Following:
    """One store, filled again and again. *tell* gets a line where something is worth telling."""

    def __init__(self, log: Path, tell: Callable[[str], None]) -> None:
        """Raises NoPlace, UnknownVersion."""
        self._store: Store | None = None
        self._log = log
        self._tell = tell
        self._seen: object = None
        self._told = 0  # broken lines

    def run(self, stopped: Event) -> None:
        """Until *stopped* is set. Raises UnknownVersion, NoPlace."""
        failed = ""
        while not stopped.is_set():
            try:
                self.turn()
                failed = ""
            except Busy:
                pass  # somebody else does what we would
            except OSError as failure:
                if str(failure) != failed:
                    self._tell(f"warning: {failure}; trying again")
                failed = str(failure)
                stopped.wait(_AFTER_FAILURE)
            stopped.wait(_EVERY)

    def turn(self) -> int:
        """Takes in what is new, and returns how many records that were. Raises OSError, Busy."""
        if not self._log.is_dir():
            return 0  # it may come
        if self._store is None:
            self._store = Store.open(self._log)
            self._notices()
        seen = signature(self._log)
        if seen == self._seen:
            return 0
        caught = self._store.catch_up()
        self._seen = seen
        self._notices()
        for place in caught.places[:20]:
            self._tell(f"warning: {place}")
        return caught.records

    def _notices(self) -> None:
        assert self._store is not None
        for notice in self._store.notices:
            self._tell(f"notice: {notice}")
        self._store.notices.clear()
