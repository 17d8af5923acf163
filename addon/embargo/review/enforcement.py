"""The share of a period in which the ban was enforced, from what the log says of its workers. Pure.

Each heartbeat tells of one stretch in which the same held throughout (`journal.heartbeat`); a time for which a worker
that was not ended has none is a gap: it may have enforced, and nobody can prove it. Of the site, an instant counts as
the worst of its workers that were running; where none was, nothing went through this proxy, and what went past it
nobody saw: a gap too.

A stretch counts by the clock that nobody sets, from its end backwards, and for no longer than a heartbeat's interval
with some grace: neither a clock that was set nor a process that stood still makes time that nobody watched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from embargo.journal.heartbeat import Heartbeat
from embargo.journal.record import Document, Record
from embargo.review.course import Course, State, Stretch, joined
from embargo.review.lifelines import Told

__all__ = ["Course", "Enforcement", "State", "Stretch", "enforcement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enforcement:
    """The answer for a period."""

    begin: datetime
    end: datetime
    site: Course
    workers: Mapping[str, Course]  # by name: `HOST worker 2`, `HOST`
    flows: Mapping[str, int] = field(default_factory=dict)  # decisions, by verdict; of the heartbeats in the period
    uninspected: Mapping[str, int] = field(default_factory=dict)  # connections, by reason
    lost: int = 0  # records
    certificates: tuple[str, ...] = ()  # fingerprints of the CAs in use, in order of their first heartbeat

    @property
    def gaps(self) -> tuple[Stretch, ...]:
        """The times of the site for which nobody can say that the ban was enforced, the earliest first."""
        return self.site.of(State.GAP)

    def document(self) -> Document:
        """As JSON."""
        return {
            "from": self.begin.isoformat(),
            "to": self.end.isoformat(),
            "enforced": round(self.site.share, 6),
            "site": self.site.document(),
            "workers": {name: course.document() for name, course in self.workers.items()},
            "flows": dict(self.flows),
            "uninspected": dict(self.uninspected),
            "lost": self.lost,
            "certificates": list(self.certificates),
        }


def enforcement(
    records: Iterable[Record | Heartbeat], begin: datetime, end: datetime, now: datetime | None = None
) -> Enforcement:
    """What the log's *records* say of the time from *begin* to *end* (aware), of which none after *now* counts.

    Needed are those of categories `process` (heartbeats, starts, ends, losses) and `configuration` (tombstones), some
    minutes beyond both ends too; others are passed over. In any order; heartbeats may come without their records.
    Raises ValueError where *end* is not after *begin*, or *begin* not before *now*.
    """
    end = min(end, now) if now is not None else end
    if end <= begin:
        raise ValueError("the period ends before it begins")
    told = Told(begin, end)
    for record in records:
        told.take(record)
    lives = {name: life.course(told, begin, end, now) for name, life in sorted(told.lives().items())}
    return Enforcement(
        begin=begin,
        end=end,
        site=_site(list(lives.values()), told, begin, end),
        workers=lives,
        flows=told.flows,
        uninspected=told.uninspected,
        lost=told.lost,
        certificates=tuple(sorted(told.certificates, key=told.certificates.__getitem__)),
    )


def _site(lives: Sequence[Course], told: Told, begin: datetime, end: datetime) -> Course:
    """Of each instant the worst of those that were running."""
    if not lives:
        why = told.why_deleted(begin, end) or _NOTHING
        return Course(stretches=(Stretch(begin=begin, end=end, state=State.GAP, why=why),))
    edges = sorted({edge for life in lives for each in life.stretches for edge in (each.begin, each.end)})
    places = [0] * len(lives)
    stretches = []
    for first, last in pairwise(edges):
        worst: Stretch | None = None
        for index, life in enumerate(lives):
            while life.stretches[places[index]].end <= first:
                places[index] += 1
            each = life.stretches[places[index]]
            if worst is None or each.state > worst.state:
                worst = each
        assert worst is not None
        down = worst.state is State.DOWN
        cause = f"no worker was running: {worst.why}" if down else worst.why
        state = State.GAP if down else worst.state
        policy = worst.policy if len(lives) == 1 else None
        stretches.append(
            Stretch(begin=first, end=last, state=state, why=cause, policy=policy, break_glass=worst.break_glass)
        )
    return Course(stretches=joined(stretches))


_NOTHING = "nothing is recorded: no proxy ran, or its log is missing"
