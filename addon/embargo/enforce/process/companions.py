"""The processes beside the proxy: console, store, sinks. One that dies is started again and never touches a worker.

Each runs an `embargo` command, niced, in a session of its own (`cli.companion`), and ends when the supervisor does:
it holds the other end of a pipe. Nothing that it prints passes here; it writes to the same output, each line behind
its name. They start once the proxy serves, so that its start does not wait for them.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embargo.core.rules import Policy
from embargo.enforce.process.ending import ended, in_words, inherited_environment

LONGEST_END = 5.0  # seconds from SIGTERM to SIGKILL
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0  # seconds before one is started again
SETTLED = 60.0  # seconds that it has lived before its death counts as the first again
SINKS = "sinks"  # the companion that runs only where the policy names any


def has_sinks(policy: Policy | None) -> bool:
    """Whether records go to anything besides the log."""
    return policy is not None and any(sink.enabled for sink in policy.settings.log.sinks)


@dataclass(frozen=True, slots=True)
class Companion:
    """What runs beside the proxy."""

    name: str
    arguments: tuple[str, ...]  # of `embargo`: a command and its options


class Companions:
    """Keeps companions running until `stop`."""

    def __init__(self, companions: Sequence[Companion], say: Callable[[str], None]) -> None:
        """*say* prints a line."""
        self._kept = [_Kept(companion, say) for companion in companions]

    def start(self) -> None:
        """Begin, on the running loop; once."""
        for kept in self._kept:
            kept.start()

    def want(self, name: str, *, wanted: bool) -> None:
        """Have the companion *name* run from now on, or not."""
        for kept in self._kept:
            if kept.companion.name == name:
                kept.want(wanted=wanted)

    async def stop(self) -> None:
        """End them all."""
        await asyncio.gather(*(kept.stop() for kept in self._kept))

    @property
    def deaths(self) -> dict[str, int]:
        """How often each has died, by name."""
        return {kept.companion.name: kept.deaths for kept in self._kept}

    @property
    def running(self) -> dict[str, bool]:
        """Whether each runs, by name; those that are wanted alone."""
        return {kept.companion.name: kept.is_running for kept in self._kept if kept.is_wanted}


class _Kept:
    """One companion."""

    def __init__(self, companion: Companion, say: Callable[[str], None]) -> None:
        self.companion = companion
        self.deaths = 0
        self._say = say
        self._wanted = companion.name != SINKS
        self._changed = asyncio.Event()  # what is wanted is another than what runs
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_wanted(self) -> bool:
        return self._wanted and not self._stopping

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep())

    def want(self, *, wanted: bool) -> None:
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()
            self._signal(signal.SIGTERM)

    async def stop(self) -> None:
        self._stopping = True
        self._changed.set()
        self._signal(signal.SIGTERM)
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._task), LONGEST_END)
        self._signal(signal.SIGKILL)
        await self._task

    def _signal(self, number: int) -> None:
        if self.is_running and self._process is not None:
            self._process.send_signal(number)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._stopping:
            self._changed.clear()
            if not self._wanted:
                await self._changed.wait()
                continue
            began = loop.time()
            try:
                code = await self._run()
                ending = in_words(code)
            except OSError as failure:
                ending = f"cannot be started: {failure.strerror or failure}"
            if self._changed.is_set():
                pause = FIRST_PAUSE
                continue
            if loop.time() - began >= SETTLED:
                pause = FIRST_PAUSE
            self.deaths += 1
            self._say(f"embargo: the {self.companion.name} {ending}; it is started again in {pause:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)
            pause = min(pause * 3, LONGEST_PAUSE)

    async def _run(self) -> int:
        """Start the process and stay with it until it has ended; its exit code, or minus the signal that ended it."""
        theirs, ours = os.pipe()
        try:
            try:
                self._process = self._spawn(theirs)
            finally:
                os.close(theirs)
            return await ended(self._process)
        finally:
            os.close(ours)

    def _spawn(self, pipe: int) -> subprocess.Popen[bytes]:
        name, arguments = self.companion.name, self.companion.arguments
        return subprocess.Popen(
            # -P: nothing in the working directory is imported
            [sys.executable, "-u", "-P", "-m", "embargo.cli.companion", name, str(pipe), *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=(pipe,),
            start_new_session=True,  # a terminal's Ctrl-C is the supervisor's, which ends it in turn
            env=inherited_environment(),
        )
