"""What a supervisor answers over HTTP: balancers, and Prometheus."""

from collections.abc import Callable

from embargo.enforce.metrics.page import PATH as METRICS
from embargo.enforce.metrics.page import MetricsPage
from embargo.enforce.process.health import PATH as HEALTH
from embargo.enforce.process.health import HealthServer
from embargo.enforce.process.pages import PageServer, shown_address


class Endpoints:
    """Health and metrics, each where it was asked for; at one address, both there."""

    def __init__(
        self, trouble: Callable[[], str | None], health: tuple[str, int] | None, metrics: MetricsPage | None
    ) -> None:
        """*health*: address and port; None: there is none."""
        self._health_at = health
        self._metrics = metrics
        together = metrics is not None and metrics.access.address == health
        self._health = HealthServer(trouble, {METRICS: metrics} if metrics is not None and together else None)
        self._apart = PageServer({METRICS: metrics}) if metrics is not None and not together else None

    async def start(self, say: Callable[[str], None]) -> tuple[tuple[str, int], ...]:
        """Listen, and *say* where; the addresses. Raises OSError."""
        found = []
        if self._health_at is not None:
            address = await self._health.start(*self._health_at)
            found.append(address)
            say(f"embargo: health at http://{shown_address(address)}{HEALTH}")
        if self._metrics is not None:
            if self._apart is not None:
                address = await self._apart.start(*self._metrics.access.address)
                found.append(address)
            say(f"embargo: metrics at http://{shown_address(address)}{METRICS}")
        return tuple(found)

    def stop(self) -> None:
        """Listen no more."""
        self._health.stop()
        if self._apart is not None:
            self._apart.stop()
