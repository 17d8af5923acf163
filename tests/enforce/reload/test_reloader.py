"""The policy in force follows its files: with a real compiler, without a proxy around it."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest

from embargo.enforce.gate import Gate
from embargo.enforce.reload import watch
from embargo.enforce.reload.reloader import Reloader
from embargo.journal.event import Outcome, PolicyChanged
from embargo.policy.replacement import locked
from sink import Sink

GOOD = "version: 1\napps: {bad: {endpoints: [banned.test]}}\nrules: [{id: ban, apps: bad, action: block}]\n"
BETTER = GOOD.replace("[banned.test]", "[banned.test, soon.test]")
BROKEN = GOOD.replace("block", "blokc")
FAILING = BETTER + "tests: [{request: banned.test, expect: pass}]\n"


class Kept(Sink):
    def outcomes(self) -> list[Outcome]:
        return [event.outcome for event in self.events if isinstance(event, PolicyChanged)]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def follow(tmp_path: Path, text: str, story: Callable[[Reloader, Gate, Kept, Path], Awaitable[None]]) -> None:
    """Run *story* beside a reloader that follows a file of *text*."""

    async def main() -> None:
        file, kept, gate = tmp_path / "policy.yaml", Kept(), Gate()
        file.write_text(text)
        gate.journal = kept
        reloader = Reloader(gate, [file], tmp_path / "state", tmp_path / "log")
        task = asyncio.create_task(reloader.run())
        try:
            await story(reloader, gate, kept, file)
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())


def test_an_edit_takes_effect_and_says_what_it_changed(tmp_path: Path) -> None:
    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        first = gate.policy
        assert first is not None
        file.write_text(BETTER)
        await until(lambda: gate.policy is not first)
        assert gate.policy is not None
        change = kept.events[-1]
        assert isinstance(change, PolicyChanged)
        assert (change.old, change.new) == (first.digest, gate.policy.digest)
        assert any("soon.test" in text for text in change.stricter)
        assert (reloader.reloads_ok, reloader.reloads_refused) == (2, 0)

    follow(tmp_path, GOOD, story)


def test_what_a_command_wrote_takes_effect_without_standing_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STILL", float("inf"))

    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        first = gate.policy
        with locked(file, "a test", like=file) as whole:
            whole.read()
            whole.stage(BETTER.encode())
            whole.replace()
        await until(lambda: gate.policy is not first)

    follow(tmp_path, GOOD, story)


@pytest.mark.parametrize("text", [BROKEN, FAILING, "", "["], ids=["broken", "failing a test", "empty", "no YAML"])
def test_a_bad_edit_changes_nothing(tmp_path: Path, text: str) -> None:
    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        before = gate.policy
        file.write_text(text)
        await until(lambda: reloader.refused is not None)
        assert gate.policy is before
        assert reloader.refused is not None
        assert reloader.refused.problems
        assert kept.outcomes() == [Outcome.SUCCESS, Outcome.FAILURE]
        file.write_text(GOOD)
        await until(lambda: reloader.refused is None)
        assert gate.policy is before, "the same text is the same policy"

    follow(tmp_path, GOOD, story)


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        file.unlink()
        await until(lambda: reloader.refused is not None)
        assert gate.policy is not None

    follow(tmp_path, GOOD, story)


def test_a_start_only_warns_of_failed_tests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        assert reloader.refused is None

    follow(tmp_path, FAILING, story)
    assert "policy test failed" in caplog.text


def test_a_start_falls_back_on_the_last_known_good(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    digests: list[str] = []

    async def good(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: list((tmp_path / "state").rglob("*good*")))
        assert gate.policy is not None
        digests.append(gate.policy.digest)

    async def broken(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: gate.policy is not None)
        assert gate.policy is not None
        assert gate.policy.digest == digests[0]
        assert reloader.refused is not None

    follow(tmp_path, GOOD, good)
    shutil.rmtree(tmp_path / "log")  # another start, beside another log
    follow(tmp_path, BROKEN, broken)
    assert "LAST KNOWN GOOD" in caplog.text
    text = (tmp_path / "log" / "policies" / digests[0]).read_bytes()
    assert sha256(text).hexdigest() == digests[0], "a record names it"


def test_a_start_without_any_policy_refuses_everything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(reloader: Reloader, gate: Gate, kept: Kept, file: Path) -> None:
        await until(lambda: reloader.refused is not None)
        await until(lambda: "EVERYTHING IS REFUSED" in caplog.text)
        assert gate.policy is None

    follow(tmp_path, BROKEN, story)
