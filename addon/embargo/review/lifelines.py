"""The lives of workers, as the log's records tell them: what each vouches for, and why where it does not. Pure.

A heartbeat vouches for the stretch before it by the clock that nobody sets, and for no more than a heartbeat's
interval with some grace: neither a clock that was set nor a process that stood still makes time that nobody watched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from embargo.journal.heartbeat import INTERVAL, Heartbeat, heartbeat_of, process_of
from embargo.journal.record import Record
from embargo.review.course import Course, State, Stretch, joined

LONGEST = timedelta(seconds=2.5 * INTERVAL)  # that one heartbeat can vouch for
_TOUCHING = timedelta(seconds=1)  # times are cut to the millisecond, and timers may be late: no gap is as short as that


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
        return Stretch(begin=begin, end=end, state=self.state, policy=self.policy, break_glass=self.break_glass)

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
class Life:
    """What is known of one worker, whichever processes it was."""

    spans: list[Span] = field(default_factory=list)

    def take(self, span: Span) -> None:
        """One more. A year has half a million, and nearly all go on from the one before."""
        if self.spans and self.spans[-1].goes_on_in(span):
            self.spans[-1].time = span.time
        else:
            self.spans.append(span)

    def course(self, told: "Told", begin: datetime, end: datetime, now: datetime | None) -> Course:
        """What held, without a hole."""
        stretches: list[Stretch] = []
        at = begin
        before: Span | None = None
        for span in sorted(self.spans, key=lambda each: (each.first, each.time)):
            if span.first > at:
                stretches += self._between(told, before, span, at, min(span.first, end))
                at = min(span.first, end)
            if span.time > at:
                stretches.append(span.stretch(at, min(span.time, end)))
                at = min(span.time, end)
            if before is None or span.time >= before.time:
                before = span
            if at >= end:
                break
        if at < end:
            stretches += self._between(told, before, None, at, end, now)
        return Course(stretches=joined(stretches))

    def _between(
        self,
        told: "Told",
        before: Span | None,
        after: Span | None,
        begin: datetime,
        end: datetime,
        now: datetime | None = None,
    ) -> Iterator[Stretch]:
        """What held where no heartbeat tells it."""
        if before is None:
            why = "nothing is recorded of it before" if after is not None else "nothing is recorded of it"
            yield Stretch(begin=begin, end=end, state=State.DOWN, why=why)
            return
        same = after is not None and after.process == before.process
        if same and end - begin <= _TOUCHING:
            yield before.stretch(begin, end)
            return
        ended = told.ending(before)
        if ended is not None and ended.time <= end:
            # until it ended it was running, and did not say in what state
            seen = min(max(ended.time, begin), end)
            if seen - begin > _TOUCHING:
                yield Stretch(begin=begin, end=seen, state=State.GAP, why=ended.why)
            else:
                seen = begin
            if seen < end:
                yield Stretch(begin=seen, end=end, state=State.DOWN, why=ended.why)
        elif after is not None and not same:
            yield Stretch(begin=begin, end=end, state=State.GAP, why="it ended without a word, and was started again")
        elif now is not None and end >= now and now - before.time <= LONGEST:
            yield before.stretch(begin, end)  # the next is not due yet
        else:
            yield Stretch(begin=begin, end=end, state=State.GAP, why=told.why_missing(begin, end))


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a process ended, and when that was seen."""

    time: datetime
    why: str


class Told:
    """The records, sorted out."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self.lives: dict[str, Life] = {}
        self.flows: dict[str, int] = {}
        self.uninspected: dict[str, int] = {}
        self.lost = 0
        self.certificates: dict[str, datetime] = {}  # when each was first in use
        self._begin, self._end = begin, end
        self._alone: dict[tuple[str, int | None], str] = {}  # names of workers without a number, by process
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
        self.lives.setdefault(self._name(beat, span), Life()).take(span)
        if self._begin < beat.time <= self._end:
            self._count(beat)

    def _name(self, beat: Heartbeat, span: Span) -> str:
        """Of the worker; several that run side by side without a number get one, by which started first."""
        if beat.worker is not None:
            return f"{beat.host} worker {beat.worker}"
        if (name := self._alone.get(span.process)) is not None:
            return name
        names = (beat.host if number == 1 else f"{beat.host} ({number})" for number in count(1))
        name = next(
            name
            for name in names
            if (life := self.lives.get(name)) is None or life.spans[-1].time <= span.first + _TOUCHING
        )
        self._alone[span.process] = name
        return name

    def _count(self, beat: Heartbeat) -> None:
        for sums, counts in ((self.flows, beat.flows), (self.uninspected, beat.uninspected)):
            for name, more in counts.items():
                sums[name] = sums.get(name, 0) + more
        self.lost += beat.lost
        if beat.ca is not None:
            self.certificates[beat.ca] = min(beat.time, self.certificates.get(beat.ca, beat.time))

    def ending(self, span: Span) -> _Ending | None:
        """How the process of *span*, its last, ended; None where nothing says it."""
        later = [each for each in self._endings.get(span.process, ()) if each.time >= span.time - _TOUCHING]
        return min(later, key=lambda each: each.time, default=None)

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
