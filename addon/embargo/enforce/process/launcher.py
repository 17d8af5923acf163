"""`embargo run`: mitmproxy with the addon built in, and with what a stock mitmdump lacks for a company."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from mitmproxy import options
from mitmproxy.tools import cmdline
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.main import run as run_mitmproxy

from embargo.enforce.addon import Embargo, mount
from embargo.enforce.process.companions import SINKS, Companion, Companions, has_sinks
from embargo.enforce.process.drain import LONGEST, drain
from embargo.enforce.process.output import PatientOutput

if TYPE_CHECKING:
    from embargo.enforce.process.worker import Worker

logger = logging.getLogger("embargo")

_PATIENCE = 30.0  # seconds that companions wait for the policy
_LOOK = 1.0  # seconds between looks at whether another policy is in force

COMPANY_SETTINGS = (  # before the operator's own, so that those win
    "stream_large_bodies=1m",  # one download of 600 MB took 1.3 GB otherwise (measured)
    "flow_detail=0",  # full URLs, tokens included, would go to standard output
    "onboarding=false",  # mitm.it hands the CA to whoever asks
)


class EmbargoMaster(DumpMaster):
    """mitmdump with the gate mounted before any option is read."""

    def __init__(
        self, opts: options.Options, *, worker: "Worker | None" = None, companions: Sequence[Companion] = ()
    ) -> None:
        super().__init__(opts, with_dumper=False, with_termlog=False)
        self._termlog_addon = PatientOutput()
        self.addons.add(self._termlog_addon)
        # A line for each connection, with client and host, would keep beside the log what the policy leaves out of it.
        logging.getLogger("mitmproxy.proxy.server").setLevel(logging.WARNING)
        self.addons.register(Embargo(keep_messages=False))  # mitmproxy#6620
        if worker is not None:  # before any option is read, which opens the log: its first record says who it is
            mount(self).worker = {"number": worker.number, "supervisor": os.getppid()}
        self._worker = worker
        self._draining: asyncio.Task[None] | None = None
        self._companions = Companions(companions, logger.warning) if companions else None
        self._accompanying: asyncio.Task[None] | None = None

    @property
    def is_draining(self) -> bool:
        """Whether the end has begun."""
        return self._draining is not None or self.should_exit.is_set()

    async def run(self) -> None:
        """Serve until told to stop; as a worker, not before the supervisor is known and a policy is there."""
        if self._worker is not None:
            await self._worker.prepare(self)
            if self.is_draining:  # mitmproxy would forget it
                await self.done()
                return
        try:
            await super().run()
        finally:
            if self._accompanying is not None:
                self._accompanying.cancel()
            if self._companions is not None:
                await self._companions.stop()

    async def running(self) -> None:
        """It listens."""
        await super().running()
        if self._worker is not None:
            self._worker.serve(self)
        if self._companions is not None:
            self._accompanying = asyncio.create_task(self._accompany(self._companions))

    async def _accompany(self, companions: Companions) -> None:
        """Start what runs beside the proxy, once that enforces a policy, and follow which sinks there are."""
        runtime = mount(self)
        if runtime.reloader is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runtime.reloader.settled.wait(), _PATIENCE)
        companions.start()
        policy = None
        while True:
            if runtime.gate.loaded is not policy:
                policy = runtime.gate.loaded
                companions.want(SINKS, wanted=has_sinks(policy))
            await asyncio.sleep(_LOOK)

    def shutdown(self) -> None:
        """End: what is under way may finish first. Asked again (a second signal), end at once."""
        self.event_loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._draining is not None or self.should_exit.is_set():
            self.should_exit.set()
        else:
            self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            if left := await drain(mount(self).gate):
                logger.warning("embargo: %d connections were cut, which did not end within %g s", left, LONGEST)
        finally:
            self.should_exit.set()


def run(arguments: Sequence[str], *, worker: "Worker | None" = None, companions: Sequence[Companion] = ()) -> None:
    """Serve until told to stop. *arguments* are mitmdump's; raises SystemExit for unusable ones.

    *worker*: this process's part among several. *companions* run beside it, where no supervisor has them.
    """
    _allow_many_connections()
    settings = [part for setting in COMPANY_SETTINGS for part in ("--set", setting)]
    # a factory is all that mitmproxy makes of the class it asks for
    master = cast("type[EmbargoMaster]", partial(EmbargoMaster, worker=worker, companions=companions))
    run_mitmproxy(master, cmdline.mitmdump, [*settings, *arguments])


def _allow_many_connections() -> None:
    """Raise the number of open files to what the system lets us: 1,024, a usual default, are 500 connections."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError) as refused:
        logger.warning("embargo: the number of open files stays as it is: %s", refused)
