"""The health endpoint for balancers: `GET /healthz` is 200 while what is banned is refused and recorded, else 503.

Served by the supervisor, on a port of its own: no traffic of the proxy passes here, and none of it delays the answer.
"""

from collections.abc import Callable, Mapping

from embargo.enforce.process.pages import Page, PageServer, Reply, told

PATH = "/healthz"


class HealthServer(PageServer):
    """Says whether the proxy is to be sent clients; may serve other pages beside."""

    def __init__(self, trouble: Callable[[], str | None], others: Mapping[str, Page] | None = None) -> None:
        """*trouble*: why the proxy is not to be sent clients, in a line; None where all is well."""
        super().__init__({PATH: self._health, **(others or {})})
        self._trouble = trouble

    async def _health(self, _headers: Mapping[str, str]) -> Reply:
        trouble = self._trouble()
        return told(200, "ok") if trouble is None else told(503, trouble)
