"""What tells that a file changed, and waiting until it no longer does."""

import asyncio
import os
from pathlib import Path

import pytest

from embargo.enforce.reload import watch
from embargo.enforce.reload.watch import look, signature, stand_still


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
