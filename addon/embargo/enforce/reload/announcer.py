"""What the policy in force will say otherwise on known dates, found aside from traffic: for `embargo status`."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import date, datetime

from embargo.core.forecast import Announcement, forecast
from embargo.core.rules import Policy
from embargo.enforce.gate import Gate, now

logger = logging.getLogger("embargo")

_LOOK = 1.0  # seconds between looks at whether there is another policy, or another day


class Announcer:
    """Keeps the announcements of whichever policy has loaded: made anew for each, and each day."""

    def __init__(self, gate: Gate, clock: Callable[[], datetime] = now) -> None:
        self._gate = gate
        self._clock = clock
        self._known: Policy | None = None
        self._day: date | None = None
        self._found: tuple[Announcement, ...] = ()

    @property
    def announced(self) -> tuple[Announcement, ...]:
        """What is still to come; nothing while another policy has loaded that was not looked at yet."""
        if self._known is not self._gate.loaded:
            return ()
        current = self._clock()
        return tuple(each for each in self._found if each.time > current)

    async def run(self) -> None:
        """Follow the policy until cancelled."""
        while True:
            policy, current = self._gate.loaded, self._clock()
            if policy is not None and (policy is not self._known or current.date() != self._day):
                found = await self._forecast(policy, current)
                self._known, self._day, self._found = policy, current.date(), found
            await asyncio.sleep(_LOOK)

    async def _forecast(self, policy: Policy, current: datetime) -> tuple[Announcement, ...]:
        try:  # in a thread that lets others have the lock between its small steps
            return await asyncio.to_thread(forecast, policy, current, breathe=lambda: time.sleep(0))
        except Exception as error:  # noqa: BLE001 - what is told only must not keep the policy from being followed
            logger.warning("embargo: what the policy will say otherwise could not be found: %s", error)
            return ()
