"""`GET /metrics`: on loopback for whoever asks, elsewhere for whoever has the token."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embargo.core.address import is_loopback
from embargo.enforce.metrics.crew import CrewMetrics
from embargo.enforce.metrics.readings import Reading, Series
from embargo.enforce.process.pages import Reply, told

PATH = "/metrics"
FEWEST = 16  # characters of a token
_LONGEST_FILE = 4096  # bytes


class UnusableToken(ValueError):
    """A token, or the lack of one, with which metrics are not served; says what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where metrics are served, and to whom."""

    address: tuple[str, int]
    token: str | None = None  # None: to whoever comes

    @classmethod
    def of(cls, address: tuple[str, int], token_file: Path | None) -> "Access":
        """Raises UnusableToken where others could read it without a token, or where *token_file* holds none."""
        if token_file is None:
            if not is_loopback(address[0]):
                raise UnusableToken(f"{address[0]} can be reached from elsewhere: name a file with a token")
            return cls(address)
        try:
            token = token_file.read_bytes()[:_LONGEST_FILE].decode("ascii").strip()
        except OSError as failure:
            raise UnusableToken(f"{token_file}: {failure.strerror or failure}") from failure
        except UnicodeDecodeError as failure:
            raise UnusableToken(f"{token_file}: a token is of printable ASCII") from failure
        if len(token) < FEWEST or not token.isprintable() or " " in token:
            raise UnusableToken(f"{token_file}: a token has at least {FEWEST} printable characters and no blank")
        return cls(address, token)

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with *headers* may read."""
        if self.token is None:
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self.token.encode())


class MetricsPage:
    """The page; asks the workers anew for each scrape."""

    def __init__(
        self, access: Access, crew: CrewMetrics, ask: Callable[[], Awaitable[None]], more: Callable[[], Series]
    ) -> None:
        """*ask* has *crew* hear every worker; *more*: what else there is to show."""
        self.access = access
        self._crew = crew
        self._ask = ask
        self._more = more

    async def __call__(self, headers: Mapping[str, str]) -> Reply:
        """The answer to a request with *headers*."""
        if not self.access.admits(headers):
            return told(401, "a token is needed: Authorization: Bearer TOKEN", WWW_Authenticate="Bearer")
        await self._ask()
        text, content_type = await asyncio.to_thread(
            _encoded, self._crew.reading(), self._more(), headers.get("accept", "")
        )
        return Reply(200, text, content_type)


def _encoded(reading: Reading, more: Series, accept: str) -> tuple[bytes, str]:
    from embargo.enforce.metrics.exposition import encoded  # not before somebody asks

    return encoded(reading, more, accept)
