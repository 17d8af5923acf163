"""Asks the workers of a supervisor what they have counted, each over its own socket, all side by side."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from embargo.enforce.metrics.crew import LOOK, CrewMetrics
from embargo.journal.status import Liveness, ask
from embargo.paths import runtime_directory

PATIENCE = 2.0  # seconds for a worker's answer: what Prometheus waits is 10
FRESH = 0.5  # seconds for which what was heard does: however many scrape, a worker is asked twice a second


class Asked(Protocol):
    """A worker, as far as it is asked."""

    number: int
    ready: asyncio.Event

    @property
    def pid(self) -> int:
        """Of its process."""
        ...


class Scraper:
    """Keeps `crew` up to date."""

    def __init__(self, workers: Callable[[], Iterable[Asked]]) -> None:
        """*workers*: those of now."""
        self.crew = CrewMetrics()
        self._workers = workers
        self._asking = asyncio.Lock()
        self._asked = -FRESH  # time of the loop

    async def ask(self) -> None:
        """Have each worker heard, or missed, unless that was so just now."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() - self._asked < FRESH:
                return
            await asyncio.gather(*(self._ask(worker) for worker in list(self._workers())))
            self._asked = loop.time()

    async def run(self) -> None:
        """Ask until cancelled, so that little is lost of what a worker had counted when it dies."""
        while True:
            await asyncio.sleep(LOOK)
            await self.ask()

    async def _ask(self, worker: Asked) -> None:
        name = str(worker.number)
        if not worker.ready.is_set():
            self.crew.miss(name)
            return
        status = await asyncio.to_thread(ask, runtime_directory() / f"{worker.pid}.sock", PATIENCE)
        if not any(worker is each for each in self._workers()) or not worker.ready.is_set():
            return  # it has ended meanwhile: its count is closed
        if status.liveness is Liveness.RUNNING:
            self.crew.hear(name, status.answer)
        else:
            self.crew.miss(name)
