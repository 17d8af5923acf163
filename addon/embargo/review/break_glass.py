"""Beginning and ending break-glass, and whether the running proxy has taken it up. Prints nothing."""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from embargo.core.break_glass import BreakGlass, End
from embargo.journal import audit
from embargo.journal.break_glass import ended, record_end, started
from embargo.journal.event import ConfigurationChanged
from embargo.journal.identifier import uuid7
from embargo.journal.status import Liveness, Status, running
from embargo.paths import private_directory
from embargo.policy.break_glass import (
    Damaged,
    Last,
    clear,
    clocks,
    in_force,
    locked,
    settle_locked,
    write,
    write_last,
)

PATIENCE = 5.0  # seconds to wait for another command
UPTAKE = 2.0  # seconds in which every process has to follow
_ASK = 1.0  # seconds for one process to answer
_AGAIN = 0.05  # seconds between two rounds of asking


class Record(Protocol):
    """Writes into the audit chains."""

    def __call__(self, event: ConfigurationChanged) -> None:
        """Append *event*. Raises OSError."""

    def end(self, glass: BreakGlass, how: End, noted: datetime | None, *, policy: str | None) -> End:
        """See to the end of *glass*, as `embargo.policy.break_glass.Recorder`. Raises OSError."""


class AlreadyInForce(Exception):
    """Somebody was first."""

    def __init__(self, glass: BreakGlass) -> None:
        super().__init__(glass.id)
        self.glass = glass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of ending."""

    glass: BreakGlass | None  # the one that was in force
    removed: str | None = None  # why a file counted for nothing, which was removed
    unrecorded: str | None = None  # why the end is not recorded yet; a process of the proxy does it


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """What one process does."""

    status: Status
    late: str | None  # why it does not do what it should; None: it does


@dataclass(frozen=True, slots=True)
class Logs:
    """The audit chains of several log directories; each has all."""

    directories: Sequence[Path]

    def __call__(self, event: ConfigurationChanged) -> None:
        """Append *event* to each. Raises OSError."""
        for log in self.directories:
            audit.record(log, event)

    def end(self, glass: BreakGlass, how: End, noted: datetime | None, *, policy: str | None) -> End:
        """See to it that each has the end of *glass*, once. Raises OSError."""
        time = noted or clocks().wall
        for log in self.directories:
            how = record_end(log, glass, how, time, policy=policy, noted=noted is not None)
        return how


def begin(
    directory: Path,
    record: Record,
    *,
    seconds: float,
    reason: str,
    author: str,
    ticket: str | None,
    policy: str | None,
    replace: bool = False,
) -> BreakGlass:
    """Put one in force in the state *directory*: recorded first, so that none holds that is not on record.

    *policy*: digest in force. Raises AlreadyInForce unless *replace*, and OSError: then none begins.
    """
    if os.geteuid() != 0 or not directory.exists():
        private_directory(directory)
    with locked(directory, PATIENCE):
        _settle(directory, record, policy)
        try:
            before = in_force(directory, clocks())
        except Damaged:
            before = None  # its file makes way
        if before is not None and not replace:
            raise AlreadyInForce(before)
        now = clocks()
        glass = BreakGlass(
            id=uuid7(),
            since=now.wall,
            seconds=seconds,
            ticks=now.ticks,
            reason=reason,
            author=author,
            ticket=ticket,
        )
        replaces = before.id if before is not None else None
        record(started(glass, policy=policy, replaces=replaces))
        try:
            write(directory, glass)
        except OSError as failure:
            with suppress(OSError):
                record(started(glass, policy=policy, replaces=replaces, error=str(failure)))
            raise
        if before is not None:
            record(ended(before, End.REPLACED, now.wall, policy=policy, by=author, reason=reason))
    return glass


def end(directory: Path, record: Record, *, by: str, reason: str | None, policy: str | None) -> Ended:
    """End the one in force: first ended, then recorded. Raises OSError: it goes on."""
    if not directory.exists():
        return Ended(glass=None)
    with locked(directory, PATIENCE):
        try:
            glass = in_force(directory, clocks())
        except Damaged as damaged:
            _settle(directory, record, policy)
            clear(directory)
            return Ended(glass=None, removed=str(damaged))
        if glass is None:
            _settle(directory, record, policy)
            return Ended(glass=None)
        clear(directory)
        now = clocks().wall
        try:
            record(ended(glass, End.ENDED, now, policy=policy, by=by, reason=reason))
            write_last(directory, Last(glass=glass, end=End.ENDED, ended=now))
        except OSError as failure:
            return Ended(glass=glass, unrecorded=str(failure))
    return Ended(glass=glass)


def _settle(directory: Path, record: Record, policy: str | None) -> None:
    """Have the end recorded of one that is over, where no process of the proxy was there to do it."""
    now = clocks()
    with suppress(OSError):  # the proxy tries again
        settle_locked(directory, partial(record.end, policy=policy), now=now)


def uptake(runtime: Path, identifier: str | None, directory: Path, patience: float = UPTAKE) -> list[Uptake]:
    """What each running process does, once all do as the break-glass of that id says or *patience* is over.

    None: none is in force. Stale sockets do not count. Raises OSError where *runtime* cannot be listed.
    """
    deadline = time.monotonic() + patience
    while True:
        left = deadline - time.monotonic()
        found = [
            Uptake(status=status, late=_late(status, identifier, directory))
            for status in running(runtime, max(_AGAIN, min(_ASK, left)))
            if status.liveness is not Liveness.STALE
        ]
        if all(each.late is None for each in found) or time.monotonic() >= deadline:
            return found
        time.sleep(_AGAIN)


def _late(status: Status, identifier: str | None, directory: Path) -> str | None:
    if status.liveness is not Liveness.RUNNING:
        return status.error or "does not answer"
    held = status.part("break_glass")
    if held.get("id") == identifier:
        return None
    looks = status.answer.get("state_directory")
    if not isinstance(looks, str):
        return "is of a version that knows no break-glass"
    if Path(looks).resolve() != directory.resolve():
        return f"looks in {looks}, not in {directory}: set STATE_DIRECTORY, or XDG_STATE_HOME, as the proxy has it"
    if held.get("error"):
        return f"ignores the file: {held['error']}"
    return "has not followed yet"


def logs_of(statuses: Iterable[Status]) -> list[Path]:
    """The log directories of the processes that run, each once."""
    named = (status.part("log").get("directory") for status in statuses)
    return [Path(each) for each in dict.fromkeys(each for each in named if isinstance(each, str))]
