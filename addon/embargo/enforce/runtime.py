"""The gate and all that serves it, wired together: policy, decision log, CA, identity and status of a process."""

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from mitmproxy import ctx, exceptions

from embargo import __version__
from embargo.core.rules import Policy
from embargo.enforce.answers import load_template
from embargo.enforce.census.recorder import Census
from embargo.enforce.entries import Surfaces
from embargo.enforce.gate import Gate, now
from embargo.enforce.identity.options import IdentityOptions
from embargo.enforce.metrics.own import OwnMetrics
from embargo.enforce.own_services import place_of, places
from embargo.enforce.process import dispatch
from embargo.enforce.process.hangup import follow_hangups
from embargo.enforce.process.heartbeat import Pulse
from embargo.enforce.process.status import StatusServer, listening
from embargo.enforce.refusals import Look
from embargo.enforce.reload.break_glass import Glass
from embargo.enforce.reload.reloader import Reloader
from embargo.journal.ecs import Observer
from embargo.journal.event import ProcessChanged
from embargo.journal.pseudonym import Pseudonyms
from embargo.journal.writer import Journal
from embargo.paths import default_policy, log_directory, private_directory, runtime_directory, state_directory
from embargo.sinks.anchors import Anchors
from embargo.traffic.census import DIRECTORY as CENSUS

logger = logging.getLogger("embargo")

_OPTIONS = frozenset({"embargo_policy", "embargo_log", "embargo_block_page", "embargo_console"})

_SERVICES = "embargo_services"

_COMPROMISED_CA = ("emudhra", "emudhra_old")  # mitmproxy 12.3


class Runtime:
    """The gate and all that serves it. One a process, mounted before any policy is read."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.surfaces = Surfaces(self.gate)
        self.identity = IdentityOptions(self.gate, self.surfaces.identity, self.surfaces.balancers)
        self.started = now()
        self.journal: Journal | None = None
        self.anchors: Anchors | None = None
        self.census: Census | None = None
        self.reloader: Reloader | None = None
        self.glass: Glass | None = None
        self.worker: dict[str, int] | None = None  # which of several it is, for status; None: it runs alone
        self.pulse = Pulse(self.gate)
        self.pulse.lost = lambda: self.journal.state().lost if self.journal is not None else 0
        self.pulse.next_change = lambda: self.reloader.calendar.next_change if self.reloader is not None else None
        self.pulse.worker = lambda: self.worker["number"] if self.worker is not None else None
        self.gate.before_change = self.pulse.beat
        self._status: StatusServer | None = None
        self._options: tuple[tuple[Path, ...], Path] | None = None  # policy files and log directory in use
        self._following: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None  # the CA against a policy that was there before we ran
        self._status_task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None  # break-glass
        self._beating: asyncio.Task[None] | None = None
        self._metrics = OwnMetrics(self.describe, self.gate.services)
        self._pseudonyms: Pseudonyms | None = None
        self._running = False

    # -- life

    def configure(self, updated: set[str]) -> None:
        """Take up changed options; the first time, start loading. Raises OptionsError for a bad template once running.

        Before, the error is logged, which ends mitmdump and mitmweb: raised while a script loads it would be lost, and
        with it all our options, so that the default policy would be in force instead of the one named (measured).
        """
        self.identity.configure(updated, running=self._running)
        self._metrics.configure(updated, running=self._running)
        if _SERVICES in updated:
            self._name_services()
        if not updated & _OPTIONS or "embargo_policy" not in ctx.options:
            return
        if updated & {"embargo_block_page", "embargo_console"}:
            self._set_look(ctx.options.embargo_block_page, ctx.options.embargo_console)
            self.gate.services.name("embargo_console", place_of(ctx.options.embargo_console))
        self._follow_options()

    def running(self) -> None:
        """The proxy serves: say so, and warn of what a company would want otherwise."""
        if self._running:
            return
        self._running = True
        if not ctx.options.embargo_stock_hooks:
            dispatch.install(ctx.master.addons)
        self._follow_options()
        self._status = StatusServer(runtime_directory(), self.describe)
        self._status_task = asyncio.create_task(self._status.run())
        self._metrics.serve()
        self._warn_of_settings()
        self.gate.ca.check(now())
        if self.gate.loaded is not None:
            self._checking = asyncio.create_task(self._check_ca(self.gate.loaded))

    def done(self) -> None:
        """The process ends: what is in the queue is written."""
        self.identity.stop()
        for task in (self._following, self._checking, self._status_task, self._watching, self._beating):
            if task is not None:
                task.cancel()
        if self._status is not None:
            self._status.stop()
        self._metrics.stop()
        if self.journal is not None:
            self.pulse.end()
            digest = self.gate.loaded.digest if self.gate.loaded is not None else None
            self.gate.write(ProcessChanged(time=now(), action="stop", policy=digest))
            self.journal.close()
        if self.anchors is not None:
            self.anchors.close()
        if self.census is not None:
            self.census.close()

    def _follow_options(self) -> None:
        """Open the log and follow the policy files that the options name, unless that is done already."""
        log = (_expanded(ctx.options.embargo_log) if ctx.options.embargo_log else log_directory()).absolute()
        paths = tuple(map(_expanded, ctx.options.embargo_policy)) or (default_policy(),)
        if self._options == (paths, log):
            return
        if self._options is None:
            follow_hangups(self.reload, ctx.master.shutdown)
            self.glass = Glass(self.gate, state_directory().absolute(), log)
            self.glass.begin()
            self._watching = asyncio.create_task(_supervised(self.glass.run, "following break-glass"))
            self._beating = asyncio.create_task(_supervised(self.pulse.run, "the heartbeat"))
        assert self.glass is not None
        self.glass.log = log
        if self.journal is None or self._options is None or self._options[1] != log:
            self._open_journal(log)
        if self._following is not None:
            self._following.cancel()
        self.reloader = Reloader(self.gate, paths, _state_directory(), log)
        self.reloader.before_policy = self._check_ca
        self.reloader.on_policy = self._follow_policy
        self._following = asyncio.create_task(_supervised(self.reloader.run, "following the policy"))
        self._options = (paths, log)

    def reload(self) -> None:
        """Read the policy now, whether or not it has changed."""
        if self.reloader is not None:
            logger.info("embargo: told to read the policy")
            self.reloader.reload()

    def _open_journal(self, log: Path) -> None:
        if self.journal is not None:
            self.pulse.end()
            self.journal.close()
        if self.anchors is not None:
            self.anchors.close()
        self.anchors = Anchors(log)
        observer = Observer(hostname=socket.gethostname(), version=__version__, pid=os.getpid())
        self._pseudonyms = Pseudonyms(state_directory().absolute(), now)
        self.journal = self.gate.journal = Journal(log, observer=observer, pseudonyms=self._pseudonyms)
        if self.gate.loaded is not None:
            self.journal.follow(self.gate.loaded.settings.log, self.gate.loaded.digest)
            self.anchors.follow(self.gate.loaded.settings.log.anchors)
        self.journal.start()
        self.gate.write(ProcessChanged(time=now(), action="start"))
        self.pulse.begin()
        if self.census is not None:
            self.census.close()
        self.census = self.gate.census = Census(log / CENSUS)
        self.census.follow(self.gate.loaded is not None and self.gate.loaded.settings.census)
        self.census.start()

    def _follow_policy(self, policy: Policy) -> None:
        if self.journal is not None:
            self.journal.follow(policy.settings.log, policy.digest)
        if self.anchors is not None:
            self.anchors.follow(policy.settings.log.anchors)
        if self.census is not None:
            self.census.follow(policy.settings.census)

    async def _check_ca(self, policy: Policy) -> None:
        if not self._running:  # mitmproxy has loaded no CA yet
            return
        try:
            await self.gate.ca.check_policy(policy, now())
        except Exception as error:  # noqa: BLE001 - what is told only must not keep a policy from taking effect
            logger.warning("embargo: what the CA does not permit could not be found: %s", error)

    def _set_look(self, block_page: str, console: str) -> None:
        try:
            self.surfaces.refusals.look = Look(load_template(block_page), console)
        except (OSError, TemplateError) as error:
            message = f"embargo_block_page: {block_page}: {error}"
            if self._running:
                raise exceptions.OptionsError(message) from error
            logger.error("%s", message)

    def _name_services(self) -> None:
        try:
            self.gate.services.name(_SERVICES, places(ctx.options.embargo_services))
        except ValueError as error:
            if self._running:
                raise exceptions.OptionsError(f"{_SERVICES}: {error}") from error
            logger.error("%s: %s", _SERVICES, error)

    def _warn_of_settings(self) -> None:
        options = ctx.options
        if "stream_large_bodies" in options and not options.stream_large_bodies:
            logger.warning("embargo: large bodies are held in memory; set stream_large_bodies=1m")
        if "flow_detail" in options and options.flow_detail and ctx.master.addons.get("dumper") is not None:
            logger.warning("embargo: full URLs are printed, tokens included; set flow_detail=0")
        if any(name in options and getattr(options, name) for name in ("ignore_hosts", "allow_hosts", "tcp_hosts")):
            logger.warning(
                "embargo: the policy says what TLS is opened (decrypt, never_decrypt); ignore_hosts does not"
            )
        if any(getattr(options, name) for name in _COMPROMISED_CA if name in options):
            logger.warning(
                "embargo: certificates are signed by a CA whose key is public (emudhra); use one of your own"
            )
        if self.gate.keep_messages:
            logger.warning("embargo: messages of WebSockets and raw streams stay in memory; `embargo run` forgets them")

    # -- status

    def describe(self) -> dict[str, Any]:
        """What `embargo status` shows of this process."""
        policy, reloader, journal = self.gate.loaded, self.reloader, self.journal
        judging = self.gate.policy  # the same, unless break-glass is in force
        server = ctx.master.addons.get("proxyserver")
        return {
            "pid": os.getpid(),
            "started": self.started.isoformat(),
            "version": __version__,
            "worker": self.worker,
            "mode": str(judging.settings.mode) if judging else None,
            "privacy": {
                "client": policy.settings.client.value if policy else None,
                "error": self._pseudonyms.error if self._pseudonyms else None,
            },
            "decrypt": str(judging.settings.decrypt) if judging else None,
            "break_glass": self.glass.describe() if self.glass else None,
            "state_directory": str(state_directory().absolute()),
            "listen": [f"{host}:{port}" for host, port, *_ in server.listen_addrs()] if server else [],
            "modes": listening(server.servers) if server else [],
            "policy": {
                "digest": policy.digest,
                "since": reloader.since.isoformat() if reloader and reloader.since else None,
                "files": list(policy.files),
                "catalogue": policy.released.isoformat() if policy.released else None,
                "apps": len(policy.apps),
                "app_ids": list(policy.apps),
                "rules": len(policy.rules),
                "endpoints": sum(len(app.endpoints) for app in policy.apps.values())
                + sum(listed.count for listed in policy.lists),
                "on_trial": sum(endpoint.shadow for app in policy.apps.values() for endpoint in app.endpoints),
            }
            if policy
            else None,
            "refused": {
                "time": reloader.refused.time.isoformat(),
                "problems": list(reloader.refused.problems),
                "files": list(reloader.refused.files),
            }
            if reloader and reloader.refused
            else None,
            "reloads": {
                "ok": reloader.reloads_ok if reloader else 0,
                "refused": reloader.reloads_refused if reloader else 0,
            },
            "next_change": change.isoformat() if reloader and (change := reloader.calendar.next_change) else None,
            "announced": [each.document() for each in reloader.announcer.announced] if reloader else [],
            "connections": len(self.gate.connections),
            "flows": asdict(self.gate.counters),
            **self.gate.tallies.describe(),
            "latency": self.gate.latency.describe(),
            "heartbeat": self.pulse.last.isoformat() if self.pulse.last else None,
            "ca": self.gate.ca.describe(now()),
            "rejecting": self.gate.rejections.describe(now()),
            **self.identity.describe(),
            "log": asdict(journal.state()) if journal else None,
            "anchors": [state.document() for state in self.anchors.states()] if self.anchors else [],
            "census": asdict(census) if self.census and (census := self.census.state()) else None,
        }


def _expanded(path: str) -> Path:
    """*path* with its `~` resolved; of an unknown user it stays, and so is a file that is missing."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _state_directory() -> Path:
    """Where compiled policies are kept; one that cannot be used costs the next start, never the enforcement."""
    state = state_directory()
    try:
        return private_directory(state)
    except OSError as error:
        logger.warning("embargo: no compiled policy is kept for the next start: %s", error)
        return Path(tempfile.mkdtemp(prefix="embargo-"))


async def _supervised(run: Callable[[], Awaitable[None]], what: str) -> None:
    """*run* for as long as the process lives: a fault there must not leave undone unseen *what* it does."""
    while True:
        try:
            await run()
        except* Exception as errors:  # noqa: BLE001 - a task's top: said, and started again
            logger.warning("embargo: %s failed and starts again: %s", what, errors.exceptions)
            await asyncio.sleep(1)
