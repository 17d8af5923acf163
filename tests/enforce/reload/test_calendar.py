"""The calendar follows the wall clock: forwards, backwards and in leaps."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from embargo.core.rules import Policy
from embargo.enforce.gate import Gate
from embargo.enforce.reload import calendar
from embargo.enforce.reload.calendar import Calendar
from sample import app, policy, rule

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENDS = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)


def ends(at: datetime) -> Policy:
    """A policy with a grace period that ends at *at*."""
    return policy([app("bad", "banned.test")], [rule("grace", "log", until=at), rule("ban", "block")])


class Clock:
    """A wall clock that stands until it is set."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


class Story:
    def __init__(self) -> None:
        self.clock, self.gate, self.judged = Clock(), Gate(), 0
        self.calendar = Calendar(self.gate, self.clock)

    async def rejudge(self, gate: Gate) -> int:
        assert gate is self.gate
        self.judged += 1
        return 0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def follow(monkeypatch: pytest.MonkeyPatch, tell: Callable[[Story], Awaitable[None]]) -> None:
    async def main() -> None:
        story = Story()
        monkeypatch.setattr(calendar, "rejudge", story.rejudge)
        task = asyncio.create_task(story.calendar.run())
        try:
            await tell(story)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_an_instant_that_comes_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.gate.policy = ends(ENDS)
        await until(lambda: story.calendar.next_change == ENDS)
        assert story.judged == 0
        story.clock.time = ENDS
        await until(lambda: story.calendar.next_change is None)
        assert story.judged == 1

    follow(monkeypatch, tell)


def test_a_leap_over_the_instant_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspended machine, or a clock that was wrong: eight hours pass in none."""

    async def tell(story: Story) -> None:
        story.gate.policy = ends(ENDS)
        await until(lambda: story.calendar.next_change == ENDS)
        story.clock.time = ENDS + timedelta(days=3)
        await until(lambda: story.judged == 1)

    follow(monkeypatch, tell)


def test_a_step_back_is_judged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What had ended holds again, and will end again."""

    async def tell(story: Story) -> None:
        story.clock.time = ENDS + timedelta(hours=1)
        story.gate.policy = ends(ENDS)
        await asyncio.sleep(0)
        story.clock.time = START
        await until(lambda: story.judged == 1)
        assert story.calendar.next_change == ENDS
        story.clock.time = ENDS
        await until(lambda: story.judged == 2)

    follow(monkeypatch, tell)


def test_a_date_that_comes_right_after_a_policy_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calendar has not looked at the policy yet when its date comes."""

    async def tell(story: Story) -> None:
        await asyncio.sleep(0)
        story.gate.policy = ends(ENDS)
        story.clock.time = ENDS
        await until(lambda: story.judged == 1)

    follow(monkeypatch, tell)


def test_a_new_policy_brings_its_own_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever swaps the policy judges again; the calendar only learns when it changes next."""

    async def tell(story: Story) -> None:
        story.gate.policy = ends(ENDS)
        await until(lambda: story.calendar.next_change == ENDS)
        later = ENDS + timedelta(hours=2)
        story.gate.policy = ends(later)
        await until(lambda: story.calendar.next_change == later)
        assert story.judged == 0

    follow(monkeypatch, tell)
