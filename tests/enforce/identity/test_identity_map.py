"""The map of addresses follows its file, and keeps what it had where the file is of no use."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from embargo.enforce.gate import now
from embargo.enforce.identity import identity_map
from embargo.enforce.identity.identity_map import IdentityMap
from embargo.policy.identities import LARGEST
from embargo.policy.problem import PolicyError
from sample import instant

BOUND = 20.0  # seconds: a bound on waiting, never a measure


@asynccontextmanager
async def following(known: IdentityMap) -> AsyncIterator[asyncio.Event]:
    """Follows until left; the event is set at each change that took effect."""
    changed = asyncio.Event()

    async def tell() -> None:
        changed.set()

    task = asyncio.create_task(known.follow(tell))
    try:
        yield changed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():
            await asyncio.sleep(0.01)


def user(known: IdentityMap) -> str | None:
    return known.current.user(ip_address("10.1.2.3"), now())


def test_follows_its_file(tmp_path: Path) -> None:
    file = tmp_path / "map.csv"
    file.write_text("10.1.2.3,alice\n")
    known = IdentityMap(file)
    assert user(known) == "alice"

    async def run() -> None:
        async with following(known) as changed:
            file.write_text("10.1.2.3,bob\n")
            async with asyncio.timeout(BOUND):
                await changed.wait()
            assert user(known) == "bob"
            changed.clear()
            for broken in ("ten,alice\n", None):  # nonsense; no file at all
                file.unlink() if broken is None else file.write_text(broken)
                known.refused = None
                await until(lambda: known.refused is not None)
                assert user(known) == "bob"
            assert not changed.is_set(), "nobody has to be judged again"
            file.write_text("10.1.2.3,carol\n")
            async with asyncio.timeout(BOUND):
                await changed.wait()
            assert (user(known), known.refused) == ("carol", None)

    asyncio.run(run())


def test_waits_until_the_file_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is being written reads like a shorter one."""
    file = tmp_path / "map.csv"
    file.write_text("10.1.2.3,alice\n")
    known = IdentityMap(file)
    read: list[bytes] = []
    parse = identity_map.parse_identities
    monkeypatch.setattr(identity_map, "parse_identities", lambda data, name: read.append(data) or parse(data, name))

    async def run() -> None:
        async with following(known) as changed:
            with file.open("w") as writing:
                for number in range(100):
                    writing.write(f"10.1.2.{number},u{number}\n")
                    writing.flush()
                    await asyncio.sleep(0.01)
            async with asyncio.timeout(BOUND):
                await changed.wait()
        assert user(known) == "u3"
        assert [data.count(b"\n") for data in read] == [100]

    asyncio.run(run())


def test_tells_when_an_assignment_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(["2026-11-24T08:00:00Z"] * 4)  # made, looked at twice; then the end has come
    monkeypatch.setattr(identity_map, "now", lambda: instant(next(times, "2026-11-24T09:00:00Z")))
    file = tmp_path / "map.csv"
    file.write_text("10.1.2.3,alice,,2026-11-24T09:00:00Z\n")

    async def run() -> None:
        async with following(IdentityMap(file)) as changed, asyncio.timeout(BOUND):
            await changed.wait()

    asyncio.run(run())


STARTS = {  # case: (content, part of what is said)
    "missing": (None, "map.csv:1:1: missing-file: there is no such file"),
    "broken": ("ten,alice\n", "map.csv:1:1: not-a-network: found 'ten'"),
}


@pytest.mark.parametrize(("content", "said"), STARTS.values(), ids=STARTS)
def test_does_not_start_without_a_map(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "map.csv").write_text(content)
    with pytest.raises(PolicyError, match=r"map\.csv:1:1: ") as refused:
        IdentityMap(tmp_path / "map.csv")
    assert said in str(refused.value)


def test_does_not_wait_for_what_is_no_file(tmp_path: Path) -> None:
    """A FIFO that nobody writes to would be read for ever."""
    os.mkfifo(tmp_path / "map.csv")
    with pytest.raises(PolicyError, match=r"map\.csv:1:1: not-a-file: this is a FIFO"):
        IdentityMap(tmp_path / "map.csv")


def test_a_map_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "map.csv").open("wb") as file:
        file.truncate(LARGEST + 1)  # a hole: no disk is used
    with pytest.raises(PolicyError, match=r"map\.csv:1:1: too-large: .* 16 MiB are allowed; a map of that size"):
        IdentityMap(tmp_path / "map.csv")
