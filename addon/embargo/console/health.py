"""How the proxies are, in a line or a few: what stands above the numbers, since a number from a sick proxy misleads."""

from dataclasses import dataclass
from datetime import datetime

from embargo.console.access.rights import Right
from embargo.console.context import console, may, settings
from embargo.console.freshness import freshness
from embargo.console.navigation import address, entry_of
from embargo.journal.status import Liveness, Status, crews, disagreement, running
from embargo.paths import runtime_directory

_PATIENCE = 0.5  # seconds for a proxy to answer in: the page waits for it
_MOST = 4  # findings that are told here


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A line."""

    kind: str  # "done", "warning", "error"
    text: str
    url: str | None = None
    link: str = "Health"


def notices(now: datetime) -> list[Notice]:
    """What is to be said, the worst first."""
    where = entry_of("health") if may(Right.HEALTH) else None
    url = address(where) if where is not None else None
    found: list[Notice] = []
    if (failure := freshness().failure) is not None:
        found.append(Notice(kind="error", text=f"The log cannot be read to its end: {failure}. Numbers may be old."))
    if (refused := console().refused) is not None:
        found.append(
            Notice(kind="error", text=f"The policy files do not load, so what ran before stays: {refused.problems[0]}")
        )
    try:
        statuses = running(settings().runtime or runtime_directory(), _PATIENCE)
    except OSError as failed:
        return [*found, Notice(kind="warning", text=f"The proxies cannot be asked: {failed.strerror or failed}.")]
    return [*found, *_of_proxies(statuses, now, url)]


def _of_proxies(statuses: list[Status], now: datetime, url: str | None) -> list[Notice]:
    alive = [status for status in statuses if status.liveness is Liveness.RUNNING]
    findings = [f"Proxy {status.pid} {finding}" for status in statuses for finding in status.findings()]
    findings += [text for workers in crews(alive).values() if (text := disagreement(workers)) is not None]
    if not may(Right.HEALTH):
        return [Notice(kind="warning", text="Something needs an operator's attention.")] if findings else []
    told = [Notice(kind="error", text=f"{text}.", url=url) for text in dict.fromkeys(findings)]
    if len(told) > _MOST:
        more = Notice(kind="error", text=f"And {len(told) - _MOST + 1} more.", url=url)
        told = [*told[: _MOST - 1], more]
    if not alive:
        return [*told, Notice(kind="warning", text="No proxy answers on this machine.", url=url)]
    return told or [Notice(kind="done", text=_well(alive), url=url)]


def _well(alive: list[Status]) -> str:
    digests = sorted({str(status.part("policy").get("digest", ""))[:12] for status in alive})
    modes = sorted({str(status.answer.get("mode", "")) for status in alive})
    proxies = "1 proxy runs" if len(alive) == 1 else f"{len(alive)} proxies run"
    waiting = sum(queue for status in alive if isinstance(queue := status.part("log").get("queue"), int))
    return (
        f"{proxies} in mode {' and '.join(modes)} with policy {', '.join(digests)}; nothing is lost, "
        f"{waiting} records wait to be written."
    )
