"""The process that delivers: a courier a sink, started, stopped and replaced as the policy says, and their status.

One process a log directory, by a lock that its end gives up. A policy that does not load changes nothing: what was
delivered to goes on.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from embargo.core.rules import LogSettings, Policy
from embargo.core.sink import Sink
from embargo.journal.clock import utc_now
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.sinks import keep, letters, status
from embargo.sinks.courier import Courier
from embargo.sinks.keep import BrokenCursor
from embargo.sinks.message import BadFilter
from embargo.sinks.receivers import IntoTheLog

_LOOK = 1.0  # seconds between looks at the policy's files and status documents
_BETWEEN_FORGETTING = timedelta(hours=1)
_TRIES, _TURN = 10, 0.02  # of taking the lock, and seconds between them
_END = 5.0  # seconds that a courier has to end in; what it was sending is sent again by the next one


class AlreadyRunning(Exception):
    """Another process delivers from this log directory."""


@contextlib.contextmanager
def only_one(log: Path) -> Iterator[None]:
    """The right to deliver from *log*. Raises AlreadyRunning, OSError."""
    path = keep.directory_of(log) / status.LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as taken:
                if not left:
                    raise AlreadyRunning(f"another process delivers from {log} already") from taken
                time.sleep(_TURN)  # it may be held by one that only asks (`status.running`)
        yield
    finally:
        os.close(descriptor)


@dataclass(slots=True)
class _Running:
    courier: Courier
    thread: threading.Thread


class Dispatch:
    """The couriers of one log directory."""

    def __init__(
        self,
        log: Path,
        policy: Sequence[Path],
        *,
        say: Callable[[str], None],
        now: Callable[[], datetime] = utc_now,
        courier: Callable[..., Courier] = Courier,
    ) -> None:
        """*say* takes a line for people: what began, ended, failed or came back."""
        self._log, self._policy = log, tuple(policy)
        self._say, self._now, self._courier = say, now, courier
        self._running: dict[str, _Running] = {}
        self._unstarted: dict[str, tuple[Sink, str]] = {}
        self._seen: dict[Path, tuple[int, int, int] | None] = {}
        self._told: dict[str, str | None] = {}
        self._published: list[dict[str, Any]] | None = None
        self._retention = timedelta(seconds=LogSettings().retention)
        self._hindered: str | None = None  # what kept us from the newest look
        self._forget_from: datetime | None = None  # when old dead letters are to be dropped next

    def run(self, stop: threading.Event) -> None:
        """Deliver until *stop*. Raises PolicyError where the policy does not load at first, OSError."""
        self.take_up(sinks_of(self._load()))
        try:
            while not stop.wait(_LOOK):
                self.look()
        finally:
            self.close()

    def look(self) -> None:
        """Take up what changed in the policy, tell what changed with the sinks, drop what is too old to keep."""
        try:
            self._look()
            self._hindered = None
        except OSError as failure:  # a full disk, as a rule: each courier says for itself what it cannot keep
            why = f"{failure.filename or self._log}: {failure.strerror or failure}"
            if why != self._hindered:
                self._say(f"{why}; deliveries go on")
                self._hindered = why

    def _look(self) -> None:
        if self._changed():
            try:
                self.take_up(sinks_of(self._load()))
            except PolicyError as refused:
                self._say(f"the policy does not load, deliveries go on as before: {refused.problems[0]}")
        self._publish()
        now = self._now()
        if self._forget_from is None or now >= self._forget_from:
            self._forget_from = now + _BETWEEN_FORGETTING
            letters.forget(self._log, now - self._retention)

    def take_up(self, sinks: Mapping[str, Sink]) -> None:
        """Deliver to *sinks* and no others; those that are unchanged go on undisturbed."""
        for name in [name for name, running in self._running.items() if sinks.get(name) != running.courier.sink]:
            self._end(name)
        self._unstarted.clear()
        for name, sink in sinks.items():
            if name not in self._running:
                self._begin(sink)
        self._publish()

    def close(self) -> None:
        """End all couriers, and say so in the status file."""
        for running in self._running.values():
            running.courier.stop()
        for running in self._running.values():
            running.thread.join(_END)
        with contextlib.suppress(OSError):
            self._publish()

    def _load(self) -> Policy:
        # looked at before they are read, so that a change in between is a change
        before = {path: _stamp(path) for path in self._seen}
        try:
            loaded = load(self._policy)
        except PolicyError as refused:
            self._seen = {path: before.get(path, _stamp(path)) for path in (*self._policy, *refused.watched)}
            raise
        self._seen = {path: before.get(path, _stamp(path)) for path in (*self._policy, *loaded.watched)}
        self._retention = timedelta(seconds=loaded.policy.settings.log.retention)
        return loaded.policy

    def _changed(self) -> bool:
        return any(_stamp(path) != stamp for path, stamp in self._seen.items())

    def _begin(self, sink: Sink) -> None:
        try:
            courier = self._courier(sink, self._log, now=self._now)
        except (BadFilter, BrokenCursor, IntoTheLog, OSError) as refused:
            self._unstarted[sink.id] = (sink, str(refused))
            self._say(f"not delivering to {sink}: {refused}")
            return
        thread = threading.Thread(target=courier.run, name=f"embargo-sink-{sink.id}", daemon=True)
        self._running[sink.id] = _Running(courier, thread)
        self._told[sink.id] = None
        thread.start()
        self._say(f"delivering to {sink}")

    def _end(self, name: str) -> None:
        running = self._running.pop(name)
        running.courier.stop()
        running.thread.join(_END)
        running.courier.abandon()
        self._say(f"no longer delivering to {running.courier.sink}")

    def _publish(self) -> None:
        documents = []
        for name, running in self._running.items():
            progress = running.courier.progress
            documents.append(status.document_of(running.courier.sink, progress, self._log, self._now()))
            if progress.error != self._told[name]:
                self._say(f"{name}: {progress.error}" if progress.error else f"{name}: delivering again")
                self._told[name] = progress.error
        documents += [status.refused_document(sink, why) for sink, why in self._unstarted.values()]
        if documents != self._published:
            status.publish(self._log, documents, self._now())
            self._published = documents


def sinks_of(policy: Policy) -> dict[str, Sink]:
    """The sinks to deliver to, by name."""
    return {sink.id: sink for sink in policy.settings.log.sinks if sink.enabled}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
