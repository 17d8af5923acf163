"""How the verdict on one inquiry changes over time: intervals, and the reason of each change.

Between two dates (of the law, of rules) nothing but schedules changes a verdict, and those look at the wall clock
alone. So each set of schedules that hold together is asked for once, at a real instant, by `answer`, and what recurs
is told as hours of a week. Where schedules have several zones, an interval also ends where one of them changes its
clock, since the hours of the others then mean other instants.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, NamedTuple

from embargo.core.decision import Verdict
from embargo.core.horizon import causes_at, dates_of, schedules_of
from embargo.core.inquiry import Inquiry, answer, requests
from embargo.core.rules import Policy
from embargo.core.schedule import Schedule, clock_changes
from embargo.core.week import WEEK, Holding, Hours, Span, course_of, holding, hours_of, steady_week, zone_name, zone_of

YEAR = timedelta(days=365)  # beyond today that a calendar shows, unless another end is asked for
_MOST_TOLD = 12  # changes by schedules between two dates that are told one by one
_LONGEST = 3 * YEAR  # of a stretch that is looked through: by then its weeks have shown all that they do


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an inquiry gets at some time."""

    verdict: Verdict
    rule: str | None  # that decides, `default` where none does; None where no app owns it
    apps: tuple[str, ...]
    status: int | None  # of the HTTP answer
    surface: str
    would: Verdict | None = None  # what a shadow rule, or enforce in place of monitor, would have done

    def document(self) -> dict[str, Any]:
        """The object that `explain --calendar --json` has for it."""
        return {
            "verdict": str(self.verdict),
            "rule": self.rule,
            "apps": list(self.apps),
            "status": self.status,
            "surface": self.surface,
            "would": str(self.would) if self.would is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Recurring:
    """What is otherwise at some hours of each week."""

    hours: tuple[Hours, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A time in which nothing changes for good."""

    start: datetime  # UTC, the first instant that counts
    end: datetime  # the first that no longer does
    outcome: Outcome  # outside the hours of `recurring`
    recurring: tuple[Recurring, ...] = ()
    zone: tzinfo | None = None  # of those hours; None where nothing recurs
    reasons: tuple[str, ...] = ()  # why it is otherwise than before; empty for the first
    by_schedules: Mapping[Holding, Outcome]  # the same, by which schedules hold
    schedules: frozenset[Schedule] = frozenset()

    def at(self, instant: datetime) -> Outcome:
        """What the inquiry gets at *instant*, which lies within."""
        return self.by_schedules[holding(self.schedules, instant)]

    def document(self) -> dict[str, Any]:
        """The object that `explain --calendar --json` has for it."""
        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            **self.outcome.document(),
            "recurring": [{"hours": list(map(str, each.hours)), **each.outcome.document()} for each in self.recurring],
            "timezone": zone_name(self.zone) if self.zone is not None else None,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Calendar:
    """The intervals of an inquiry, without gaps."""

    inquiry: Inquiry
    intervals: tuple[Interval, ...]

    def document(self) -> dict[str, Any]:
        """The object that `explain --calendar --json` prints."""
        return {
            "request": self.inquiry.request,
            "from": self.intervals[0].start.isoformat(),
            "to": self.intervals[-1].end.isoformat(),
            "intervals": [interval.document() for interval in self.intervals],
        }


def calendar(policy: Policy, inquiry: Inquiry, start: datetime | None = None, end: datetime | None = None) -> Calendar:
    """How *policy* judges *inquiry* from *start* to *end* (aware, UTC).

    By default from the first date that matters, or the inquiry's time if that is earlier, to the day a year after the
    inquiry's time. Raises UnreadableRequest, and ValueError where *start* is not before *end*.
    """
    apps = _owning(policy, inquiry)
    dates = sorted({date for app in apps for date in dates_of(policy, app)})
    start = start if start is not None else min([inquiry.time, *dates])
    end = end if end is not None else (inquiry.time + YEAR).replace(hour=0, minute=0, second=0, microsecond=0)
    if start >= end:
        raise ValueError("the calendar ends before it begins")
    return Calendar(inquiry, tuple(_Course(policy, inquiry, apps).intervals(start, end, dates)))


def _owning(policy: Policy, inquiry: Inquiry) -> tuple[str, ...]:
    """Every app that owns a name of *inquiry*, at any surface."""
    owners = [
        owner.app
        for request in requests(inquiry)
        for name in request.names
        for owner in policy.matcher.owners(name, request)
    ]
    return tuple(dict.fromkeys(owners))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A time in which the outcome depends on nothing but which schedules hold."""

    start: datetime
    end: datetime
    outcomes: Mapping[Holding, Outcome]


class _Course:
    """An inquiry on its way through time."""

    def __init__(self, policy: Policy, inquiry: Inquiry, apps: Sequence[str]) -> None:
        self._policy, self._inquiry, self._apps = policy, inquiry, apps
        self._schedules = frozenset(schedule for app in apps for schedule in schedules_of(policy, app))
        self._zones = {schedule.timezone for schedule in self._schedules}
        self._zone = zone_of(self._schedules)

    def intervals(self, start: datetime, end: datetime, dates: Sequence[datetime]) -> Iterator[Interval]:
        """The intervals from *start* to *end*: equal ones that follow each other are one."""
        last: Interval | None = None
        for stretch in self._stretches(start, end, dates):
            for interval in self._told(stretch):
                if last is None:
                    last = replace(interval, reasons=())
                elif _alike(last, interval):
                    last = replace(last, end=interval.end, by_schedules={**last.by_schedules, **interval.by_schedules})
                else:
                    yield last
                    last = interval
        assert last is not None, "start is before end"
        yield last

    def _stretches(self, start: datetime, end: datetime, dates: Sequence[datetime]) -> Iterator[_Stretch]:
        """From each date that changes something to the next, and from one change of a clock to the next."""
        bounds = [start, *(date for date in dates if start < date < end), end]
        last: _Stretch | None = None
        for first, until in pairwise(bounds):
            course = course_of(self._schedules, first, min(until, first + _LONGEST))
            begins = {span.held: span.start for span in reversed(course)}
            outcomes = {held: self._outcome(at) for held, at in begins.items()}
            if last is None:
                last = _Stretch(first, until, outcomes)
            elif all(last.outcomes.get(held, outcome) == outcome for held, outcome in outcomes.items()):
                last = _Stretch(last.start, until, {**outcomes, **last.outcomes})  # that date changes nothing
            else:
                yield from self._by_clocks(last)
                last = _Stretch(first, until, outcomes)
        assert last is not None, "start is before end"
        yield from self._by_clocks(last)

    def _by_clocks(self, stretch: _Stretch) -> Iterator[_Stretch]:
        if len(self._zones) < 2:
            yield stretch
            return
        start, end = stretch.start, stretch.end
        changes = {each for zone in self._zones for each in clock_changes(zone, start, end) if start < each < end}
        for first, until in pairwise([start, *sorted(changes), end]):
            yield _Stretch(first, until, stretch.outcomes)

    def _outcome(self, time: datetime) -> Outcome:
        found = answer(self._policy, replace(self._inquiry, time=time))
        decision = found.decision
        return Outcome(
            verdict=decision.verdict,
            rule=decision.rule_id,
            apps=decision.apps,
            status=decision.status_on(found.request.surface),
            surface=found.request.surface.value,
            would=decision.would,
        )

    def _told(self, stretch: _Stretch) -> Iterator[Interval]:
        """*stretch* as one interval, with hours of the week where something recurs; a short one change by change."""
        start, end, outcomes = stretch.start, stretch.end, stretch.outcomes
        pieces = _pieces(course_of(self._schedules, start, min(end, start + _LONGEST)), outcomes)
        week = steady_week(self._zones, start, end)
        if len(pieces) > 1 and week is not None and len(pieces) > _MOST_TOLD:
            usual, recurring = self._recurring(stretch, week)
            yield Interval(
                start=start,
                end=end,
                outcome=usual,
                recurring=recurring,
                zone=self._zone,
                reasons=self._causes(start),
                by_schedules=outcomes,
                schedules=self._schedules,
            )
            return
        for number, piece in enumerate(pieces):
            yield Interval(
                start=piece.start,
                end=piece.end if number + 1 < len(pieces) else end,
                outcome=piece.outcome,
                reasons=self._turns(pieces[number - 1].last, piece.first) if number else self._causes(start),
                by_schedules=dict.fromkeys(piece.held, piece.outcome),
                schedules=self._schedules,
            )

    def _recurring(self, stretch: _Stretch, week: datetime) -> tuple[Outcome, tuple[Recurring, ...]]:
        """What is most of the time in the week that begins at *week*, and what is otherwise at which hours."""
        spans: dict[Outcome, list[tuple[datetime, datetime]]] = {}
        for span in course_of(self._schedules, week, week + WEEK):
            spans.setdefault(stretch.outcomes[span.held], []).append((span.start, span.end))
        usual = max(spans, key=lambda outcome: sum((end - start).total_seconds() for start, end in spans[outcome]))
        others = [Recurring(hours_of(spans[each], self._zone), each) for each in spans if each != usual]
        return usual, tuple(sorted(others, key=lambda each: (min(each.hours[0].days), each.hours[0].start)))

    def _causes(self, instant: datetime) -> tuple[str, ...]:
        found = [cause for app in self._apps for cause in causes_at(self._policy, app, instant)]
        if not found:
            found = [
                f"the clock of {zone_name(zone)} changes"
                for zone in sorted(self._zones, key=zone_name)
                if instant in set(clock_changes(zone, instant - timedelta(days=1), instant + timedelta(days=1)))
            ]
        return tuple(dict.fromkeys(found))

    def _turns(self, before: Holding, after: Holding) -> tuple[str, ...]:
        """Which rules' schedules begin and end between two sets of them."""
        found = []
        for rule in self._policy.rules:
            if (
                rule.enabled
                and rule.schedule is not None
                and any(rule in self._policy.rules_of[app] for app in self._apps)
            ):
                if rule.schedule in after - before:
                    found.append(f"schedule of rule {rule.id} begins")
                elif rule.schedule in before - after:
                    found.append(f"schedule of rule {rule.id} ends")
        return tuple(dict.fromkeys(found))


class _Piece(NamedTuple):
    """A part of a stretch with one outcome."""

    start: datetime
    end: datetime
    outcome: Outcome
    held: tuple[Holding, ...]  # one after the other

    @property
    def first(self) -> Holding:
        return self.held[0]

    @property
    def last(self) -> Holding:
        return self.held[-1]


def _pieces(course: Sequence[Span], outcomes: Mapping[Holding, Outcome]) -> list[_Piece]:
    """*course* cut where the outcome changes."""
    pieces: list[_Piece] = []
    for span in course:
        outcome = outcomes[span.held]
        if pieces and pieces[-1].outcome == outcome:
            pieces[-1] = pieces[-1]._replace(end=span.end, held=(*pieces[-1].held, span.held))
        else:
            pieces.append(_Piece(span.start, span.end, outcome, (span.held,)))
    return pieces


def _alike(before: Interval, after: Interval) -> bool:
    """Whether nothing changes from *before* to *after*."""
    known = before.by_schedules
    return (before.outcome, before.recurring) == (after.outcome, after.recurring) and all(
        known.get(held, outcome) == outcome for held, outcome in after.by_schedules.items()
    )
