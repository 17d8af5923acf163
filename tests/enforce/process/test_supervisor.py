"""What the supervisor promises, with workers that are none: when it starts one again, gives up, says that a reload is
over.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from embargo.enforce.process import child, reloading, supervisor
from embargo.enforce.process.child import Child
from embargo.enforce.process.supervisor import Supervisor

BOUND = 20.0  # seconds


class Played(Child):
    """A worker that serves, or ends, as its test says; the pid is its count from 1."""

    lives: Callable[[int, int], int | None]  # number and how often it was started before: its code; None: it serves
    made: list["Played"]

    async def run(self, arguments: Sequence[str], *, first: bool) -> int:
        self.made.append(self)
        self._count = len(self.made)
        self.killed = asyncio.Event()
        before = sum(each.number == self.number for each in self.made) - 1
        code = type(self).lives(self.number, before)
        if code is not None:
            await asyncio.sleep(0)
            return code
        self.health = {"policy": "0123456789abcdef", "read": 0}
        self.serve()
        await self.killed.wait()
        return -self.sent[-1]

    def serve(self) -> None:
        self.ready.set()

    @property
    def sent(self) -> list[int]:
        return self.__dict__.setdefault("_sent", [])  # type: ignore[no-any-return]

    @property
    def pid(self) -> int:
        return self.__dict__.get("_count", 0)

    def signal(self, number: int) -> None:
        self.sent.append(number)
        if number in (signal.SIGTERM, signal.SIGKILL) and "killed" in self.__dict__:
            self.killed.set()


class Unready(Played):
    """One that never comes to serve."""

    def serve(self) -> None:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LOOK", 0.01)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(child, "SILENT", 10**9)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():
            await asyncio.sleep(0.005)


def play(
    monkeypatch: pytest.MonkeyPatch,
    lives: Callable[[int, int], int | None],
    story: Callable[[list[Played]], object] | None = None,
    *,
    count: int = 1,
    kind: type[Played] = Played,
    drain_delay: float = 0.0,
) -> tuple[int, list[Played]]:
    """Run a supervisor whose workers live as *lives* says until it ends by itself, or *story* has been told."""
    made: list[Played] = []
    monkeypatch.setattr(kind, "lives", staticmethod(lives), raising=False)
    monkeypatch.setattr(kind, "made", made, raising=False)
    monkeypatch.setattr(supervisor, "Child", kind)

    async def main() -> int:
        running = asyncio.create_task(
            Supervisor([], count=count, host="127.0.0.1", port=0, drain_delay=drain_delay).run()
        )
        if story is not None:
            told = story(made)
            if asyncio.iscoroutine(told):
                await told
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(BOUND):
            return await running

    return asyncio.run(main()), made


def test_after_five_starts_in_vain_with_no_worker_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def killed(made: list[Played]) -> None:
        await until(lambda: made and made[0].ready.is_set())
        await asyncio.sleep(0.1)  # the start is over
        made[0].signal(signal.SIGKILL)
        await until(lambda: len(made) == 6)
        await asyncio.sleep(0.1)

    code, made = play(monkeypatch, lambda _, before: None if before == 0 else 3, killed)
    said = capsys.readouterr().err
    assert (code, len(made)) == (3, 6)
    assert "error: no worker can be started: the last ended by itself with code 3" in said
    pauses = [line.rpartition("again in ")[2] for line in said.splitlines() if "again in" in line]
    assert pauses == ["0.01 s", "0.03 s", "0.05 s", "0.05 s", "0.05 s"]


def test_while_another_serves_it_goes_on_with_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def many(made: list[Played]) -> None:
        await until(lambda: [each.number for each in made].count(2) == 1 and made[-1].ready.is_set())
        await asyncio.sleep(0.1)
        made[-1].signal(signal.SIGKILL)
        began = asyncio.get_running_loop().time()
        await until(lambda: [each.number for each in made].count(2) >= 9)
        assert asyncio.get_running_loop().time() - began >= 0.01 + 0.03 + 5 * 0.05

    code, _ = play(monkeypatch, lambda number, before: None if number == 1 or before == 0 else 3, many, count=2)
    assert code == 0


def test_a_worker_that_never_comes_to_serve_is_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(child, "UNREADY", 3)
    code, made = play(monkeypatch, lambda *_: None, kind=Unready)
    assert (code, made[0].sent[0]) == (1, signal.SIGKILL)
    assert "error: worker 1 could not start: it did not come to serve and was killed" in capsys.readouterr().err


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def heard(manager: socket.socket, begins: str) -> bool:
    """Whether a message that begins so has come."""
    try:
        return any(message.startswith(begins) for message in iter(lambda: manager.recv(4096).decode(), None))
    except BlockingIOError:
        return False


READS = {"all have": ([1, 1], ""), "one never does": ([1, 0], "worker 2"), "none does": ([0, 0], "workers 1, 2")}


@pytest.mark.parametrize(("reads", "late"), READS.values(), ids=READS)
def test_a_reload_is_over_some_time(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    manager: socket.socket,
    reads: list[int],
    late: str,
) -> None:
    monkeypatch.setattr(reloading, "LONGEST_RELOAD", 0.5 if late else BOUND)

    async def reload(made: list[Played]) -> None:
        await until(lambda: heard(manager, "READY=1"))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: heard(manager, "RELOADING=1"))
        assert [each.sent for each in made] == [[signal.SIGHUP]] * 2
        began = asyncio.get_running_loop().time()
        for each, read in zip(made, reads, strict=True):
            each.health = {**each.health, "read": read}
        await until(lambda: heard(manager, "READY=1"))
        assert not late or asyncio.get_running_loop().time() - began >= 0.3

    assert play(monkeypatch, lambda *_: None, reload, count=2)[0] == 0
    told = f"embargo: {late} did not read the policy within 0.5 s of being told to\n"
    assert capsys.readouterr().err == (told if late else "")


def test_a_reload_that_lasts_is_not_ended_by_the_one_before(
    monkeypatch: pytest.MonkeyPatch, manager: socket.socket
) -> None:
    monkeypatch.setattr(reloading, "LONGEST_RELOAD", 1.0)

    async def twice(made: list[Played]) -> None:
        await until(lambda: heard(manager, "READY=1"))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: heard(manager, "RELOADING=1"))
        await asyncio.sleep(0.5)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: heard(manager, "RELOADING=1"))
        began = asyncio.get_running_loop().time()
        await until(lambda: heard(manager, "READY=1"))
        assert asyncio.get_running_loop().time() - began >= 0.9

    assert play(monkeypatch, lambda *_: None, twice)[0] == 0


def test_after_its_delay_the_drain_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def end(made: list[Played]) -> None:
        await until(lambda: made and made[0].ready.is_set())

    code, made = play(monkeypatch, lambda *_: None, end, drain_delay=0.2)
    assert (code, made[0].sent) == (0, [signal.SIGTERM])
