"""Break-glass as a worker follows it: its file is looked at, its end kept by the clock, and what it opened closed then.

The gate judges by a view of its policy that monitors; a reload meanwhile changes what stands behind the view. The end
is recorded by one of all workers of a log, whichever has the lock first, or by the next that starts.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from embargo.core.break_glass import BreakGlass, Clocks, End
from embargo.enforce.gate import Gate, close, now
from embargo.enforce.reload.rejudge import rejudge
from embargo.journal.break_glass import WORDS, on_record, record_end
from embargo.policy.break_glass import FILE, Busy, Damaged, clocks, in_force, settle

logger = logging.getLogger("embargo")

LOOK = 0.2  # seconds between looks at the file
_SHORTEST = 0.01  # seconds; a timer may wake a little before the end
_RETRY = 5.0  # seconds until an end that could not be recorded is tried again


class Glass:
    """What of break-glass holds in this process."""

    def __init__(self, gate: Gate, directory: Path, log: Path, read_clocks: Callable[[], Clocks] = clocks) -> None:
        """*directory*: the state directory, where the file appears; *log*: where the end is recorded."""
        self._gate = gate
        self.directory = directory
        self.log = log
        self._clocks = read_clocks
        self.current: BreakGlass | None = None
        self.error: str | None = None  # why a file that is there does not count
        self._over: str | None = None  # id of the last that ended here: it does not begin again
        self._unsettled: BreakGlass | None = None  # ended here, and its record not known to be written
        self._due = True  # an end may have to be recorded; at first of one that came while no worker ran
        self._asked = -_RETRY  # ticks of the last attempt to have an end recorded
        self._said = ""  # why it could not be
        self._told: str | None = None  # id of the last whose end was said

    def begin(self) -> None:
        """Look for the first time, before the process serves anybody."""
        self._take(*self._look())

    async def run(self) -> None:
        """Follow the file and the clocks until cancelled."""
        while True:
            over = self._take(*await asyncio.to_thread(self._look))
            if over is not None:
                closed = await rejudge(self._gate)
                logger.warning("embargo: break-glass is over, the policy holds; %d open connections closed", closed)
            if self._due:
                await self._settle()
            await asyncio.sleep(self._pause())

    def left(self) -> float:
        """Seconds until the one in force ends; 0 where there is none."""
        return max(self.current.left(self._clocks()), 0.0) if self.current is not None else 0.0

    def describe(self) -> dict[str, Any] | None:
        """What `embargo status` shows; None where there is nothing to show."""
        if (glass := self.current) is not None:
            return {
                "id": glass.id,
                "since": glass.since.isoformat(),
                "until": glass.until.isoformat(),
                "seconds_left": round(self.left(), 1),
                "reason": glass.reason,
                "author": glass.author,
                "ticket": glass.ticket,
                "error": None,
            }
        return {"error": self.error} if self.error is not None else None

    def _look(self) -> tuple[BreakGlass | None, str | None]:
        """The one in force, and why a file does not count. For a thread: it waits for the disk."""
        clock, current = self._clocks(), self.current
        error: str | None = None
        try:
            found = in_force(self.directory, clock)
        except Damaged as damaged:
            return None, str(damaged)
        except OSError as failure:  # nothing could be seen, for want of descriptors: the clock ends it all the same
            found, error = current, f"{self.directory / FILE}: {failure.strerror or failure}"
        if found is None or found.id == self._over:
            return None, error
        if current is not None and found.id == current.id:
            # what was read first counts: nobody prolongs one by another file
            return (current if current.left(clock) > 0 else None), error
        if self._has_ended(found):
            return None, error
        if clock.ticks < found.ticks:  # begun before the machine started anew: from here on by its clock too
            found = replace(found, ticks=clock.ticks - (found.seconds - found.left(clock)))
        return found, error

    def _has_ended(self, glass: BreakGlass) -> bool:
        """Whether the log has its end: both files were put back."""
        try:
            _, end = on_record(self.log, glass)
        except OSError:
            return False
        if end is not None:
            self._over = glass.id
            logger.warning("embargo: break-glass of %s by %s: IGNORED: it has ended", glass.since, glass.author)
        return end is not None

    def _take(self, found: BreakGlass | None, error: str | None) -> BreakGlass | None:
        """Have the gate follow what was *found*; the one that this ended."""
        if error is not None and error != self.error:
            logger.warning("embargo: break-glass: IGNORED: %s", error)
        self.error = error
        before = self.current
        if found is before:
            return None
        if before is not None:
            self._over, self._unsettled, self._due = before.id, before, True
            self._asked = -_RETRY
        self.current = found
        self._gate.break_glass(found.id if found is not None else None)
        if found is not None:
            logger.warning(
                "embargo: BREAK-GLASS: NOTHING IS REFUSED until %s, by %s: %s",
                f"{found.until:%Y-%m-%d %H:%M:%S} UTC",
                found.author,
                found.reason,
            )
            self._close_pages()
            return None
        return before

    def _close_pages(self) -> None:
        """A tunnel that was opened only to show the block page would show it on."""
        for connection in list(self._gate.connections.values()):
            if connection.page is not None:
                close(connection.peer)

    async def _settle(self) -> None:
        """Have the end recorded, by us unless somebody else has."""
        clock = self._clocks()
        if clock.ticks - self._asked < _RETRY:
            return
        known = self._unsettled
        try:
            await asyncio.to_thread(settle, self.directory, self._record, known=known, now=clock)
        except Busy:
            return  # a look later
        except OSError as failure:
            self._asked = clock.ticks
            if known is None and isinstance(failure, FileNotFoundError):
                self._due = False  # no state directory, and so nothing to record
            elif str(failure) != self._said:
                self._said = str(failure)
                logger.warning("embargo: the end of break-glass is not recorded yet: %s", failure)
            return
        self._unsettled, self._due, self._said = None, False, ""

    def _record(self, glass: BreakGlass, how: End, noted: datetime | None) -> End:
        policy = self._gate.loaded
        digest = policy.digest if policy is not None else None
        told = record_end(self.log, glass, how, noted or now(), policy=digest, noted=noted is not None)
        if noted is None and glass.id != self._told:
            self._told = glass.id
            logger.warning("embargo: break-glass by %s has ended: %s", glass.author, WORDS[told])
        return told

    def _pause(self) -> float:
        return min(max(self.left(), _SHORTEST), LOOK) if self.current is not None else LOOK
