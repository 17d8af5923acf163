"""What tells that a file changed, and waiting until it no longer does."""

import asyncio
import os
from pathlib import Path

import pytest

from embargo.enforce.reload import watch
from embargo.enforce.reload.watch import look, signature, stand_still
from embargo.policy.replacement import locked


def test_a_signature_tells_each_change(tmp_path: Path) -> None:
    file = tmp_path / "f"
    seen = [signature((file,))]
    file.write_text("a")
    seen.append(signature((file,)))
    os.utime(file, ns=(0, 0))
    seen.append(signature((file,)))
    file.write_text("ab")
    os.utime(file, ns=(0, 0))
    seen.append(signature((file,)))
    (tmp_path / "g").write_text("ab")
    os.utime(tmp_path / "g", ns=(0, 0))
    (tmp_path / "g").replace(file)
    seen.append(signature((file,)))
    assert seen[0] == (None,)
    assert len(set(seen)) == len(seen)


def test_waits_for_the_last_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look finds another file, until the fifth."""
    file = tmp_path / "f"
    file.write_text("")
    looks = 0

    def written(paths: object) -> watch.Signature:
        nonlocal looks
        looks += 1
        if looks <= 5:
            file.write_text("x" * looks)
        return signature((file,))

    monkeypatch.setattr(watch, "POLL", 0.04)
    monkeypatch.setattr(watch, "STILL", 0.05)

    async def scene() -> watch.Signature:
        before = await look((file,))
        monkeypatch.setattr(watch, "signature", written)
        return await stand_still((file,), before)

    assert asyncio.run(scene()) == signature((file,))
    assert looks > 5
    assert file.read_text() == "xxxxx"


def test_what_a_command_put_there_whole_need_not_stand_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never stand still: what is waited for is that a command is through with each file that changed."""
    monkeypatch.setattr(watch, "STILL", float("inf"))
    one, two, three = files = [tmp_path / name for name in ("one", "two", "three")]
    for file in (one, two):
        file.write_text("old")

    async def scene() -> None:
        before = await look(files)
        with locked(one, "a test", like=one) as first, locked(three, "a test", like=one) as second:
            for file in (first, second):
                file.read()
                file.stage(b"new")
                file.replace(alone=False)
            waiting = asyncio.create_task(stand_still(files, await look(files), before))
            await asyncio.sleep(0)
            first.tell()
            done, _ = await asyncio.wait([waiting], timeout=3 * watch.POLL)
            assert not done, "another is not told of yet"
            second.tell()
            assert await asyncio.wait_for(waiting, 20) == signature(files)

    asyncio.run(scene())


def test_what_an_editor_wrote_beside_has_to_stand_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = files = [tmp_path / name for name in ("one", "two")]
    looks: list[object] = []

    async def scene() -> None:
        before = await look(files)
        with locked(one, "a test", like=tmp_path) as file:
            file.read()
            file.stage(b"new")
            file.replace()
        two.write_text("half")
        found = await look(files)
        monkeypatch.setattr(watch, "signature", lambda paths: looks.append(paths) or signature(paths))
        await stand_still(files, found, before)

    asyncio.run(scene())
    assert looks, "it was looked at again"
