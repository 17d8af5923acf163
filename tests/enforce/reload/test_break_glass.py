"""Break-glass as one process follows it: the gate's view of its policy, both clocks, and what is closed at the end."""

import asyncio
import contextlib
import errno
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embargo.core.break_glass import BreakGlass, Clocks, End
from embargo.core.decision import Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Decrypt, Mode
from embargo.enforce.gate import Gate
from embargo.enforce.reload import break_glass
from embargo.enforce.reload.break_glass import Glass
from embargo.journal import audit
from embargo.journal.break_glass import ENDED, ended, started
from embargo.policy import break_glass as files
from embargo.policy.break_glass import FILE, locked, write
from sample import NOW, app, policy, request, rule

GLASS = BreakGlass(id="id-1", since=NOW, seconds=600.0, ticks=1000.0, reason="payroll", author="alice")
BANNING = policy([app("bad", "banned.test")], [rule("ban", "block")])
BANNED = request("www.banned.test")


class Story:
    """A process whose clocks stand until they are set."""

    def __init__(self, directory: Path) -> None:
        self.state, self.log = directory / "state", directory / "log"
        self.state.mkdir()
        self.clocks = Clocks(NOW, 1000.0)
        self.judged_again = 0
        self.gate = Gate()
        self.gate.take(BANNING)
        self.glass = Glass(self.gate, self.state, self.log, lambda: self.clocks)

    def begin(self, glass: BreakGlass = GLASS) -> None:
        with locked(self.state, 5):
            write(self.state, glass)

    def after(self, wall: float, ticks: float | None = None) -> None:
        """So many seconds since it began, by each clock."""
        self.clocks = Clocks(NOW + timedelta(seconds=wall), 1000.0 + (wall if ticks is None else ticks))

    def refuses(self) -> bool:
        return self.gate.decide(BANNED).blocked

    def ends(self, log: Path | None = None) -> list[str]:
        file = (log or self.log) / "audit.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        told = [json.loads(line) for line in lines]
        return [each["embargo"]["break_glass"]["end"] for each in told if each["event"]["action"] == ENDED]

    async def rejudge(self, _gate: Gate) -> int:
        assert self.refuses(), "what is open is judged by the policy again"
        self.judged_again += 1
        return 0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def follow(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[Story], Awaitable[None]],
    before: Callable[[Story], None] = lambda _story: None,
) -> None:
    """*before*: what is done before the process starts."""

    async def main() -> None:
        story = Story(directory)
        before(story)
        monkeypatch.setattr(break_glass, "rejudge", story.rejudge)
        monkeypatch.setattr(break_glass, "LOOK", 0.01)
        task = asyncio.create_task(story.glass.run())
        try:
            await tell(story)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_it_begins_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        assert story.refuses()
        story.begin()
        await until(lambda: not story.refuses())
        shown = story.glass.describe()
        assert shown is not None
        assert (shown["id"], shown["author"], shown["seconds_left"]) == ("id-1", "alice", 600.0)
        story.after(600)
        await until(story.refuses)
        await until(lambda: story.ends() == ["expired"])
        assert story.judged_again == 1
        assert story.glass.describe() is None

    follow(tmp_path, monkeypatch, tell)


def remove(story: Story) -> None:
    (story.state / FILE).unlink()


def prolong(story: Story) -> None:
    members = json.loads((story.state / FILE).read_text())
    (story.state / FILE).write_text(json.dumps(members | {"seconds": 86_400}))


def lose(story: Story) -> None:
    for path in list(story.state.iterdir()):
        path.unlink()


def set_forth(story: Story) -> None:
    story.after(600, ticks=5)


def set_back_at_its_end(story: Story) -> None:
    story.after(-86_400, ticks=600)


ENDINGS: dict[str, tuple[Callable[[Story], None], str]] = {
    "its file is removed": (remove, "removed"),
    "somebody prolongs it by hand": (prolong, "damaged"),
    "both files are lost": (lose, "removed"),
    "the clock is set forth past its end": (set_forth, "expired"),
    "the clock is set back, and its time is over": (set_back_at_its_end, "expired"),
}


@pytest.mark.parametrize(("what", "how"), ENDINGS.values(), ids=ENDINGS)
def test_it_ends_when(what: Callable[[Story], None], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.begin()
        await until(lambda: not story.refuses())
        story.after(5)
        what(story)
        await until(story.refuses)
        await until(lambda: story.ends() == [how])
        story.after(10)
        await asyncio.sleep(0.1)  # it does not come back
        assert story.refuses()
        assert story.ends() == [how]

    follow(tmp_path, monkeypatch, tell)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.begin()
        await until(lambda: not story.refuses())
        story.after(-300, ticks=300)
        await asyncio.sleep(0.1)
        assert not story.refuses()
        assert story.glass.left() == 300

    follow(tmp_path, monkeypatch, tell)


def test_begun_before_the_machine_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first look on the machine's clock bounds it again: the wall clock set back prolongs nothing."""

    async def tell(story: Story) -> None:
        story.begin(replace(GLASS, ticks=90_000.0))
        story.after(300, ticks=0)
        await until(lambda: not story.refuses())
        assert story.glass.left() == 300
        story.after(10, ticks=200)
        assert story.glass.left() == 100
        story.after(110, ticks=300)
        await until(story.refuses)

    follow(tmp_path, monkeypatch, tell)


def test_one_that_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.begin()
        await until(lambda: not story.refuses())
        story.after(500)
        story.begin(replace(GLASS, id="id-2", since=NOW + timedelta(seconds=500), ticks=1500.0))
        await until(lambda: story.gate.glass == "id-2")
        assert not story.refuses()
        story.after(900)
        await until(lambda: story.ends() == ["replaced"])  # as it was not by who began the other
        assert not story.refuses()
        assert story.judged_again == 0

    follow(tmp_path, monkeypatch, tell)


def test_an_end_that_nobody_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        await until(lambda: story.ends() == ["expired"])
        assert story.refuses()
        await until(lambda: not (story.state / FILE).exists())

    def before(story: Story) -> None:
        story.begin()
        story.after(700)
        story.glass.begin()

    follow(tmp_path, monkeypatch, tell, before)


def test_an_end_that_cannot_be_recorded_is_recorded_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(story: Story) -> None:
        story.begin()
        await until(lambda: not story.refuses())
        story.log.write_text("no directory")
        story.after(600)
        await until(story.refuses)
        await asyncio.sleep(0.1)
        story.log.unlink()
        story.after(606)
        await until(lambda: story.ends() == ["expired"])

    follow(tmp_path, monkeypatch, tell)


def test_an_end_that_is_recorded_and_cannot_be_noted_is_recorded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where a line still finds room in the block that it begins, and a new file none."""
    tried = []

    def full(*_: object) -> None:
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    async def tell(story: Story) -> None:
        story.begin()
        await until(lambda: not story.refuses())
        with monkeypatch.context() as patch:
            patch.setattr(files, "write_last", full)
            for attempt in range(1, 4):
                story.after(600 + 6 * attempt)
                await until(lambda attempt=attempt: len(tried) == attempt)
        story.after(650)
        await until(lambda: not (story.state / FILE).exists())
        assert story.ends() == ["expired"]

    follow(tmp_path, monkeypatch, tell)


def test_of_two_proxies_with_logs_of_their_own_each_has_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was recorded to begin, also if another process has noted the end before; elsewhere not."""
    others = [tmp_path / name for name in ("second", "late", "new")]

    async def tell(story: Story) -> None:
        for log in (story.log, *others[:2]):
            audit.record(log, started(GLASS, policy=None))
        story.begin()
        second = Glass(story.gate, story.state, others[0], lambda: story.clocks)
        following = asyncio.create_task(second.run())
        await until(lambda: story.glass.current and second.current)
        story.after(600)
        await until(lambda: story.ends() == story.ends(others[0]) == ["expired"])
        following.cancel()
        for log in others[1:]:  # of one that did not run then
            later = Glass(story.gate, story.state, log, lambda: story.clocks)
            following = asyncio.create_task(later.run())
            await until(lambda later=later: not later._due)
            following.cancel()
        assert (story.ends(others[1]), story.ends(others[2])) == (["expired"], [])
        assert story.ends() == story.ends(others[0]) == ["expired"]

    follow(tmp_path, monkeypatch, tell)


def test_one_whose_end_is_on_record_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not to a process that has just started either, where both files were put back from a backup."""

    async def tell(story: Story) -> None:
        newer = replace(GLASS, id="id-2")
        await asyncio.sleep(0.1)
        assert story.refuses()
        story.begin(newer)
        await until(lambda: not story.refuses())

    def before(story: Story) -> None:
        audit.record(story.log, ended(GLASS, End.ENDED, NOW, policy=None, by="bob"))
        story.begin()
        story.glass.begin()
        assert story.refuses()

    follow(tmp_path, monkeypatch, tell, before)


def test_a_file_that_does_not_count_is_shown(tmp_path: Path) -> None:
    story = Story(tmp_path)
    (story.state / FILE).write_text("{}")
    story.glass.begin()
    assert story.refuses()
    assert FILE in str((story.glass.describe() or {})["error"])


# -- the gate's view


class Taken:
    """A sink."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def offer(self, event: Any) -> bool:
        self.events.append(event)
        return True


def recorded(gate: Gate) -> Any:
    from mitmproxy.test import tflow

    gate.journal = Taken()  # type: ignore[assignment]
    decision = gate.decide(BANNED)
    gate.record(decision, Surface.HTTP, gate.connection(tflow.tclient_conn()), request=BANNED)
    return gate.journal.events[0]  # type: ignore[attr-defined]


def test_a_view_shares_what_costs_time() -> None:
    gate = Gate()
    gate.take(BANNING)
    gate.break_glass("id-1")
    assert gate.policy is not None
    assert gate.policy is not BANNING
    assert (gate.policy.matcher, gate.policy.rules_of) == (BANNING.matcher, BANNING.rules_of)
    assert gate.policy.settings == replace(BANNING.settings, mode=Mode.MONITOR)
    assert gate.loaded is BANNING
    event = recorded(gate)
    assert (event.decision.verdict, event.decision.would, event.break_glass) == (Verdict.LOG, Verdict.BLOCK, "id-1")
    gate.break_glass(None)
    assert gate.policy is BANNING
    assert (event := recorded(gate)).decision.blocked
    assert event.break_glass is None


def test_a_reload_meanwhile() -> None:
    gate, newer = Gate(), policy([app("bad", "other.test")], [rule("ban", "block")])
    gate.take(BANNING)
    gate.break_glass("id-1")
    gate.take(newer)
    assert gate.decide(BANNED).verdict is Verdict.PASS
    assert gate.decide(request("other.test")).would is Verdict.BLOCK
    gate.break_glass(None)
    assert gate.policy is newer
    assert gate.decide(request("other.test")).blocked


def test_a_policy_that_monitors_needs_none() -> None:
    """What passes then does so by the policy, and no record says otherwise."""
    gate = Gate()
    gate.take(policy([app("bad", "banned.test")], [rule("ban", "block")], mode=Mode.MONITOR))
    gate.break_glass("id-1")
    assert gate.policy is gate.loaded
    assert recorded(gate).break_glass is None


def test_without_a_policy() -> None:
    """Nothing is refused, all is recorded, and no TLS is opened of which nobody has said that it may be."""
    gate = Gate()
    assert gate.decide(request("innocent.test")).blocked
    gate.break_glass("id-1")
    decision = gate.decide(request("innocent.test"))
    assert (decision.verdict, decision.would, decision.reason) == (Verdict.LOG, Verdict.BLOCK, Reason.NO_POLICY)
    assert not gate.undecided("bytes").blocked
    assert gate.policy is not None
    assert gate.policy.settings.decrypt is Decrypt.NONE
    event = recorded(gate)
    assert (event.policy, event.break_glass) == ("", "id-1")
    gate.take(BANNING)
    assert gate.decide(request("innocent.test")).verdict is Verdict.PASS
    gate.break_glass(None)
    assert gate.decide(BANNED).blocked
