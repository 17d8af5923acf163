"""The share of the last day, week and month in which the ban was enforced, found beside the pages that show it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING

from embargo.console.background import Background, Told, background
from embargo.console.context import settings, store
from embargo.journal.heartbeat import Heartbeat
from embargo.journal.query import parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.review.enforcement import Enforcement, enforcement

if TYPE_CHECKING:
    from embargo.console.settings import ConsoleSettings
    from embargo.journal.store import Store

SPANS: Mapping[str, timedelta] = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_NAME = "enforcement"
_FRESH = 300.0  # seconds: a month of heartbeats of one worker takes less than one
_BEYOND = timedelta(minutes=10)  # that enforcement needs to know of before a period
_BATCH = 5000  # records that are held at a time


def enforced(patience: float | None = None) -> Told[Mapping[str, Enforcement]]:
    """What is known of each of `SPANS`."""
    found = _background()
    return found.told() if patience is None else found.told(patience)


def gaps_within(since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """The times of the last month, from *since* to *until*, for which no log says that it was kept."""
    known = enforced(patience=10.0).value
    if known is None:
        return []
    return [(gap.begin, gap.end) for gap in known["30d"].gaps if gap.end > since and gap.begin < until]


def _background() -> Background[Mapping[str, Enforcement]]:
    chosen, filled = settings(), store()
    return background(_NAME, lambda: Background(lambda: _found(chosen, filled), chosen.now, _FRESH))


def _found(chosen: "ConsoleSettings", filled: "Store") -> Mapping[str, Enforcement]:
    moment = chosen.now()
    return {
        name: enforcement(_records(filled, moment - length), moment - length, moment, moment)
        for name, length in SPANS.items()
    }


def _records(filled: "Store", since: datetime) -> Iterator[Record | Heartbeat]:
    """Heartbeats, starts, ends, losses, and what was deleted; none of them is held for long."""
    for beat in filled.heartbeats(since - _BEYOND):
        if (told := beat.told) is not None:
            yield told
    query = parse_query(["category:process", "category:configuration", "-action:heartbeat"], since)
    for rows in batched(filled.rows(query.between(since - _BEYOND, None), filled.snapshot()), _BATCH):
        for _, line in filled.lines(rows):
            if line is not None:
                with suppress(BrokenRecord):  # counted by the store
                    yield Record.parse(line)
