"""The heartbeat: each stretch of a worker's life is told once, with what held throughout and what was judged in it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Mode, Policy, Settings
from embargo.enforce.gate import Gate
from embargo.enforce.process.heartbeat import INTERVAL, Pulse
from embargo.enforce.uninspected import Uninspected
from embargo.journal.event import Event, Heartbeat
from sink import Sink

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ENFORCING = Policy(digest="aa" * 32)
MONITORING = Policy(digest="bb" * 32, settings=Settings(mode=Mode.MONITOR))
PASS = Decision(verdict=Verdict.PASS, reason=Reason.NO_OWNER)
BLOCK = Decision(verdict=Verdict.BLOCK, reason=Reason.RULE)


@dataclass
class Clock:
    """A wall clock that can be set, and one that cannot."""

    wall: datetime = BEGIN
    ticks: float = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.ticks += seconds


def beating(clock: Clock) -> tuple[Pulse, Gate, Sink]:
    gate, sink = Gate(), Sink()
    gate.journal = sink
    pulse = Pulse(gate, now=lambda: clock.wall, ticks=lambda: clock.ticks)
    gate.before_change = pulse.beat
    return pulse, gate, sink


def beats(events: list[Event]) -> list[Heartbeat]:
    return [event for event in events if isinstance(event, Heartbeat)]


def test_the_first_says_when_the_stretch_began() -> None:
    clock = Clock()
    pulse, _, sink = beating(clock)
    pulse.begin()
    (beat,) = beats(sink.events)
    assert (beat.since, beat.time, beat.seconds, beat.mode, beat.policy) == (BEGIN, BEGIN, 0.0, None, None)
    assert not any(beat.flows.values()) and not any(beat.uninspected.values())


def test_counts_are_those_since_the_one_before() -> None:
    clock = Clock()
    pulse, gate, sink = beating(clock)
    pulse.begin()
    gate.take(ENFORCING)
    for decision in (PASS, PASS, BLOCK):
        gate.count(decision, Surface.CONNECT)
    gate.uninspected(Uninspected.PINNED)
    clock.pass_by(60)
    pulse.beat()
    gate.count(PASS, Surface.CONNECT)
    clock.pass_by(60)
    pulse.beat()
    one, two = beats(sink.events)[-2:]
    assert (one.flows["judged"], one.flows["passed"], one.flows["blocked"]) == (3, 2, 1)
    assert (two.flows["judged"], two.flows["passed"], two.flows["blocked"]) == (1, 1, 0)
    assert (one.uninspected["pinned"], two.uninspected["pinned"]) == (1, 0)
    assert set(one.uninspected) == {str(reason) for reason in Uninspected}, "told also where there were none"
    assert (one.time, two.since, two.time) == (BEGIN + timedelta(seconds=60), one.time, BEGIN + timedelta(seconds=120))
    assert (one.mode, one.policy) == ("enforce", ENFORCING.digest)


CHANGES: dict[str, tuple[Callable[[Gate], None], tuple[str | None, str | None, str | None]]] = {
    "a policy": (lambda gate: gate.take(ENFORCING), ("enforce", "aa" * 32, None)),
    "a policy that monitors": (lambda gate: gate.take(MONITORING), ("monitor", "bb" * 32, None)),
    "break-glass": (lambda gate: gate.break_glass("glass-1"), ("monitor", "cc" * 32, "glass-1")),
}


@pytest.mark.parametrize(("change", "held"), CHANGES.values(), ids=CHANGES)
def test_a_change_ends_the_stretch(
    change: Callable[[Gate], None], held: tuple[str | None, str | None, str | None]
) -> None:
    clock = Clock()
    pulse, gate, sink = beating(clock)
    gate.take(replace(ENFORCING, digest="cc" * 32))
    pulse.begin()
    clock.pass_by(7)
    change(gate)
    clock.pass_by(5)
    pulse.beat()
    before, after = beats(sink.events)[-2:]
    assert (before.mode, before.policy, before.seconds) == ("enforce", "cc" * 32, 7.0)
    assert (after.mode, after.policy, after.break_glass) == held
    assert after.since == before.time


def test_the_end_of_break_glass_ends_the_stretch() -> None:
    clock = Clock()
    pulse, gate, sink = beating(clock)
    gate.take(ENFORCING)
    gate.break_glass("glass-1")
    pulse.begin()
    clock.pass_by(9)
    gate.break_glass(None)
    clock.pass_by(1)
    pulse.beat()
    during, after = beats(sink.events)[-2:]
    assert (during.mode, during.break_glass, during.seconds) == ("monitor", "glass-1", 9.0)
    assert (after.mode, after.break_glass) == ("enforce", None)


def test_a_clock_that_is_set_does_not_change_how_long_it_was() -> None:
    clock = Clock()
    pulse, _, sink = beating(clock)
    pulse.begin()
    clock.pass_by(60)
    clock.wall += timedelta(hours=1)
    pulse.beat()
    beat = beats(sink.events)[-1]
    assert (beat.since, beat.time, beat.seconds) == (BEGIN, BEGIN + timedelta(hours=1, seconds=60), 60.0)


def test_it_beats_each_minute_since_the_last_whatever_that_was_for() -> None:
    clock = Clock()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.pass_by(seconds)
        if len(slept) == 1:
            gate.take(ENFORCING)  # just now, so that none is due yet
            clock.pass_by(10)
        if len(slept) == 4:
            raise asyncio.CancelledError

    pulse, gate, sink = beating(clock)
    pulse.begin()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(pulse.run(sleep))
    assert slept == [INTERVAL, INTERVAL - 10, INTERVAL, INTERVAL]
    assert [beat.seconds for beat in beats(sink.events)] == [0.0, 60.0, 60.0, 60.0]


def test_what_fails_in_it_keeps_no_policy_from_taking_effect() -> None:
    pulse, gate, _ = beating(Clock())

    def fail() -> int:
        raise ZeroDivisionError

    pulse.lost = fail
    pulse.begin()
    gate.take(ENFORCING)
    assert gate.policy is ENFORCING


def test_nothing_is_told_before_it_has_begun() -> None:
    pulse, gate, sink = beating(Clock())
    gate.take(ENFORCING)
    pulse.beat()
    assert beats(sink.events) == []
