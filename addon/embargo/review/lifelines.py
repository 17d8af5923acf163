"""The lives of workers, as the log's records tell them: what each vouches for, and why where it does not. Pure.

A heartbeat vouches for the stretch before it by the clock that nobody sets, and for no more than a heartbeat's
interval with some grace: neither a clock that was set nor a process that stood still makes time that nobody watched.
Where two tell of one instant, the worse counts; and a process ran from its first heartbeat to its last, whoever else
told of that time. So a heartbeat taken out from among others of its process never makes more time enforced.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from embargo.journal.heartbeat import INTERVAL, Heartbeat, heartbeat_of, process_of
from embargo.journal.record import Record
from embargo.review.course import Course, State, Stretch, joined, worst

LONGEST = timedelta(seconds=2.5 * INTERVAL)  # that one heartbeat can vouch for
_TOUCHING = timedelta(seconds=1)  # times are cut to the millisecond, and timers may be late: no gap is as short as that
_MOMENT = timedelta(microseconds=1)


_MODES = {"enforce": State.ENFORCED, "monitor": State.MONITORED, "refuse": State.REFUSED}


@dataclass(slots=True)
class Span:
    """What one heartbeat vouches for, or several in a row that say the same."""

    first: datetime
    time: datetime  # its end
    process: tuple[str, int | None]  # host and pid
    state: State
    policy: str | None
    break_glass: str | None

    def stretch(self, begin: datetime, end: datetime) -> Stretch:
        """What held from *begin* to *end*, as it says."""
        why = "its mode is none that is known here" if self.state is State.GAP else None
        return Stretch(
            begin=begin, end=end, state=self.state, why=why, policy=self.policy, break_glass=self.break_glass
        )

    def goes_on_in(self, later: "Span") -> bool:
        """Whether *later* says the same of the time right behind."""
        same = (self.process, self.state, self.policy, self.break_glass) == (
            later.process,
            later.state,
            later.policy,
            later.break_glass,
        )
        return same and later.time >= self.time and self.first <= later.first <= self.time + _TOUCHING


@dataclass(slots=True)
class Run:
    """What is known of one process, from its first heartbeat to its last: in between it was running, told or not."""

    spans: list[Span]  # by their begin
    ending: "_Ending | None" = None

    @property
    def first(self) -> datetime:
        """When it is first known to have run."""
        return self.spans[0].first

    @property
    def last(self) -> Span:
        """The span that reaches furthest; of several the worst."""
        return max(self.spans, key=_reach)

    def told(self) -> Iterator[Stretch]:
        """What its heartbeats say, and what held between them; two that contradict each other are both told."""
        before = self.spans[0]
        for span in self.spans:
            if span.first > before.time:
                short = span.first - before.time <= _TOUCHING
                yield (
                    max(before, span, key=lambda each: each.state).stretch(before.time, span.first)
                    if short
                    else Stretch(begin=before.time, end=span.first, state=State.GAP)
                )
            yield span.stretch(span.first, span.time)
            before = max(before, span, key=_reach)

    def silent(self, end: datetime, *, followed: bool, now: datetime | None) -> Iterator[Stretch]:
        """What held from its last heartbeat to *end*, where another process of this worker *followed*, or time did."""
        last = self.last
        at = last.time
        if self.ending is not None and self.ending.time <= max(end, at + _TOUCHING):
            # until it ended it was running, and did not say in what state
            if self.ending.time - at > _TOUCHING:
                yield Stretch(begin=at, end=self.ending.time, state=State.GAP, why=self.ending.why)
                at = self.ending.time
            yield Stretch(begin=at, end=end, state=State.DOWN, why=self.ending.why)
        elif followed:
            yield Stretch(begin=at, end=end, state=State.GAP, why="it ended without a word, and was started again")
        elif now is not None and end >= now and now - at <= LONGEST:
            yield last.stretch(at, end)  # the next is not due yet
        else:
            yield Stretch(begin=at, end=end, state=State.GAP)


@dataclass(slots=True)
class Life:
    """What is known of one worker, whichever processes it was."""

    runs: list[Run] = field(default_factory=list)

    def course(self, told: "Told", begin: datetime, end: datetime, now: datetime | None) -> Course:
        """What held, without a hole: at each instant the worst that is told of it."""
        runs = sorted(self.runs, key=lambda run: run.first)
        why = "nothing is recorded of it before" if runs[0].first < end else "nothing is recorded of it"
        pieces = [Stretch(begin=begin, end=max(begin, runs[0].first), state=State.DOWN, why=why)]
        firsts = [run.first for run in runs]
        for run in runs:
            pieces += run.told()
            next_one = bisect_left(firsts, max(run.last.time - _TOUCHING, run.first + _MOMENT))
            followed = next_one < len(runs)
            pieces += run.silent(firsts[next_one] if followed else max(end, run.last.time), followed=followed, now=now)
        return Course(
            stretches=tuple(
                replace(each, why=told.why_missing(each.begin, each.end))
                if each.state is State.GAP and each.why is None
                else each
                for each in joined(worst(pieces, begin, end))
            )
        )


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a process ended, and when that was seen."""

    time: datetime
    why: str


class Told:
    """The records, sorted out."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self.spans: dict[tuple[str | None, tuple[str, int | None]], list[Span]] = {}  # by worker with a number, process
        self.flows: dict[str, int] = {}
        self.uninspected: dict[str, int] = {}
        self.lost = 0
        self.certificates: dict[str, datetime] = {}  # when each was first in use
        self._begin, self._end = begin, end
        self._endings: dict[tuple[str, int | None], list[_Ending]] = {}  # by host and pid, which is used again one day
        self._losses: list[tuple[datetime, datetime, str]] = []
        self._deleted: list[tuple[datetime, datetime, str]] = []

    def take(self, record: Record | Heartbeat) -> None:
        """Sort *record* in, or what is known of a heartbeat without its record."""
        if isinstance(record, Heartbeat):
            self._beat(record)
        elif (beat := heartbeat_of(record)) is not None:
            self._beat(beat)
        elif record.action in ("stop", "died"):
            host = str(record.document.get("observer", {}).get("hostname"))
            why = "it was stopped" if record.action == "stop" else record.reason or "it died"
            ending = _Ending(record.time, why)
            self._endings.setdefault((host, process_of(record.document)), []).append(ending)
        elif record.action == "log-loss":
            since = _instant(record.document.get("event", {}).get("start")) or record.time
            self._losses.append((since, record.time, f"records were lost: {record.reason}"))
        elif record.action == "log-deleted":
            stone = record.document.get("embargo", {}).get("tombstone", {})
            first, last = _instant(stone.get("since")), _instant(stone.get("until"))
            if first is not None and last is not None:
                self._deleted.append((first, last, f"the log of that time was deleted on {record.time:%Y-%m-%d}"))

    def _beat(self, beat: Heartbeat) -> None:
        span = _span(beat)
        name = None if beat.worker is None else f"{beat.host} worker {beat.worker}"
        spans = self.spans.setdefault((name, span.process), [])
        if spans and spans[-1].goes_on_in(span):  # a year has half a million, and nearly all do
            spans[-1].time = span.time
        else:
            spans.append(span)
        if self._begin < beat.time <= self._end:
            self._count(beat)

    def lives(self) -> dict[str, Life]:
        """The workers by name; several that ran side by side without a number get one, by which started first.

        Who ran side by side is told by all the records, so that their order tells nothing.
        """
        lives: dict[str, Life] = {}
        alone: list[tuple[tuple[str, int | None], Run]] = []
        for (name, process), spans in self.spans.items():
            for run in self._runs(process, spans):
                if name is None:
                    alone.append((process, run))
                else:
                    lives.setdefault(name, Life()).runs.append(run)
        for (host, _), run in sorted(alone, key=lambda each: (each[1].first, each[0][1] or 0, each[1].last.time)):
            names = (host if number == 1 else f"{host} ({number})" for number in count(1))
            name = next(
                name
                for name in names
                if (life := lives.get(name)) is None or life.runs[-1].last.time <= run.first + _TOUCHING
            )
            lives.setdefault(name, Life()).runs.append(run)
        return lives

    def _runs(self, process: tuple[str, int | None], spans: list[Span]) -> Iterator[Run]:
        """The processes that had one number, each after the end of the one before."""
        endings = sorted(self._endings.get(process, ()), key=lambda each: each.time)
        times = [each.time for each in endings]

        def ending(time: datetime) -> _Ending | None:
            place = bisect_left(times, time - _TOUCHING)
            return endings[place] if place < len(endings) else None

        run: list[Span] = []
        reached = datetime.min.replace(tzinfo=UTC)
        for span in _gathered(spans):
            if run and span.first >= reached and (end := ending(reached)) is not None and end.time <= span.first:
                yield Run(run, end)
                run = []
            run.append(span)
            reached = max(reached, span.time)
        yield Run(run, ending(reached))

    def _count(self, beat: Heartbeat) -> None:
        for sums, counts in ((self.flows, beat.flows), (self.uninspected, beat.uninspected)):
            for name, more in counts.items():
                sums[name] = sums.get(name, 0) + more
        self.lost += beat.lost
        if beat.ca is not None:
            self.certificates[beat.ca] = min(beat.time, self.certificates.get(beat.ca, beat.time))

    def why_deleted(self, begin: datetime, end: datetime) -> str | None:
        """That the log of the time was deleted, where it was."""
        return next((why for since, until, why in self._deleted if since - LONGEST < end and until > begin), None)

    def why_missing(self, begin: datetime, end: datetime) -> str:
        """Why there is no heartbeat, as far as it is known."""
        if (deleted := self.why_deleted(begin, end)) is not None:
            return deleted
        for since, until, why in self._losses:
            if since - LONGEST < end and until + _TOUCHING > begin:
                return why
        return "no heartbeat: it hung or was killed, the machine slept or lost power, or its clock was set"


def _gathered(spans: list[Span]) -> list[Span]:
    """The *spans* of a process by their begin, those that say the same made one where they touch."""
    alike: dict[tuple[State, str | None, str | None], list[Span]] = {}
    for span in sorted(spans, key=lambda each: (each.first, each.time)):
        told = alike.setdefault((span.state, span.policy, span.break_glass), [])
        if told and span.first <= told[-1].time + _TOUCHING:
            told[-1].time = max(told[-1].time, span.time)
        else:
            told.append(replace(span))
    return sorted((span for told in alike.values() for span in told), key=lambda each: (each.first, each.time))


def _reach(span: Span) -> tuple[datetime, State]:
    return span.time, span.state


def _span(beat: Heartbeat) -> Span:
    state = _MODES.get(beat.mode, State.GAP)
    if state is not State.REFUSED and beat.break_glass is not None:
        state = State.BREAK_GLASS
    return Span(
        first=beat.time - min(timedelta(seconds=beat.seconds), LONGEST),
        time=beat.time,
        process=(beat.host, beat.pid),
        state=state,
        policy=beat.policy,
        break_glass=beat.break_glass,
    )


def _instant(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
