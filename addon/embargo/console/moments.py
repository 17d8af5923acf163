"""Counts over time as a chart's bars, each of which leads to its rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

from embargo.console.counting import Counted
from embargo.console.pages.display import display
from embargo.journal.query import Query
from embargo.journal.store import Cell
from embargo.review.chart import scale
from embargo.review.chart.timeline import Bucket

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST = 62  # bars
_HALF_DAYS = MOST * timedelta(hours=12)  # the longest time that is not drawn in whole days


def zone_of(instant: datetime) -> timezone:
    """The display's zone as one offset, where that is whole hours, so that hours fall into its days; else UTC."""
    offset = instant.astimezone(display().typed).utcoffset() or timedelta()
    return timezone(offset) if offset % HOUR == timedelta() else UTC


def zone_name(zone: timezone) -> str:
    """For the foot of a chart."""
    return "UTC" if zone.utcoffset(None) == timedelta() else str(zone)


def in_days(since: datetime, until: datetime) -> bool:
    """Whether bars of that time are days or longer (`scale.buckets`): then cells by UTC's day do, already counted."""
    return until - since > _HALF_DAYS


def buckets(
    cells: Sequence[Cell],
    since: datetime,
    until: datetime,
    query: Query,
    counted: Counted,
    most: int = MOST,
    zone: timezone | None = None,
) -> list[Bucket]:
    """*cells*, by the hour, as at most about *most* bars from *since* to *until*; they counted *query*.

    *zone*: whose days and hours they are; None: the display's.
    """
    zone = zone_of(since) if zone is None else zone
    edges = scale.buckets(since.astimezone(zone), until.astimezone(zone), most)
    counts: list[Counter[str]] = [Counter() for _ in edges]
    at = 0
    for cell in sorted(cells, key=lambda cell: cell.time):
        if cell.verdict_class is None:
            continue
        while at + 1 < len(edges) and cell.time >= edges[at][1]:
            at += 1
        counts[at][str(cell.verdict_class)] += cell.n
    return [
        Bucket(
            start=start,
            end=end,
            counts=dict(found),
            hrefs={
                name: url
                for name in found
                if (url := counted.url(query.between(start.astimezone(UTC), end.astimezone(UTC)).and_(f"class:{name}")))
            },
        )
        for (start, end), found in zip(edges, counts, strict=True)
    ]
