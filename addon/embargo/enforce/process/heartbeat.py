"""The heartbeat: a record a minute of what held in this worker, so that a time of which there is none is a gap.

One is written at the start, each `INTERVAL`, before whatever changes what holds (a policy, break-glass), and at the
end. So each tells of one stretch in which the same held throughout. It costs no flow anything: it tells the
difference of counters that are there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime

from embargo.enforce.gate import NOTHING_LOADED, Gate, now
from embargo.journal.event import Heartbeat
from embargo.journal.heartbeat import INTERVAL

logger = logging.getLogger("embargo")

_SHORTEST = 0.01  # seconds; a timer may wake a little before the end


class Pulse:
    """The heartbeat of one process. Touched by the event loop's thread alone."""

    def __init__(
        self, gate: Gate, *, now: Callable[[], datetime] = now, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """*now*: aware, UTC. *ticks*: seconds by a clock that nobody sets."""
        self._gate = gate
        self._now = now
        self._ticks = ticks
        self.lost: Callable[[], int] = lambda: 0  # records that the log has lost since the start
        self.next_change: Callable[[], datetime | None] = lambda: None
        self.worker: Callable[[], int | None] = lambda: None
        self._since: datetime | None = None  # None: it does not beat yet
        self._since_ticks = 0.0
        self._flows: Mapping[str, int] = {}
        self._uninspected: Mapping[str, int] = {}
        self._lost = 0

    @property
    def last(self) -> datetime | None:
        """When the newest was written; None while it does not beat."""
        return self._since

    def begin(self) -> None:
        """The worker's life begins, or goes on in another log."""
        if self._since is None:
            self._since, self._since_ticks = self._now(), self._ticks()
        self.beat()

    def end(self) -> None:
        """It ends: a last one, so that the stretch is whole."""
        self.beat()
        self._since = None

    def beat(self) -> None:
        """Tell the stretch that ends now. Never raises: what holds changes all the same."""
        if self._since is None:
            return
        try:
            self._tell(self._since)
        except Exception as failure:  # noqa: BLE001 - a policy must take effect whatever fails here; a gap shows then
            logger.warning("embargo: the heartbeat was not recorded: %s: %s", type(failure).__name__, failure)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Beat until cancelled."""
        while True:
            left = self._since_ticks + INTERVAL - self._ticks() if self._since is not None else INTERVAL
            await sleep(max(left, _SHORTEST))
            if self._ticks() - self._since_ticks >= INTERVAL - _SHORTEST:
                self.beat()

    def _tell(self, since: datetime) -> None:
        gate, time, ticks = self._gate, self._now(), self._ticks()
        seconds, self._since, self._since_ticks = ticks - self._since_ticks, time, ticks
        flows: dict[str, int] = asdict(gate.counters)
        uninspected = {str(reason): count for reason, count in gate.tallies.uninspected.items()}
        lost = self.lost()
        before, self._flows = self._flows, flows
        blind, self._uninspected = self._uninspected, uninspected
        lost_before, self._lost = self._lost, lost
        judging = gate.policy
        mode = str(judging.settings.mode) if judging is not None else None
        ca = gate.ca.describe(time) or {}
        gate.write(
            Heartbeat(
                time=time,
                since=since,
                seconds=seconds,
                mode=mode,
                policy=judging.digest if judging is not None and judging is not NOTHING_LOADED else None,
                break_glass=gate.glass,
                flows={name: count - before.get(name, 0) for name, count in flows.items()},
                uninspected={reason: count - blind.get(reason, 0) for reason, count in uninspected.items()},
                lost=max(lost - lost_before, 0),
                ca=ca.get("fingerprint"),
                next_change=self.next_change(),
                worker=self.worker(),
            )
        )
