"""Values that take longer than a page may wait: one thread at a time finds them, pages show the last that was found."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Lock, Thread
from time import monotonic

from flask import current_app

PATIENCE = 1.5  # seconds that a page waits for what nobody has found yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Told[T]:
    """What is known of a value."""

    value: T | None  # None: not found yet, or never
    at: datetime | None  # when it was found
    failure: str | None  # why the newest attempt came to nothing
    working: bool  # it is being found just now


class Background[T]:
    """One such value. Safe across threads."""

    def __init__(self, find: Callable[[], T], now: Callable[[], datetime], fresh: float) -> None:
        """*find* runs in a thread of its own; what it found counts for *fresh* seconds."""
        self._find, self._now, self._fresh = find, now, fresh
        self._lock = Lock()
        self._running: Event | None = None
        self._value: T | None = None
        self._at: datetime | None = None
        self._due = 0.0  # of the monotonic clock
        self._failure: str | None = None

    def told(self, patience: float = PATIENCE) -> Told[T]:
        """The value; where it is too old, one is looked for, and waited for up to *patience* seconds."""
        with self._lock:
            if self._running is None and monotonic() >= self._due:
                self._running = Event()
                Thread(target=self._run, args=(self._running,), daemon=True, name="background").start()
            running = self._running
        if running is not None:
            running.wait(patience)
        with self._lock:
            return Told(value=self._value, at=self._at, failure=self._failure, working=self._running is not None)

    def forget(self) -> None:
        """Have it found anew next time, though it may be fresh."""
        with self._lock:
            self._due = 0.0

    def _run(self, done: Event) -> None:
        try:
            found = self._find()
            with self._lock:
                self._value, self._at, self._failure = found, self._now(), None
        except Exception as failure:  # noqa: BLE001 - at a thread's top: the page says so
            with self._lock:
                self._failure = str(failure) or type(failure).__name__
        finally:
            with self._lock:
                self._due = monotonic() + self._fresh
                self._running = None
            done.set()


def background[T](name: str, make: Callable[[], Background[T]]) -> Background[T]:
    """That of this process under *name*, made where there is none."""
    found: Background[T] = current_app.extensions.setdefault("embargo-background", {}).setdefault(name, make())
    return found
