"""What held over a period, without a hole: stretches of time, each with what held in it. Pure values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from heapq import heappop, heappush
from itertools import pairwise

from embargo.journal.record import Document


class State(IntEnum):
    """What held at an instant; of several workers the largest counts."""

    DOWN = 0  # it was not running, and said so or was seen to have ended
    REFUSED = 1  # everything was refused, since no policy had loaded
    ENFORCED = 2
    MONITORED = 3  # by the policy's own `mode: monitor`
    BREAK_GLASS = 4
    GAP = 5  # nobody can say

    @property
    def word(self) -> str:
        """As reports and JSON have it."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in which the same held; `end` is the first instant that no longer counts."""

    begin: datetime
    end: datetime
    state: State
    why: str | None = None  # of a gap, or of a worker that was not running: the cause, as far as it is known
    policy: str | None = None  # digest, where one worker is meant
    break_glass: str | None = None

    @property
    def length(self) -> timedelta:
        """How long it was."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What held from a period's begin to its end, without a hole: of a worker, or of the site."""

    stretches: tuple[Stretch, ...]

    def total(self, state: State) -> timedelta:
        """The time in which *state* held."""
        return sum((each.length for each in self.stretches if each.state is state), timedelta())

    @property
    def shares(self) -> Mapping[State, float]:
        """Of each state its share of the period, from 0 to 1."""
        whole = sum((each.length for each in self.stretches), timedelta())
        return {state: self.total(state) / whole if whole else 0.0 for state in State}

    @property
    def share(self) -> float:
        """The share in which the ban was enforced, from 0 to 1."""
        return self.shares[State.ENFORCED]

    def of(self, *states: State) -> tuple[Stretch, ...]:
        """The stretches in which one of *states* held."""
        return tuple(each for each in self.stretches if each.state in states)

    def document(self) -> Document:
        """As JSON."""
        return {
            "shares": {state.word: round(share, 6) for state, share in self.shares.items()},
            "seconds": {state.word: round(self.total(state).total_seconds(), 3) for state in State},
            "stretches": [
                {
                    "from": each.begin.isoformat(),
                    "to": each.end.isoformat(),
                    "state": each.state.word,
                    **{
                        name: value
                        for name, value in (
                            ("why", each.why),
                            ("policy", each.policy),
                            ("break_glass", each.break_glass),
                        )
                        if value is not None
                    },
                }
                for each in self.stretches
            ],
        }


def joined(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Neighbours of one kind made one."""
    joined: list[Stretch] = []
    for each in stretches:
        if each.end <= each.begin:
            continue
        last = joined[-1] if joined else None
        if last is not None and (last.state, last.why, last.policy, last.break_glass) == (
            each.state,
            each.why,
            each.policy,
            each.break_glass,
        ):
            joined[-1] = Stretch(
                begin=last.begin,
                end=each.end,
                state=last.state,
                why=last.why,
                policy=last.policy,
                break_glass=last.break_glass,
            )
        else:
            joined.append(each)
    return tuple(joined)


def worst(pieces: Iterable[Stretch], begin: datetime, end: datetime) -> Iterator[Stretch]:
    """Of each instant from *begin* to *end* the worst of *pieces*, of equals the one that began last.

    Pieces may overlap, and be outside; an instant that none tells of is left out.
    """
    told = sorted((each for each in pieces if each.end > begin and each.begin < end), key=lambda each: each.begin)
    edges = sorted({begin, end, *(edge for each in told for edge in (each.begin, each.end) if begin < edge < end)})
    heap: list[tuple[int, int]] = []  # what began, the worst first
    place = 0
    for first, last in pairwise(edges):
        while place < len(told) and told[place].begin <= first:
            heappush(heap, (-told[place].state, -place))
            place += 1
        while heap and told[-heap[0][1]].end <= first:
            heappop(heap)
        if heap:
            yield replace(told[-heap[0][1]], begin=first, end=last)
