"""Companions are kept running, started anew where what they read has changed, and ended with their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from embargo.core.rules import Policy, Settings
from embargo.core.sink import Address, Sink, Transport
from embargo.enforce.process import companions
from embargo.enforce.process.companions import SINKS, Companion, Companions, has_sinks

BOUND = 20.0  # seconds


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A companion that notes each start in a file, and then does as the test's file says."""
    script = tmp_path / "companion.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "with (place / 'starts').open('a') as starts: starts.write(f'{os.getpid()} {sys.argv[1:]}\\n')\n"
        "if (place / 'fails').exists(): sys.exit(3)\n"
        "sys.stdin.read(); os.read(int(sys.argv[2]), 1)\n"
    )

    def spawn(self, pipe: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, str(script), self.companion.name, str(pipe), *self.companion.arguments]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=(pipe,), start_new_session=True)

    monkeypatch.setattr(companions._Kept, "_spawn", spawn)
    monkeypatch.setattr(companions, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(companions, "LONGEST_PAUSE", 0.1)
    return tmp_path


def starts(place: Path) -> list[int]:
    """Pids, in order."""
    file = place / "starts"
    return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():
            await asyncio.sleep(0.01)


def run(place: Path, does: Callable[[Companions], Awaitable[None]], name: str = "console") -> list[str]:
    """What was said while *does* ran."""
    said: list[str] = []

    async def all_of_it() -> None:
        kept = Companions([Companion(name, ("--log", "x"))], said.append)
        try:
            await does(kept)
        finally:
            await kept.stop()

    asyncio.run(all_of_it())
    return said


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_that_dies_is_started_again(program: Path) -> None:
    async def does(kept: Companions) -> None:
        kept.start()
        await until(lambda: len(starts(program)) == 1)
        os.kill(starts(program)[0], signal.SIGKILL)
        await until(lambda: len(starts(program)) == 2)
        assert kept.deaths == {"console": 1}

    said = run(program, does)
    assert said == ["embargo: the console was ended by SIGKILL; it is started again in 0.02 s"]
    assert not alive(starts(program)[-1])


def test_the_pauses_grow(program: Path) -> None:
    (program / "fails").touch()

    async def does(kept: Companions) -> None:
        kept.start()
        await until(lambda: kept.deaths["console"] >= 4)

    said = run(program, does)
    assert [line.rpartition(" in ")[2] for line in said[:4]] == ["0.02 s", "0.06 s", "0.1 s", "0.1 s"]


def test_sinks_run_only_where_there_are_any(program: Path) -> None:
    async def does(kept: Companions) -> None:
        kept.start()
        assert kept.running == {}
        kept.want(SINKS, wanted=True)
        await until(lambda: len(starts(program)) == 1)
        assert kept.running == {SINKS: True}
        kept.want(SINKS, wanted=True)
        kept.want(SINKS, wanted=False)
        await until(lambda: not alive(starts(program)[0]))
        kept.want(SINKS, wanted=True)
        await until(lambda: len(starts(program)) == 2)
        kept.want(SINKS, wanted=False)
        await until(lambda: not alive(starts(program)[1]))
        assert kept.running == {}
        assert kept.deaths == {SINKS: 0}

    assert run(program, does, SINKS) == []


def test_what_cannot_be_started_is_said(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spawn(self, pipe: int) -> subprocess.Popen[bytes]:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(companions._Kept, "_spawn", spawn)

    async def does(kept: Companions) -> None:
        kept.start()
        await until(lambda: kept.deaths["console"] >= 2)

    said = run(program, does)
    assert said[0] == "embargo: the console cannot be started: Cannot allocate memory; it is started again in 0.02 s"


def test_none_is_started_before_it_is_told_to(program: Path) -> None:
    async def does(kept: Companions) -> None:
        assert not kept.running["console"]

    assert run(program, does) == []
    assert starts(program) == []


def test_whether_there_are_sinks() -> None:
    sink = Sink(id="siem", to=Address(transport=Transport.FILE, path="/x"))
    settings = Settings()
    one = Policy(settings=replace(settings, log=replace(settings.log, sinks=(sink,))))
    off = Policy(settings=replace(settings, log=replace(settings.log, sinks=(replace(sink, enabled=False),))))
    assert [has_sinks(policy) for policy in (None, Policy(), off, one)] == [False, False, False, True]
