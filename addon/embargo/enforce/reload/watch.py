"""Looking at files until they stand still: one that is being written reads like a shorter one.

What a command of ours put there whole (`policy.lock`) need not stand still.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from embargo.policy.lock import last_replaced

POLL = 0.2  # seconds between looks at the files
STILL = 0.5  # seconds that size and mtime stand still before a change is taken up (DESIGN 6)

type Signature = tuple[tuple[int, int, int] | None, ...]


async def look(paths: Sequence[Path]) -> Signature:
    """What tells whether a file changed: mtime, size, inode; None for one that is not there."""
    return await asyncio.to_thread(signature, paths)


async def stand_still(paths: Sequence[Path], found: Signature, before: Signature = ()) -> Signature:
    """Wait until the files have not changed for `STILL`, since they looked like *found*; what they look like then.

    Or until each that looks otherwise than *before* is known to be whole, where it is said what they looked like.
    """
    loop = asyncio.get_running_loop()
    since = loop.time()
    while loop.time() - since < STILL and not await asyncio.to_thread(_are_whole, paths, found, before):
        await asyncio.sleep(POLL / 4)
        newer = await look(paths)
        if newer != found:
            found, since = newer, loop.time()
    return found


def _are_whole(paths: Sequence[Path], found: Signature, before: Signature) -> bool:
    if len(before) != len(found):  # not known, or another policy's files
        return False
    for path, was, now in zip(paths, before, found, strict=True):
        if now != was and (now is None or now != _as_looked_at(last_replaced(path))):
            return False
    return True


def _as_looked_at(told: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    return (told[1], told[2], told[0]) if told is not None else None


def signature(paths: Sequence[Path]) -> Signature:
    """As `look`, for those who may wait for the disk."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
