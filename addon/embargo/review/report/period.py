"""The time that a report is about, and the queries that count it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from embargo.journal.query import Query, parse_query
from embargo.review.chart.scale import buckets, instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From an instant, and before another; in UTC."""

    start: datetime
    end: datetime  # the first instant that no longer counts
    apps: tuple[str, ...] = ()  # ids; empty: all

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError("the period ends before it begins")

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    @property
    def words(self) -> str:
        """For people."""
        return f"{instant(self.start)} to {instant(self.end)} UTC"

    def query(self, *terms: str) -> Query:
        """What takes the period's records of its apps that *terms* take too."""
        of_apps = [f"app:{app}" for app in self.apps]
        return parse_query([*of_apps, *terms], self.end).between(self.start, self.end)

    def everything(self, *terms: str) -> Query:
        """The same, whatever the app: what happened to the proxy has none."""
        return parse_query(terms, self.end).between(self.start, self.end)

    def stretches(self, most: int = 62) -> Sequence[tuple[datetime, datetime]]:
        """The period, cut for a chart."""
        return buckets(self.start, self.end, most)
