"""The supervisor of `embargo run --workers`: keeps the workers running, and serves no client itself.

It imports no mitmproxy and reads nothing that clients send, so nothing of theirs can end it. It holds the port (see
`port`) from before the first worker listens. Worker 1 starts alone: what is wrong with the options shows once, the
CA and the compiled policy are made once, and the others find them. A worker that dies is started again; its share of
new connections goes to the others until the new one enforces a policy. Where the supervisor itself is killed, the
workers see their channel close, and end.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from embargo.enforce.metrics.page import Access, MetricsPage
from embargo.enforce.metrics.readings import Series
from embargo.enforce.metrics.scraper import Scraper
from embargo.enforce.process.child import SILENT, UNWELL, Child
from embargo.enforce.process.companions import SINKS, Companion, Companions
from embargo.enforce.process.deaths import Deaths
from embargo.enforce.process.endpoints import Endpoints
from embargo.enforce.process.hangup import follow_hangups
from embargo.enforce.process.notify import Notifier
from embargo.enforce.process.pages import shown_address
from embargo.enforce.process.port import join, reserve
from embargo.enforce.process.reloading import Reloading

LONGEST_END = 20.0  # seconds from SIGTERM to SIGKILL: 8 of draining, 5 for the log, and some
SETTLED = 30.0  # seconds that a worker has lived before its death counts as the first again
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0  # seconds before a worker is started again
MOST_FAILED = 5  # starts in a row that came to nothing, with no worker running, after which there is no point
_LOOK = 1.0  # seconds between looks at the workers


class Supervisor:
    """Runs *count* workers until it is told to end, or until none can be started."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        count: int,
        host: str,
        port: int,
        health: tuple[str, int] | None = None,
        drain_delay: float = 0.0,
        metrics: Access | None = None,
        companions: Sequence[Companion] = (),
        others: Callable[[], Series] = dict,
    ) -> None:
        """*arguments* are mitmdump's, without the address. *health*: address and port of the health endpoint.

        *drain_delay*: seconds from SIGTERM in which all is served as ever, while the health endpoint says no.
        *metrics*: where they are served; at the address of *health*, both are served there. *others*: what else
        they show.
        """
        self._arguments = tuple(arguments)
        self._count = count
        self._host, self._port = host, port
        self._drain_delay = drain_delay
        self._leaving: asyncio.TimerHandle | None = None  # in the delay
        self._children: dict[int, Child] = {}  # by number; as they are now
        self._held: list[socket.socket] = []  # bound, never listening
        self._ending = asyncio.Event()
        self._started = False  # all have been ready once
        self._code = 0
        self._failed = 0  # starts in a row that came to nothing
        self._deaths = Deaths()
        self._notify = Notifier()
        self._ready_said = False  # and none of its reloads is under way
        self._reloading = Reloading()
        self._scraper = Scraper(lambda: self._children.values()) if metrics is not None else None
        page = None
        if metrics is not None and self._scraper is not None:
            page = MetricsPage(metrics, self._scraper.crew, self._scraper.ask, self.series)
        self._endpoints = Endpoints(self.trouble, health, page)
        self._companions = Companions(companions, say)
        self._beside = others

    async def run(self) -> int:
        """Serve; the exit code."""
        try:
            self._held = reserve(self._host, self._port)
            self._port = self._held[0].getsockname()[1]
            own = await self._endpoints.start(say)
        except OSError as refused:
            say(f"error: {refused.strerror or refused}", error=True)
            return 1
        self._arguments += tuple(
            part for place in own for part in ("--set", f"embargo_services={shown_address(place)}")
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        follow_hangups(self._reload, self._end)
        try:
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(self._look())
                watchdog = tasks.create_task(self._feed_watchdog())
                scraping = tasks.create_task(self._scraper.run()) if self._scraper is not None else None
                await self._run_workers(tasks)
                looking.cancel()
                watchdog.cancel()
                if scraping is not None:
                    scraping.cancel()
            await self._companions.stop()
        finally:
            self._endpoints.stop()
            for held in self._held:
                held.close()
        return self._code

    def trouble(self) -> str | None:
        """Why no clients should come; None where one worker at least is well."""
        if self._ending.is_set():
            return "draining"
        troubles = [(child.number, child.trouble()) for child in self._children.values()]
        if not troubles:
            return "no worker has started"
        if any(why is None for _, why in troubles):
            return None
        return "; ".join(f"worker {number} {why}" for number, why in troubles)

    def series(self) -> Series:
        """What is known of the crew as a whole, for metrics."""
        companions = self._companions
        return {
            ("embargo_workers", ()): float(self._count),
            ("embargo_worker_deaths", ()): float(self._deaths.count),
            **{("embargo_companion_deaths", (name,)): float(count) for name, count in companions.deaths.items()},
            **self._beside(),
            **{("embargo_companion_up", (name,)): float(runs) for name, runs in companions.running.items()},
        }

    # -- workers

    async def _run_workers(self, tasks: asyncio.TaskGroup) -> None:
        keepers = [tasks.create_task(self._keep(1))]
        await self._until(keepers, 1)
        first = self._children.get(1)
        if first is not None and first.ready.is_set():
            self._hold(first)
            if self._count > 1 and first.alone:
                say(f"embargo: worker 1 alone serves what cannot be shared: {', '.join(first.alone)} (UDP, devices)")
            if self._count > 1 and not first.shared:
                say("embargo: no other worker is started, since there is nothing to share")
                self._count = 1
            keepers += [tasks.create_task(self._keep(number)) for number in range(2, self._count + 1)]
            await self._until(keepers, self._count)
            self._started = not self._ending.is_set()
            if self._started and not any(keeper.done() for keeper in keepers):
                self._companions.start()
        await asyncio.wait(keepers)

    async def _until(self, keepers: Sequence[asyncio.Task[None]], count: int) -> None:
        """Wait until *count* workers have been ready, the end has begun, or a keeper has given up."""
        while not self._ending.is_set() and not any(keeper.done() for keeper in keepers):
            if len(self._children) == count and all(child.ready.is_set() for child in self._children.values()):
                return
            await asyncio.sleep(0.02)

    async def _keep(self, number: int) -> None:
        """Run worker *number*, again and again."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._ending.is_set():
            child = self._children[number] = Child(number, say, self._deaths.recorded)
            began = loop.time()
            try:
                code = await child.run(
                    [*self._arguments, "--listen-host", self._host, "--listen-port", str(self._port)],
                    first=number == 1 and not self._started,
                )
            except OSError as failure:
                say(f"embargo: worker {number} cannot be started: {failure.strerror or failure}", error=True)
                code = 1
            if self._scraper is not None:
                self._scraper.crew.ended(str(number))
            if self._ending.is_set():
                if code not in (0, -signal.SIGTERM):
                    self._code = self._code or 1
                    say(
                        f"embargo: worker {number} (process {child.pid}) {child.ending(code)} while it was to end",
                        error=True,
                    )
                return
            if not self._started:
                self._give_up(f"worker {number} could not start: it {child.ending(code)}", code)
                return
            self._failed = 0 if child.ready.is_set() else self._failed + 1
            if self._failed >= MOST_FAILED and not any(each.ready.is_set() for each in self._others(number)):
                self._give_up(f"no worker can be started: the last {child.ending(code)}", code)
                return
            if loop.time() - began >= SETTLED:
                pause = FIRST_PAUSE
            self._died(child, code, pause)
            await self._wait(pause)
            pause = min(pause * 3, LONGEST_PAUSE)

    def _others(self, number: int) -> list[Child]:
        return [child for child in self._children.values() if child.number != number]

    def _died(self, child: Child, code: int, pause: float) -> None:
        child.ready.clear()
        others = sum(each.ready.is_set() for each in self._others(child.number))
        told = f"worker {child.number} {child.ending(code)}"
        say(
            f"embargo: {told} (process {child.pid}); {others} other{'' if others == 1 else 's'} "
            f"serve{'s' if others == 1 else ''}, it is started again in {pause:g} s",
            error=True,
        )
        self._deaths.add(datetime.now(UTC), child.pid, told)
        self._deaths.have_recorded(self._recorder())

    def _recorder(self) -> Child | None:
        """The first worker that is well."""
        well = (child for child in self._children.values() if child.ready.is_set() and child.silent < UNWELL)
        return next(well, None)

    def _have_sinks(self) -> None:
        """Run the sinks that the policy names, as a worker that enforces one has told."""
        for child in self._children.values():
            if child.ready.is_set() and child.health.get("policy"):
                self._companions.want(SINKS, wanted=bool(child.health.get("sinks")))
                return

    def _give_up(self, why: str, code: int) -> None:
        say(f"error: {why}", error=True)
        self._code = code if code > 0 else 1
        self._drain_delay = 0.0  # nobody is served
        self._end()

    def _hold(self, first: Child) -> None:
        """Hold the further ports on which modes listen, too."""
        held = {bound.getsockname()[:2] for bound in self._held}
        for address in first.listen:
            if address not in held:
                try:
                    self._held.append(join(address))
                except OSError as refused:
                    say(f"embargo: {address[0]}:{address[1]} is held by the workers alone: {refused}", error=True)

    # -- being told

    def _end(self) -> None:
        """Drain, after the delay if there is one; told again, at once, and the workers, told again, end at once."""
        if not self._ending.is_set():
            self._ending.set()
            self._notify.stopping()
            if self._drain_delay:
                say(f"embargo: drains in {self._drain_delay:g} s; until then clients are served and balancers warned")
                self._leaving = asyncio.get_running_loop().call_later(self._drain_delay, self._drain)
                return
        self._drain()

    def _drain(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        asyncio.get_running_loop().call_later(LONGEST_END, self._kill)
        for child in self._children.values():
            child.signal(signal.SIGTERM)

    def _kill(self) -> None:
        for child in self._children.values():
            child.signal(signal.SIGKILL)  # those that are left

    def _reload(self) -> None:
        say("embargo: told to read the policy")
        self._ready_said = False
        self._notify.reloading()
        self._reloading.begin(self._children.values())
        for child in self._children.values():
            child.reload()

    async def _look(self) -> None:
        """Look after the workers, and tell systemd what is news."""
        while True:
            for child in self._children.values():
                child.look()
            self._deaths.have_recorded(self._recorder())
            self._have_sinks()
            self._tell()
            await self._wait(_LOOK)
            if self._ending.is_set():
                return

    def _tell(self) -> None:
        children = list(self._children.values())
        policies = {child.health.get("policy") for child in children if child.ready.is_set()}
        shown = ", ".join(sorted(str(digest)[:12] if digest else "none" for digest in policies)) or "none"
        status = f"{sum(child.trouble() is None for child in children)} of {self._count} workers, policy {shown}"
        reading = self._reloading.look(children)
        overdue = self._reloading.is_overdue()
        enforced = self._started and all(child.is_serving() for child in children)
        if ((enforced and not reading) or overdue) and not self._ready_said:
            self._ready_said = True
            if late := self._reloading.end(children):
                say(late, error=True)
            say(f"embargo: ready, {status}, port {self._port}")
            self._notify.ready(status)
        else:
            self._notify.status(status)

    async def _feed_watchdog(self) -> None:
        period = self._notify.watchdog
        while period is not None and not self._ending.is_set():
            if any(child.ready.is_set() and child.silent < SILENT for child in self._children.values()):
                self._notify.alive()
            await self._wait(period / 3)

    async def _wait(self, seconds: float) -> None:
        """Wait, but not once the end has begun."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()


def say(text: str, *, error: bool = False) -> None:
    """Print a line; where that fails, it is the line that is lost."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr if error else sys.stdout, flush=True)
