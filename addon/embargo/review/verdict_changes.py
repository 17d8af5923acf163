"""For which apps, roles, groups and times another policy gives another verdict, over a stretch of time.

Asked are the situations that the rules of either policy tell apart, for each set of schedules that hold together, from
one date of either policy to the next. Apps and kinds of endpoints that one of the two lacks are not compared here:
`endpoint_changes` tells them endpoint by endpoint.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from embargo.core.horizon import dates_of, schedules_of
from embargo.core.rules import Policy
from embargo.core.shifts import Changed, Shift, shifts, together
from embargo.core.situations import Situations, alike, judge, situations
from embargo.core.week import WEEK, course_of, hours_words, zone_of

_LONGEST = timedelta(days=370)  # of a stretch whose weeks are looked through: by then each clock has changed twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time in which the same verdicts differ."""

    start: datetime  # UTC
    end: datetime
    shifts: tuple[Shift, ...]  # never empty

    def document(self) -> dict[str, Any]:
        """The object that `diff --json` has for it."""
        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "changes": [
                {
                    "apps": list(shift.apps),
                    "what": shift.what or None,
                    "who": shift.who or None,
                    "hours": shift.hours or None,
                    "from": str(shift.before),
                    "to": str(shift.after),
                    "stricter": shift.after > shift.before,
                }
                for shift in self.shifts
            ],
        }


@dataclass(frozen=True, slots=True)
class VerdictChanges:
    """All periods from one instant to another in which a verdict differs."""

    periods: tuple[Period, ...]
    incomplete: tuple[str, ...] = ()  # apps with so many groups that members of several at once were left out


def verdict_changes(old: Policy, new: Policy, start: datetime, end: datetime) -> VerdictChanges:
    """Where *new* gives another verdict than *old* between *start* and *end* (aware, UTC)."""
    found: dict[tuple[datetime, datetime], list[Shift]] = defaultdict(list)
    incomplete: list[str] = []
    for apps in alike([old, new], sorted(old.apps.keys() & new.apps.keys())):
        app = apps[0]  # what is said of it, is said of all
        whole = situations([old, new], app)
        if not whole.complete:
            incomplete += apps
        common = situations([old], app).kinds & situations([new], app).kinds
        compared = Situations(
            tuple(each for each in whole.each if each.kind in common), whole.askers, common, complete=whole.complete
        )
        for period in _joined(_of_app(old, new, app, compared, start, end)):
            found[period.start, period.end] += [replace(shift, apps=apps) for shift in period.shifts]
    periods = [Period(start=first, end=last, shifts=together(told)) for (first, last), told in sorted(found.items())]
    return VerdictChanges(tuple(periods), tuple(sorted(incomplete)))


def _of_app(old: Policy, new: Policy, app: str, whole: Situations, start: datetime, end: datetime) -> Iterator[Period]:
    """From each date to the next, what differs of *app*; nothing where nothing does."""
    dates = dates_of(old, app) | dates_of(new, app)
    schedules = schedules_of(old, app) | schedules_of(new, app)
    zone = zone_of(schedules)
    for first, last in pairwise([start, *sorted(date for date in dates if start < date < end), end]):
        course = course_of(schedules, first, min(last, first + _LONGEST))
        begins = {span.held: span.start for span in reversed(course)}
        changed = [
            Changed(situation, held, was, is_now)
            for situation in whole.each
            for held, instant in begins.items()
            if (was := judge(old, situation, instant).verdict) is not (is_now := judge(new, situation, instant).verdict)
        ]
        week = [span._replace(end=min(span.end, first + WEEK)) for span in course if span.start < first + WEEK]
        if changed:
            told = together(shifts(changed, whole, lambda held, week=week: hours_words(held, week, zone)))  # type: ignore[misc]
            yield Period(start=first, end=last, shifts=told)


def _joined(periods: Iterator[Period]) -> Iterator[Period]:
    """*periods*, those that follow each other and are alike made one."""
    last: Period | None = None
    for period in periods:
        if last is not None and (last.end, last.shifts) == (period.start, period.shifts):
            last = Period(start=last.start, end=period.end, shifts=last.shifts)
            continue
        if last is not None:
            yield last
        last = period
    if last is not None:
        yield last
