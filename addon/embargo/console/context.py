"""What a view asks for: the store, the policy in force, the settings, the time, and who is asking."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import time_ns
from typing import TYPE_CHECKING, cast

from flask import current_app, g

from embargo.console.access.rights import Right
from embargo.console.settings import ConsoleSettings
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError

if TYPE_CHECKING:
    from embargo.console.access.accounts import Account
    from embargo.core.rules import Policy
    from embargo.journal.store import Store

KEY = "embargo"
_GRAIN = 2_000_000_000  # ns: the coarsest clock of a file system in use (FAT) counts in two seconds


class Busy(Exception):
    """As many live views are open as the console serves at a time."""


@dataclass(frozen=True, slots=True)
class _State:
    size: int
    modified: int  # ns


class Console:
    """What lives as long as the process: one of these stands in the application's `extensions`."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._store: Store | None = None
        self._loaded: Loaded | None = None
        self._refused: PolicyError | None = None
        self._states: dict[Path, _State | None] = {}
        self._tailing: Counter[str] = Counter()  # live views, by account

    @property
    def store(self) -> "Store":
        """The decision store, opened on first use."""
        with self._lock:
            if self._store is None:
                from embargo.journal.store import Store

                self._store = Store.open(self.settings.log)
            return self._store

    def policy(self) -> Loaded:
        """The policy of the files, loaded anew when one changed; while they do not load, the last that did.

        Raises PolicyError where none has loaded.
        """
        with self._lock:
            if not self._states or any(_state(path) != state for path, state in self._states.items()):
                self._load()
            if self._loaded is None:
                assert self._refused is not None, "loading ends in one of the two"
                raise self._refused
            return self._loaded

    @property
    def refused(self) -> PolicyError | None:
        """Why the files as they are now do not load; None where they do."""
        return self._refused

    def _load(self) -> None:
        begun = time_ns()
        try:
            self._loaded, self._refused = load(self.settings.policy), None
            watched = self._loaded.watched
        except PolicyError as refused:
            self._refused, watched = refused, refused.watched
        # what was saved while we read is read again: its state is taken for unknown
        states = {path: _state(path) for path in watched}
        self._states = {
            path: state if state is None or state.modified < begun - _GRAIN else None for path, state in states.items()
        }

    @contextmanager
    def tail(self, who: str) -> Iterator[None]:
        """Room for a live view of the account *who* while it is open; one account has at most half of it.

        Raises Busy where all is taken.
        """
        most = max(1, self.settings.access.tails // 2)
        with self._lock:
            if self._tailing[who] >= most:
                raise Busy(f"you have {most} live views open, which is as many as one may have: close one")
            if self._tailing.total() >= self.settings.access.tails:
                raise Busy(f"{self.settings.access.tails} live views are open, which is as many as there may be")
            self._tailing[who] += 1
        try:
            yield
        finally:
            with self._lock:
                self._tailing[who] -= 1


def console() -> Console:
    """The console that serves this request."""
    return cast(Console, current_app.extensions[KEY])


def settings() -> ConsoleSettings:
    """What it was started with."""
    return console().settings


def store() -> "Store":
    """The decision store."""
    return console().store


def loaded() -> Loaded:
    """The policy with its files. Raises PolicyError where none ever loaded."""
    return console().policy()


def policy() -> "Policy":
    """The policy. Raises PolicyError where none ever loaded."""
    return loaded().policy


def now() -> datetime:
    """The time, aware, UTC: the injected clock's."""
    return settings().now()


def account() -> "Account | None":
    """Who is asking; None: nobody has signed in."""
    return cast("Account | None", g.get("account"))


def may(right: Right | str) -> bool:
    """Whether who is asking has *right*; templates ask this before they show a link or a button."""
    who = account()
    return Right(right) is Right.ANYONE if who is None else Right(right) in who.rights


def _state(path: Path) -> _State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _State(status.st_size, status.st_mtime_ns)
