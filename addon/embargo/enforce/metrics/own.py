"""Metrics of a proxy that runs alone, in its own process: for a script of a stock mitmproxy (`embargo_metrics`)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions

from embargo.enforce.metrics.crew import CrewMetrics
from embargo.enforce.metrics.page import PATH, Access, MetricsPage
from embargo.enforce.metrics.readings import Series
from embargo.enforce.own_services import OwnServices
from embargo.enforce.process.pages import PageServer, listening_address, shown_address

logger = logging.getLogger("embargo")

_NUMBER = "1"  # of the only worker there is
_PLACE = "embargo_metrics"
_OPTIONS = frozenset({_PLACE, "embargo_metrics_token"})


def access_of(place: str, token_file: str) -> Access | None:
    """What the options say: `[ADDRESS:]PORT`, and a file with a token or nothing; None: no metrics are served.

    Raises ValueError where that is no place, or where nobody must read there.
    """
    if not place:
        return None
    return Access.of(listening_address(place), Path(token_file).expanduser() if token_file else None)


class OwnMetrics:
    """Serves `describe`, an answer to `embargo status`, where the options say so."""

    def __init__(self, describe: Callable[[], Mapping[str, Any]], services: OwnServices) -> None:
        """*services* hears where."""
        self._describe = describe
        self._services = services
        self._access: Access | None = None
        self._server: PageServer | None = None
        self._starting: asyncio.Task[tuple[str, int]] | None = None

    def configure(self, updated: set[str], *, running: bool) -> None:
        """Take up changed options. Raises OptionsError once *running*; before, the error is logged."""
        if not updated & _OPTIONS or not ctx.options.keys() >= _OPTIONS:
            return
        try:
            self._access = access_of(ctx.options.embargo_metrics, ctx.options.embargo_metrics_token)
        except ValueError as error:
            if running:
                raise exceptions.OptionsError(f"{_PLACE}: {error}") from error
            logger.error("%s: %s", _PLACE, error)
            return
        if running:
            self.serve()

    def serve(self) -> None:
        """Serve as the options say now."""
        self.follow(self._access, logger.info)

    def follow(self, access: Access | None, say: Callable[[str], None]) -> None:
        """Serve by *access* from now on, None: nowhere; *say* hears where, or why not."""
        self.stop()
        if access is None:
            return
        crew = CrewMetrics()

        async def ask() -> None:
            crew.hear(_NUMBER, self._describe())

        self._services.name(_PLACE, [access.address])
        self._server = PageServer({PATH: MetricsPage(access, crew, ask, _more)})
        self._starting = asyncio.create_task(self._server.start(*access.address))
        self._starting.add_done_callback(lambda task: say(self._told(access, task)))

    def stop(self) -> None:
        """Serve no more."""
        if self._starting is not None:
            self._starting.cancel()
        if self._server is not None:
            self._server.stop()
        self._server = self._starting = None
        self._services.name(_PLACE, ())

    def _told(self, access: Access, task: "asyncio.Task[tuple[str, int]]") -> str:
        if task.cancelled():
            return "embargo: metrics are served no more"
        if (failure := task.exception()) is not None:
            return f"embargo: metrics cannot be served at {shown_address(access.address)}: {failure}"
        if task is self._starting:
            self._services.name(_PLACE, [task.result()])
        return f"embargo: metrics at http://{shown_address(task.result())}{PATH}"


def _more() -> Series:
    return {("embargo_workers", ()): 1.0}
