"""The calendar: what is open is judged again at each instant at which a date or a schedule changes a rule.

Never one long sleep until that instant: it would follow the machine's running time, and a wall clock that is
set, or a machine that was suspended, would pass the instant unseen.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from embargo.core.horizon import next_change
from embargo.core.rules import Policy
from embargo.enforce.gate import Gate, now
from embargo.enforce.reload.rejudge import rejudge

logger = logging.getLogger("embargo")

LOOK = 1.0  # seconds between looks at the wall clock: how late a step of it is noticed at most
_SHORTEST = 0.02  # seconds; a timer may wake a little before the instant


class Calendar:
    """Follows the wall clock, backwards too: what it passes in either direction may change a verdict."""

    def __init__(self, gate: Gate, clock: Callable[[], datetime] = now) -> None:
        self._gate = gate
        self._clock = clock
        self.next_change: datetime | None = None  # when a verdict may next change by itself

    async def run(self) -> None:
        """Follow the dates of whichever policy is in force, until cancelled."""
        known: Policy | None = None
        seen = self._clock()
        while True:
            current, policy = self._clock(), self._gate.policy
            if policy is not known:
                # whoever swapped it has judged again what was open; its dates count from the look before
                known = policy
                self.next_change = next_change(policy, seen) if policy is not None else None
            if policy is not None and (current < seen or self._has_come(current)):
                self.next_change = next_change(policy, current)
                closed = await rejudge(self._gate)
                why = "the clock was set back" if current < seen else "a date changed the policy"
                logger.info("embargo: %s; %d open connections closed", why, closed)
            seen = current
            await asyncio.sleep(self._pause(current))

    def _has_come(self, current: datetime) -> bool:
        return self.next_change is not None and current >= self.next_change

    def _pause(self, current: datetime) -> float:
        if self.next_change is None:
            return LOOK
        return min(max((self.next_change - current).total_seconds(), _SHORTEST), LOOK)
