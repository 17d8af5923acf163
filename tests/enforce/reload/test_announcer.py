"""What a policy will say otherwise is found for each policy and each day, and never stops the following of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from embargo.core.rules import Policy
from embargo.enforce.gate import Gate
from embargo.enforce.reload import announcer
from embargo.enforce.reload.announcer import Announcer
from sample import app, policy, rule

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def ends(at: datetime) -> Policy:
    return policy([app("bad", "banned.test")], [rule("grace", "log", until=at), rule("ban", "block")])


class Story:
    def __init__(self) -> None:
        self.time, self.gate = START, Gate()
        self.announcer = Announcer(self.gate, lambda: self.time)

    @property
    def days(self) -> list[int]:
        """In how many days something is announced."""
        return [(each.time - START).days for each in self.announcer.announced]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def follow(monkeypatch: pytest.MonkeyPatch, tell: Callable[[Story], Awaitable[None]]) -> None:
    monkeypatch.setattr(announcer, "_LOOK", 0.01)

    async def main() -> None:
        story = Story()
        task = asyncio.create_task(story.announcer.run())
        try:
            await tell(story)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_a_policy_is_looked_at_once_it_has_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        assert story.days == []
        story.gate.loaded = ends(START + timedelta(days=10))
        await until(lambda: story.days == [10])
        story.gate.loaded = ends(START + timedelta(days=20))
        assert story.days == [], "what the former policy announced is not told for the new one"
        await until(lambda: story.days == [20])

    follow(monkeypatch, tell)


def test_a_date_that_has_come_is_announced_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.gate.loaded = ends(START + timedelta(hours=2))
        await until(lambda: story.days == [0])
        story.time += timedelta(hours=2)
        assert story.days == []

    follow(monkeypatch, tell)


def test_each_day_looks_a_day_further(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.gate.loaded = ends(START + timedelta(days=91))
        await until(lambda: story.announcer._known is story.gate.loaded)
        assert story.days == []
        story.time += timedelta(days=2)
        await until(lambda: story.days == [91])

    follow(monkeypatch, tell)


def test_a_fault_is_told_and_ends_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("no such luck")

    async def tell(story: Story) -> None:
        monkeypatch.setattr(announcer, "forecast", broken)
        story.gate.loaded = ends(START + timedelta(days=10))
        await until(lambda: "no such luck" in caplog.text)
        monkeypatch.undo()
        story.gate.loaded = ends(START + timedelta(days=20))
        await until(lambda: story.days == [20])

    follow(monkeypatch, tell)
