"""The metrics of all workers together: counters are summed, and never go back when a worker dies.

What a worker has counted is kept when it ends. It is asked at each look (`LOOK`) and at each scrape, so that what a
crash takes out of the count is what it had counted since.
"""

from collections.abc import Mapping
from typing import Any

from embargo.enforce.metrics import readings
from embargo.enforce.metrics.readings import Reading, Series, Timed

LOOK = 10.0  # seconds between questions to the workers while nobody scrapes


class CrewMetrics:
    """What was heard of the workers, by number. Answers are those of `embargo status`."""

    def __init__(self) -> None:
        self._heard: dict[str, Mapping[str, Any]] = {}  # by worker: the newest answer of the process that now is it
        self._silent: set[str] = set()  # workers that were last asked in vain
        self._counted: Series = {}  # by processes that have ended
        self._timed = Timed()
        self._apps: dict[str, None] = {}  # of any policy that was in force: a counter does not go

    def hear(self, worker: str, answer: Mapping[str, Any]) -> None:
        """*worker* has answered."""
        self._heard[worker] = answer
        self._silent.discard(worker)
        self._apps |= dict.fromkeys(readings.apps(answer))

    def miss(self, worker: str) -> None:
        """*worker* did not answer, or is being started: what it counted stands."""
        self._silent.add(worker)

    def ended(self, worker: str) -> None:
        """The process that was *worker* has ended: what it counted stays."""
        self._silent.add(worker)
        if (last := self._heard.pop(worker, None)) is not None:
            _add(self._counted, readings.counters(last))
            self._timed += readings.timed(last)

    def reading(self) -> Reading:
        """As it is now; what is heard later does not change it."""
        return Reading(counters=self.counters(), gauges=self.gauges(), infos=self.infos(), timed=self.timed())

    def counters(self) -> Series:
        """Of all workers, past and present."""
        total = readings.zeros(tuple(self._apps))
        _add(total, self._counted)
        for answer in self._heard.values():
            _add(total, readings.counters(answer))
        return total

    def timed(self) -> Timed:
        """Of all workers, past and present."""
        total = self._timed
        for answer in self._heard.values():
            total += readings.timed(answer)
        return total

    def gauges(self) -> Series:
        """Of the workers that answer; of the others that they do not."""
        found: Series = {("embargo_worker_up", (worker,)): 0.0 for worker in self._silent}
        for worker, answer in self._heard.items():
            if worker not in self._silent:
                found |= readings.gauges(answer, worker)
        return found

    def infos(self) -> Series:
        """What is in force; of workers that disagree, each."""
        found: Series = {}
        for worker, answer in self._heard.items():
            if worker not in self._silent:
                found |= readings.infos(answer)
        return found


def _add(total: Series, more: Series) -> None:
    for key, value in more.items():
        total[key] = total.get(key, 0.0) + value
