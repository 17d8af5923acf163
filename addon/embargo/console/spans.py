"""The stretch of time that a page counts, chosen by `?span=30d`: whole hours up to now, which are counted already."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request, url_for

from embargo.console.context import now

SPANS = {"1d": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "365d": "a year"}
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A stretch to choose."""

    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What was chosen; from, and before."""

    name: str
    label: str
    since: datetime
    until: datetime
    usual: str

    def presets(self, endpoint: str, **values: Any) -> Iterator[Preset]:
        """The others, as links to *endpoint* with *values*."""
        for name, label in SPANS.items():
            url = url_for(endpoint, **{**values, "span": None if name == self.usual else name})
            yield Preset(label=label, url=url, current=name == self.name)


def chosen(usual: str = "30d", given: Mapping[str, str] | None = None) -> Span:
    """What the address says, or *given*, the fields of a form; *usual* where that is nothing that there is."""
    name = (request.args if given is None else given).get("span", "")
    name = name if name in SPANS else usual
    until = now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) + _HOUR
    since = until - timedelta(days=int(name.removesuffix("d")))
    return Span(name=name, label=SPANS[name], since=since, until=until, usual=usual)
