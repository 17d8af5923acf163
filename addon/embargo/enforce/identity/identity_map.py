"""The map of addresses to users follows its file: read anew once it has stood still, or what was stays."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path

from embargo.core.identities import Identities
from embargo.enforce.gate import now
from embargo.enforce.reload.reloader import Refused
from embargo.enforce.reload.watch import POLL, Signature, look, signature, stand_still
from embargo.policy.identities import LARGEST, parse_identities
from embargo.policy.problem import Mistake, PolicyError, Problem
from embargo.policy.reading import read

logger = logging.getLogger("embargo")


class IdentityMap:
    """One map file. What it says is in `current`."""

    def __init__(self, path: Path) -> None:
        """Reads the file. Raises PolicyError where it cannot be read, or is wrong."""
        self.path = path.absolute()
        self._name = str(path)
        self._loaded = signature((self.path,))
        self.current: Identities = _read(self.path, self._name)
        self.since: datetime = now()
        self.refused: Refused | None = None  # the newest content that did not take effect

    async def follow(self, changed: Callable[[], Coroutine[None, None, None]]) -> None:
        """Take up each change until cancelled; await *changed* after it, and when an assignment begins or ends."""
        looked = now()
        while True:
            await asyncio.sleep(POLL)
            found = await look((self.path,))
            took = found != self._loaded and await self._take(await stand_still((self.path,), found))
            time = now()
            if took or self.current.changes_between(looked, time):
                await changed()
            looked = time

    async def _take(self, found: Signature) -> bool:
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


def _read(path: Path, name: str) -> Identities:
    try:
        source = read(name, path, LARGEST, hint="a map of that size has to be split, or to name networks")
    except Mistake as failed:
        raise PolicyError([Problem(name, 1, 1, failed.code, "", failed.message, failed.hint)]) from failed
    return parse_identities(source.data, name)
