"""The counts of a period, by class and over time, and the lists of what was counted most.

Classes are counted apart and never added up: what would have been blocked was not, and a hit of shared infrastructure
is no use of an app, so it has lists of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from embargo.journal.verdict_class import VerdictClass

CLASSES = tuple(each.value for each in VerdictClass)
APART = VerdictClass.SHARED.value
OF_APPS = tuple(key for key in CLASSES if key != APART)
DIMENSIONS = {  # as the store names them: what a row is
    "app": "app",
    "client": "client",
    "user": "user",
    "host": "host",
    "rule": "rule",
    "authority": "order",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A thing and its counts."""

    key: str  # by which terms name it
    label: str  # for people
    counts: Mapping[str, int]  # by class


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The things of one dimension that were counted most."""

    dimension: str
    rows: tuple[Ranked, ...]
    more: bool = False  # others are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of the period."""

    start: datetime
    end: datetime
    counts: Mapping[str, int]  # by class


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """All counts of a period."""

    totals: Mapping[str, int]  # by class; every class is there
    moments: tuple[Moment, ...]
    rankings: Mapping[str, Ranking]  # by dimension, without hits of shared infrastructure
    shared: Ranking  # apps by hits of shared infrastructure
    by_app: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # all classes, of every app that has any
    app_moments: Mapping[str, tuple[Moment, ...]] = field(default_factory=dict)  # of the apps counted most

    @property
    def recorded(self) -> int:
        """How many decisions were recorded."""
        return sum(self.totals.values())
