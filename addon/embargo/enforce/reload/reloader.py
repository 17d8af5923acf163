"""The policy in force follows its files: watch, compile aside, swap one reference, or keep what was.

A change is taken up once size and mtime have stood still for half a second, since a file cut at a line
end while an editor writes it can be valid YAML with fewer endpoints; what a command of ours replaced, at once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.core.difference import summarize
from embargo.core.rules import Policy
from embargo.enforce.gate import Gate, now
from embargo.enforce.reload.announcer import Announcer
from embargo.enforce.reload.calendar import Calendar
from embargo.enforce.reload.compiler import Compiled, CompileFailed, compile_policy
from embargo.enforce.reload.rejudge import rejudge
from embargo.enforce.reload.watch import POLL, Signature, look, stand_still
from embargo.journal.event import Outcome, PolicyChanged
from embargo.policy.snapshot import SnapshotError, last_known_good, mark_good, open_snapshot, remove, text_of
from embargo.policy.texts import keep_text

logger = logging.getLogger("embargo")

_RETRY = 5.0  # seconds before a compiler that failed by itself is tried again


@dataclass(slots=True)
class Refused:
    """The newest policy that did not take effect."""

    time: datetime
    problems: tuple[str, ...]
    files: tuple[str, ...]


async def _nothing(policy: Policy) -> None:
    pass


class Reloader:
    """Keeps `Gate.policy` at the newest policy that loaded whole."""

    def __init__(self, gate: Gate, paths: Sequence[Path], state: Path, log: Path) -> None:
        self._gate = gate
        self._paths = tuple(path.absolute() for path in paths)
        self._state = state
        self._store = log / "policies"
        self._watch: tuple[Path, ...] = self._paths
        self._loaded: Signature | None = None
        self.before_policy: Callable[[Policy], Awaitable[None]] = _nothing  # while the old one is still in force
        self.on_policy: Callable[[Policy], None] = lambda policy: None
        self.refused: Refused | None = None
        self.since: datetime | None = None
        self.reloads_ok = 0
        self.reloads_refused = 0
        self.calendar = Calendar(gate)
        self.announcer = Announcer(gate)
        self._asked = asyncio.Event()  # somebody wants the files read now
        self.settled = asyncio.Event()  # the first reading has come to an end, whichever
        self.read = 0  # readings that somebody asked for and that have come to an end

    def reload(self) -> None:
        """Read the files at once, changed or not, and whether or not they have stood still (SIGHUP)."""
        self._asked.set()

    async def run(self) -> None:
        """Load, then follow the files and the calendar until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_files())
            tasks.create_task(self.calendar.run())
            tasks.create_task(self.announcer.run())

    async def _follow_files(self) -> None:
        again = False  # the compiler failed by itself
        while True:
            asked = self._asked.is_set()
            self._asked.clear()
            signature = await look(self._watch)
            if asked or again or signature != self._loaded:
                if self._loaded is not None and not asked and signature != self._loaded:
                    signature = await stand_still(self._watch, signature, self._loaded)
                again = False
                try:
                    await self._load(signature, asked=asked)
                except (CompileFailed, SnapshotError, OSError) as failed:  # ours, not the text's: try again
                    again = True
                    self._refuse((str(failed),), None, asked=asked)
                    if self._gate.loaded is None:
                        await self._fall_back()
                self.settled.set()
                self.read += asked
                if again:
                    await self._pause(_RETRY)
            await self._pause(POLL)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not once somebody asks."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._asked.wait(), seconds)

    async def _load(self, signature: Signature, *, asked: bool) -> None:
        starting = self._loaded is None
        compiled = await compile_policy(self._paths, self._state, self._store)
        for warning in compiled.warnings:
            logger.warning("embargo: %s", warning)
        if compiled.watch and compiled.watch != self._watch:
            self._watch = compiled.watch
            signature = await look(self._watch)
        self._loaded = signature
        problems = compiled.problems or (() if starting else compiled.failed_tests)
        if compiled.snapshot is None or problems:
            self._refuse(problems or ("the compiler gave no policy",), compiled.digest, asked=asked)
            if self._gate.loaded is None:
                await self._fall_back()
            return
        if starting and compiled.failed_tests:
            for line in compiled.failed_tests:
                logger.warning("embargo: policy test failed: %s", line)
        await self._take_effect(compiled, asked=asked)

    async def _take_effect(self, compiled: Compiled, *, asked: bool) -> None:
        assert compiled.snapshot is not None
        old = self._gate.loaded
        self.refused = None
        if old is not None and old.digest == compiled.digest:
            if asked:
                logger.info("embargo: policy %s is in force already", old.digest[:12])
            return
        try:
            policy = await asyncio.to_thread(open_snapshot, compiled.snapshot)
        except SnapshotError:
            await asyncio.to_thread(remove, compiled.snapshot)
            raise
        stricter, milder = await asyncio.to_thread(summarize, old, policy, now())
        await self.before_policy(policy)
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
        if policy is None or good is None:
            logger.warning("embargo: there is no policy that ever loaded: EVERYTHING IS REFUSED until one does")
            return
        for warning in await asyncio.to_thread(keep_text, self._store, policy.digest, text_of(good)):
            logger.warning("embargo: %s", warning)  # it may have taken effect beside another log
        await self.before_policy(policy)
        logger.warning("embargo: ENFORCING THE LAST KNOWN GOOD POLICY %s instead", policy.digest[:12])
        self._swap(policy)

    def _swap(self, policy: Policy, *, stricter: Sequence[str] = (), milder: Sequence[str] = ()) -> None:
        old = self._gate.loaded
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
        self._gate.take(policy)
        self.since = now()
        self.reloads_ok += 1
        self.on_policy(policy)

    def _refuse(self, problems: Sequence[str], digest: str | None, *, asked: bool) -> None:
        old = self._gate.loaded
        if self.refused is not None and self.refused.problems == tuple(problems) and not asked:
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
