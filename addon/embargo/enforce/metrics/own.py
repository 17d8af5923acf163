"""Metrics of a proxy that runs alone, in its own process: for a script of a stock mitmproxy (`embargo_metrics`)."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from embargo.enforce.metrics.crew import CrewMetrics
from embargo.enforce.metrics.page import PATH, Access, MetricsPage
from embargo.enforce.metrics.readings import Series
from embargo.enforce.process.pages import PageServer, listening_address, shown_address

_NUMBER = "1"  # of the only worker there is


def access_of(place: str, token_file: str) -> Access | None:
    """What the options say: `[ADDRESS:]PORT`, and a file with a token or nothing; None: no metrics are served.

    Raises ValueError where that is no place, or where nobody must read there.
    """
    if not place:
        return None
    return Access.of(listening_address(place), Path(token_file).expanduser() if token_file else None)


class OwnMetrics:
    """Serves `describe`, an answer to `embargo status`, while it is told to."""

    def __init__(self, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._describe = describe
        self._server: PageServer | None = None
        self._starting: asyncio.Task[tuple[str, int]] | None = None

    def follow(self, access: Access | None, say: Callable[[str], None]) -> None:
        """Serve by *access* from now on, None: nowhere; *say* hears where, or why not."""
        self.stop()
        if access is None:
            return
        crew = CrewMetrics()

        async def ask() -> None:
            crew.hear(_NUMBER, self._describe())

        self._server = PageServer({PATH: MetricsPage(access, crew, ask, _more)})
        self._starting = asyncio.create_task(self._server.start(*access.address))
        self._starting.add_done_callback(lambda task: say(_told(access, task)))

    def stop(self) -> None:
        """Serve no more."""
        if self._starting is not None:
            self._starting.cancel()
        if self._server is not None:
            self._server.stop()
        self._server = self._starting = None


def _more() -> Series:
    return {("embargo_workers", ()): 1.0}


def _told(access: Access, task: "asyncio.Task[tuple[str, int]]") -> str:
    if task.cancelled():
        return "embargo: metrics are served no more"
    if (failure := task.exception()) is not None:
        return f"embargo: metrics cannot be served at {shown_address(access.address)}: {failure}"
    return f"embargo: metrics at http://{shown_address(task.result())}{PATH}"
