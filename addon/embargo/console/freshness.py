"""Takes what is new in the log into the store before a page is shown, and shows what is there where that takes longer.

A process of its own (`ingest`) keeps the store filled; this is for what came since its last look, and where there is
none. One thread at a time reads, and a page waits a moment for it.
"""

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from flask import current_app

from embargo.console.context import store
from embargo.journal.store import Busy

if TYPE_CHECKING:
    from embargo.journal.store import Store

_KEY = "embargo-freshness"
_PATIENCE = 0.4  # seconds that a page waits
_TURN = 0.3  # seconds to wait for another process that fills the store


class Freshness:
    """Keeps one store up to date. Safe across threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: Event | None = None
        self.failure: str | None = None  # why the newest reading ended early

    def refresh(self, filled: "Store", patience: float = _PATIENCE) -> bool:
        """Read what is new; whether that was done within *patience* seconds."""
        with self._lock:
            if self._running is None:
                self._running = Event()
                Thread(target=self._read, args=(filled, self._running), daemon=True, name="store").start()
            running = self._running
        return running.wait(patience)

    def _read(self, filled: "Store", done: Event) -> None:
        try:
            filled.catch_up(patience=_TURN)
            self.failure = None
        except Busy:
            self.failure = None  # another process is at it
        except Exception as failure:  # noqa: BLE001 - at a thread's top: the page says so
            self.failure = str(failure) or type(failure).__name__
        finally:
            with self._lock:
                self._running = None
            done.set()


def freshness() -> Freshness:
    """That of this process."""
    found: Freshness = current_app.extensions.setdefault(_KEY, Freshness())
    return found


def refresh(patience: float = _PATIENCE) -> bool:
    """Have the store take in what is new; False where it is still reading after *patience* seconds."""
    return freshness().refresh(store(), patience)
