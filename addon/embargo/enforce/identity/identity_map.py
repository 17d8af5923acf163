"""The map of addresses to users follows its file: read anew once it has stood still, or what was stays."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path

from embargo.core.identities import Identities
from embargo.enforce.gate import now
from embargo.enforce.reload.reloader import POLL, STILL, Refused
from embargo.policy.identities import parse_identities
from embargo.policy.problem import PolicyError, Problem

logger = logging.getLogger("embargo")

type _Signature = tuple[int, int, int] | None  # mtime, size, inode; None where there is no such file


class IdentityMap:
    """One map file. What it says is in `current`."""

    def __init__(self, path: Path) -> None:
        """Reads the file. Raises PolicyError where it cannot be read, or is wrong."""
        self.path = path.absolute()
        self._name = str(path)
        self._loaded = _signature(self.path)
        self.current: Identities = _read(self.path, self._name)
        self.since: datetime = now()
        self.refused: Refused | None = None  # the newest content that did not take effect

    async def follow(self, changed: Callable[[], Coroutine[None, None, None]]) -> None:
        """Take up each change until cancelled; await *changed* after it, and when an assignment begins or ends."""
        looked = now()
        while True:
            await asyncio.sleep(POLL)
            found = await asyncio.to_thread(_signature, self.path)
            took = found != self._loaded and await self._take(await self._stand_still(found))
            time = now()
            if took or self.current.changes_between(looked, time):
                await changed()
            looked = time

    async def _take(self, found: _Signature) -> bool:
        """Read the file; whether what it says took effect."""
        self._loaded = found
        try:
            read = await asyncio.to_thread(_read, self.path, self._name)
        except PolicyError as refused:
            self.refused = Refused(now(), tuple(map(str, refused.problems)), (self._name,))
            logger.warning("embargo: the map of identities was refused, what it said before stays:")
            for problem in refused.problems:
                logger.warning("  %s", problem)
            return False
        self.current, self.since, self.refused = read, now(), None
        logger.info("embargo: the map of identities was read: %d assignments", len(read))
        return True

    async def _stand_still(self, found: _Signature) -> _Signature:
        """Wait until the file has not changed for `STILL`: one that is being written reads like a shorter one."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while loop.time() - since < STILL:
            await asyncio.sleep(POLL / 4)
            newer = await asyncio.to_thread(_signature, self.path)
            if newer != found:
                found, since = newer, loop.time()
        return found


def _read(path: Path, name: str) -> Identities:
    try:
        data = path.read_bytes()
    except OSError as failed:
        code = "missing-file" if isinstance(failed, FileNotFoundError) else "unreadable-file"
        raise PolicyError([Problem(name, 1, 1, code, "", failed.strerror or str(failed))]) from failed
    return parse_identities(data, name)


def _signature(path: Path) -> _Signature:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
