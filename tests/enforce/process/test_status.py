"""What a process tells on its socket, and to whom."""

import asyncio
import contextlib
import shutil
import stat
from pathlib import Path

import pytest

from embargo.enforce.process import status
from embargo.enforce.process.status import StatusServer
from embargo.journal.status import Liveness, running


def test_it_answers_whoever_asks(tmp_path: Path) -> None:
    directory = tmp_path / "run"

    async def ask() -> None:
        server = StatusServer(directory, lambda: {"pid": 7, "policy": {"digest": "d"}, "since": tmp_path})
        await server.start()
        (answer,) = await asyncio.to_thread(running, directory)
        assert answer.liveness is Liveness.RUNNING
        assert answer.answer == {"pid": 7, "policy": {"digest": "d"}, "since": str(tmp_path)}
        assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        server.stop()
        assert not server.path.exists()

    asyncio.run(ask())


def test_a_socket_left_over_is_replaced(tmp_path: Path) -> None:
    async def ask() -> None:
        server = StatusServer(tmp_path / "run", lambda: {"pid": 1})
        server.path.parent.mkdir(mode=0o700)
        server.path.write_text("left over")
        await server.start()
        assert [status.answer for status in await asyncio.to_thread(running, tmp_path / "run")] == [{"pid": 1}]
        server.stop()

    asyncio.run(ask())


def test_a_directory_that_cannot_be_made_costs_the_status_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")

    async def begin() -> None:
        server = StatusServer(tmp_path / "file" / "run", dict)
        await server.start()
        server.stop()

    asyncio.run(begin())
    assert "embargo status will not find this process" in caplog.text


LOSSES = {
    "the socket": lambda path: path.unlink(),
    "its directory": lambda path: shutil.rmtree(path.parent),
    "the socket, to somebody else's": lambda path: (path.unlink(), path.write_text("another file")),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_socket_that_was_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lose) -> None:
    """As cleaners of temporary directories do."""
    monkeypatch.setattr(status, "CHECK", 0.01)

    async def ask() -> None:
        server = StatusServer(tmp_path / "run", lambda: {"pid": 1})
        task = asyncio.create_task(server.run())
        for _ in range(2):
            async with asyncio.timeout(20):
                while not server.path.is_socket():
                    await asyncio.sleep(0.005)
            (answer,) = await asyncio.to_thread(running, tmp_path / "run")
            assert answer.answer == {"pid": 1}
            lose(server.path)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        server.stop()

    asyncio.run(ask())
