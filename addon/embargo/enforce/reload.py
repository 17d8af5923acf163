"""The policy in force follows its files: watch, compile aside, swap one reference, or keep what was.

A change is taken up once size and mtime have stood still for half a second, since a file cut at a line
end while an editor writes it can be valid YAML with fewer endpoints.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.core.difference import summarize
from embargo.core.horizon import next_change
from embargo.core.rules import Policy
from embargo.enforce.compiler import Compiled, CompileFailed, compile_policy
from embargo.enforce.gate import Gate, now
from embargo.enforce.rejudge import rejudge
from embargo.journal.event import Outcome, PolicyChanged
from embargo.policy.snapshot import SnapshotError, last_known_good, mark_good, open_snapshot, remove

logger = logging.getLogger("embargo")

POLL = 0.2  # seconds between looks at the files
STILL = 0.5  # seconds that size and mtime stand still before a change is taken up (DESIGN 6)
_RETRY = 5.0  # seconds before a compiler that failed by itself is tried again
_LONGEST_SLEEP = 3600.0  # seconds; a clock that was set is noticed within that

type Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(slots=True)
class Refused:
    """The newest policy that did not take effect."""

    time: datetime
    problems: tuple[str, ...]
    files: tuple[str, ...]


class Reloader:
    """Keeps `Gate.policy` at the newest policy that loaded whole."""

    def __init__(self, gate: Gate, paths: Sequence[Path], state: Path, log: Path) -> None:
        self._gate = gate
        self._paths = tuple(path.absolute() for path in paths)
        self._state = state
        self._store = log / "policies"
        self._watch: tuple[Path, ...] = self._paths
        self._loaded: Signature | None = None
        self.on_policy: Callable[[Policy], None] = lambda policy: None
        self.refused: Refused | None = None
        self.since: datetime | None = None
        self.reloads_ok = 0
        self.reloads_refused = 0
        self.next_change: datetime | None = None
        self._changed = asyncio.Event()  # a new policy: its dates are to be followed

    async def run(self) -> None:
        """Load, then follow the files and the calendar until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_files())
            tasks.create_task(self._follow_dates())

    async def _follow_files(self) -> None:
        while True:
            signature = await asyncio.to_thread(_signature, self._watch)
            if signature != self._loaded:
                if self._loaded is not None:
                    signature = await self._stand_still(signature)
                try:
                    await self._load(signature)
                except (CompileFailed, SnapshotError, OSError) as failed:  # ours, not the text's: try again
                    self._refuse((str(failed),), None)
                    if self._gate.policy is None:
                        await self._fall_back()
                    await asyncio.sleep(_RETRY)
            await asyncio.sleep(POLL)

    async def _stand_still(self, signature: Signature) -> Signature:
        """Wait until the files have not changed for `STILL`; returns what they look like then."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        while loop.time() - since < STILL:
            await asyncio.sleep(POLL / 4)
            newer = await asyncio.to_thread(_signature, self._watch)
            if newer != signature:
                signature, since = newer, loop.time()
        return signature

    async def _load(self, signature: Signature) -> None:
        starting = self._loaded is None
        compiled = await compile_policy(self._paths, self._state, self._store)
        for warning in compiled.warnings:
            logger.warning("embargo: %s", warning)
        if compiled.watch and compiled.watch != self._watch:
            self._watch = compiled.watch
            signature = await asyncio.to_thread(_signature, self._watch)
        self._loaded = signature
        problems = compiled.problems or (() if starting else compiled.failed_tests)
        if compiled.snapshot is None or problems:
            self._refuse(problems or ("the compiler gave no policy",), compiled.digest)
            if self._gate.policy is None:
                await self._fall_back()
            return
        if starting and compiled.failed_tests:
            for line in compiled.failed_tests:
                logger.warning("embargo: policy test failed: %s", line)
        await self._take_effect(compiled)

    async def _take_effect(self, compiled: Compiled) -> None:
        assert compiled.snapshot is not None
        old = self._gate.policy
        self.refused = None
        if old is not None and old.digest == compiled.digest:
            return
        try:
            policy = await asyncio.to_thread(open_snapshot, compiled.snapshot)
        except SnapshotError:
            self._loaded = None  # compiled anew on the next look
            await asyncio.to_thread(remove, compiled.snapshot)
            raise
        stricter, milder = await asyncio.to_thread(summarize, old, policy, now())
        self._swap(policy, stricter=stricter, milder=milder)
        try:
            await asyncio.to_thread(mark_good, self._state, self._paths, compiled.snapshot)
        except OSError as failed:
            logger.warning("embargo: this policy could not be noted as last known good: %s", failed)
        if old is not None:
            closed = await rejudge(self._gate)
            logger.info("embargo: policy %s in force; %d open connections closed", policy.digest[:12], closed)
        else:
            logger.info("embargo: policy %s in force", policy.digest[:12])

    async def _fall_back(self) -> None:
        """A start whose policy does not load takes the newest one that did."""
        try:
            good = await asyncio.to_thread(last_known_good, self._state, self._paths)
            policy = await asyncio.to_thread(open_snapshot, good) if good is not None else None
        except (OSError, SnapshotError) as failed:
            logger.warning("embargo: the last known good policy cannot be read: %s", failed)
            policy = None
        if policy is None:
            logger.warning("embargo: there is no policy that ever loaded: EVERYTHING IS REFUSED until one does")
            return
        logger.warning("embargo: ENFORCING THE LAST KNOWN GOOD POLICY %s instead", policy.digest[:12])
        self._swap(policy)

    def _swap(self, policy: Policy, *, stricter: Sequence[str] = (), milder: Sequence[str] = ()) -> None:
        old = self._gate.policy
        self._gate.write(
            PolicyChanged(
                time=now(),
                outcome=Outcome.SUCCESS,
                old=old.digest if old is not None else None,
                new=policy.digest,
                files=policy.files,
                stricter=tuple(stricter),
                milder=tuple(milder),
            )
        )
        self._gate.policy = policy
        self.since = now()
        self.reloads_ok += 1
        self.on_policy(policy)
        self._changed.set()

    def _refuse(self, problems: Sequence[str], digest: str | None) -> None:
        old = self._gate.policy
        if self.refused is not None and self.refused.problems == tuple(problems):
            return  # said already
        self.reloads_refused += 1
        self.refused = Refused(now(), tuple(problems), tuple(map(str, self._paths)))
        self._gate.write(
            PolicyChanged(
                time=now(),
                outcome=Outcome.FAILURE,
                old=old.digest if old is not None else None,
                new=digest,
                files=tuple(map(str, self._paths)),
                problems=tuple(problems),
            )
        )
        kept = f"policy {old.digest[:12]} stays in force" if old is not None else "no policy is in force yet"
        logger.warning("embargo: the policy was refused, %s:", kept)
        for problem in problems:
            logger.warning("  %s", problem)

    async def _follow_dates(self) -> None:
        """Judge what is open again whenever a date or schedule changes a rule."""
        while True:
            self._changed.clear()
            policy = self._gate.policy
            instant = next_change(policy, now()) if policy is not None else None
            self.next_change = instant
            delay = _LONGEST_SLEEP if instant is None else min((instant - now()).total_seconds(), _LONGEST_SLEEP)
            try:
                await asyncio.wait_for(self._changed.wait(), max(delay, 0.05))
            except TimeoutError:
                if instant is not None and now() >= instant:
                    closed = await rejudge(self._gate)
                    logger.info("embargo: a date changed the policy; %d open connections closed", closed)


def _signature(paths: Sequence[Path]) -> Signature:
    """What tells whether a file changed: mtime, size, inode; None for one that is not there."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
