"""The decision log's writer: one thread, a bounded queue, and a count of what did not reach the disk.

What a crash can lose: an event is in the file within half of `settings.flush`, so the end of this process loses
at most that much (the page cache outlives it), and the disk has confirmed it within all of `flush`, so the end
of the machine loses no more than that.

A write that fails is tried once more on a file opened anew, which mends a log directory that was removed or
replaced; after that its records are lost, counted, and a record says so as soon as one can be written. Attempts
go on with growing pauses, and what has come until one fails is lost with it. A full
queue makes the flow wait while the writer gets on, and at most `PATIENCE` while it does not.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from embargo.core.rules import LogSettings
from embargo.journal import audit
from embargo.journal.clock import utc_now
from embargo.journal.ecs import Observer
from embargo.journal.event import ConfigurationChanged, Event, Judged, RecordsLost
from embargo.journal.files import STEM
from embargo.journal.identifier import uuid7
from embargo.journal.livefile import Last, LiveFile, PartlyWritten
from embargo.journal.loss import Losses
from embargo.journal.pseudonym import Pseudonyms
from embargo.journal.record import Encoder
from embargo.journal.retention.deletion import Retention, Retirement
from embargo.journal.retention.policies import mark_in_force
from embargo.journal.room import WaitingRoom
from embargo.journal.rotation import Keeper, due
from embargo.journal.seal.sealer import Batch, Sealer, SealState

BOUND = 20_000  # events; some 40 MB, and half a second of the writer's work
BATCH = 1000  # events a write call
PATIENCE = 2.0  # seconds that a flow waits while the writer makes no progress (DESIGN 7)
_RETRY_FIRST, _RETRY_LAST = 0.1, 2.0  # seconds between attempts on a log that cannot be written
_ROTATION_RETRY = 60.0  # seconds
_IDLE = 1.0  # seconds between looks at the clock when nothing comes

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """How the log fares, for status and metrics."""

    directory: str
    file: str | None  # None: none is open
    written: int  # records, those about losses included
    lost: int  # records
    queue: int  # events
    error: str | None  # why records cannot be written now; None where they can
    waited: float  # seconds that flows have waited for room, in all
    seal: SealState
    retention: Retention


class Journal:
    """Writes events to a directory. Any thread may offer; `put` is for a running event loop."""

    def __init__(
        self,
        directory: Path,
        settings: LogSettings | None = None,
        *,
        observer: Observer,
        stem: str = STEM,
        bound: int = BOUND,
        now: Callable[[], datetime] = utc_now,
        identify: Callable[[], str] = uuid7,
        open_file: Callable[[Path, str], LiveFile] = LiveFile.open,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """Touches no file: `start` does, and where the log cannot be written it keeps trying."""
        self.settings = settings or LogSettings()  # a reload may replace it whole
        self._asked = settings is not None  # else it is the default, by which nothing is deleted
        self._directory = directory
        self._stem = stem
        self._bound = bound
        self._now = now
        self._identify = identify
        self._open_file = open_file
        self._encoder = Encoder(observer, pseudonyms)
        self.sealer = Sealer(
            directory, self._encoder, settings=lambda: self.settings.checkpoint, now=now, identify=identify
        )
        self._retirement = Retirement(directory, lambda: self.settings if self._asked else None, now, self._record)
        self._keeper = Keeper(directory, stem, lambda: self.settings, now, self._retirement, self._record)
        self._queue: deque[Event] = deque()
        self._wake = threading.Event()
        self._idle = False  # the writer sleeps until something comes
        self._closing = False
        self._thread: threading.Thread | None = None
        # the writer's own
        self._file: LiveFile | None = None
        self._last = Last()  # record written under `_last_of`
        self._last_of: Path | None = None
        self._retry_at = 0.0  # monotonic
        self._pause = _RETRY_FIRST
        self._synced_at = 0.0  # monotonic
        self._unsynced = 0  # records
        self._dirty = False  # lines were written since the disk confirmed the others
        self._rotation_at = 0.0  # monotonic; no attempt at rotation before
        self._progress_at = time.monotonic()
        self._written = 0
        # shared
        self._error: str | None = None  # set by the writer alone
        self._losses = Losses(now)
        self._room = WaitingRoom()
        self._lock = threading.Lock()
        self._waited = 0.0

    # --- offering

    def start(self) -> None:
        """Starts the writer; once. What was offered before is written then."""
        assert self._thread is None, "started twice"
        self._thread = threading.Thread(target=self._run, name="embargo-log-writer", daemon=True)
        self._thread.start()
        self._keeper.start()

    def follow(self, settings: LogSettings, policy: str) -> None:
        """The policy of the digest *policy* is in force, and the log kept as its *settings* say."""
        self.settings, self._asked = settings, True
        self._keeper.policy = policy
        mark_in_force(self._directory, policy)
        if self._file is not None:
            self._keeper.notify()  # now that it is known how long files are kept

    def _record(self, directory: Path, event: ConfigurationChanged) -> None:
        audit.record(directory, event, self.settings)

    def offer(self, event: Event) -> bool:
        """Queues *event* and never blocks; False (and nothing is counted) where the queue is full or closed."""
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._bound or self._closing:
            return False
        queue.append(event)
        if self._idle or waiting == BATCH - 1:
            self._wake.set()
        return True

    def submit(self, event: Event) -> bool:
        """Queues *event*; where there is no room it is counted as lost. For callers that cannot wait."""
        if self.offer(event):
            return True
        self._losses.lose(1, "the queue was full")
        return False

    async def put(self, event: Event) -> bool:
        """Queues *event*, waiting for room while the writer gets on; False: it was counted as lost."""
        return self.offer(event) or await self._put_patiently(event)

    async def _put_patiently(self, event: Event) -> bool:
        begun = time.monotonic()
        queued = False
        try:
            while not self._closing and self._error is None:
                patience = max(begun, self._progress_at) + PATIENCE - time.monotonic()
                if patience <= 0:
                    break
                room = self._room.enter()
                self._wake.set()
                if queued := self.offer(event):  # room came before we stood in line
                    room.cancel()
                    break
                await asyncio.wait((room,), timeout=patience)
                room.cancel()
                if queued := self.offer(event):
                    break
            return queued
        finally:  # also where the flow's task is cancelled: what is not queued is lost, and counted
            with self._lock:
                self._waited += time.monotonic() - begun  # flows of several loops may end at once
            if not queued:
                self._losses.lose(1, self._error or "the queue was full")

    def close(self, timeout: float = 5.0) -> bool:
        """Writes what is queued and stops; False where that took longer than *timeout* seconds or lost something."""
        self._closing = True
        self._wake.set()
        if self._thread is None:
            return not self._queue
        self._thread.join(timeout)
        self._keeper.close(timeout)
        if self._thread.is_alive():
            return False
        self._losses.lose(self._discard(), "offered while the log was closing")
        return self._error is None

    def state(self) -> JournalState:
        """A snapshot. Any thread."""
        file = self._file
        return JournalState(
            directory=str(self._directory),
            file=file.path.name if file is not None else None,
            written=self._written,
            lost=self._losses.lost,
            queue=len(self._queue),
            error=self._error,
            waited=self._waited,
            seal=self.sealer.state(),
            retention=self._retirement.state,
        )

    # --- the writer's thread

    def _run(self) -> None:
        going_on = True
        while going_on:
            # Where mitmproxy cannot print a line that is logged, it raises SystemExit to end the process: in this
            # thread that would end the log alone, and the disk that is full is often the same.
            with suppress(SystemExit):
                going_on = self._attempt()
        with suppress(SystemExit):
            self._end()
        self._room.release()

    def _end(self) -> None:
        if self._file is not None and self._error is None and self.sealer.unsigned:
            self._sign("close")
        if self._file is not None:
            self._file.close()

    def _attempt(self) -> bool:
        """One turn, whatever happens in it. False: closed, and all is written."""
        try:
            return self._turn()
        except Exception as failure:  # a thread's top: count, say so, go on
            self._fail(f"{type(failure).__name__}: {failure}")
            _logger.warning("decision log: the writer stumbled", exc_info=failure)
            return True

    def _turn(self) -> bool:
        """One round: wait, write, sync, rotate. False: closed, and all is written."""
        self._await_work()
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(BATCH, self.sealer.room(), len(queue)))]
        if batch or self._losses.unsaid or self._file is None or self.sealer.due():
            self._store(batch)
        self._room.release(len(batch))
        now = time.monotonic()
        if self._dirty and (not queue or now - self._synced_at >= self.settings.flush / 2):
            self._sync()
        if self._file is not None and due(self._file, self.settings, self._now()) and now >= self._rotation_at:
            self._rotate(self._file)
        if self._closing and self._error is not None and queue:
            self._losses.lose(self._discard(), self._error)  # no later attempt will come
        return not (self._closing and not queue)

    def _await_work(self) -> None:
        wake = self._wake
        if self._error is not None:
            while not self._closing and (pause := self._retry_at - time.monotonic()) > 0:
                wake.clear()
                if not self._closing:
                    wake.wait(pause)
            return
        if not self._queue:
            if self._file is None:
                return  # the first turn opens, so that status tells early what is wrong
            wake.clear()
            self._idle = True
            if not self._queue and not self._closing and not self._losses.unsaid:
                wake.wait(_IDLE)
            self._idle = False
        # Let a batch gather: waking for each event would take the interpreter from the event loop each time.
        wake.clear()
        if 0 < len(self._queue) < min(BATCH, self._bound) and not self._closing:
            wake.wait(self.settings.flush / 2)

    def _store(self, events: list[Event], signing: str | None = None) -> None:
        """Writes *events*, behind a record of what was lost before; what cannot be written is lost.

        *signing* is why the seal is to be signed behind them.
        """
        left = events
        failure: OSError | None = None
        for _ in range(2):
            loss: RecordsLost | None = None
            records: list[Event] = left
            batch: Batch | None = None
            whole = 0
            failure = None
            try:
                file = self._opened()
                loss = self._losses.event()
                records = left if loss is None else [loss, *left]
                encode = partial(self._lines, records)
                batch = self.sealer.batch(encode, some=bool(records), cause=signing)
                file.append(batch.lines)
                whole = len(batch.lines)
            except PartlyWritten as cause:
                whole = cause.whole
                failure = cause
            except OSError as cause:
                failure = cause
            whole = self._wrote(batch, whole, loss)
            if failure is None:
                self._recovered()
                return
            left = records[max(whole, 0 if loss is None else 1) :]
            self._drop_file()
        assert failure is not None
        self._fail(failure.strerror or str(failure), len(left))

    def _opened(self) -> LiveFile:
        file = self._file
        if file is not None and not file.current():
            self._drop_file()
            file = None
        if file is None:
            file = self._open_file(self._directory, self._stem)
            if file.path == self._last_of and file.sequence < self._last.sequence:
                file.resume(self._last)  # ours was removed under us; numbers are not used twice
            self._file = file
            self.sealer.opened(file)
            self._keeper.notify()
            if file.cut:
                self._losses.report(1, f"a last line of {file.cut} bytes, torn by a crash, was cut")
        return file

    def _drop_file(self) -> None:
        if (file := self._file) is not None:
            self._last, self._last_of = file.last, file.path
            file.close()
            self._file = None

    def _lines(self, events: list[Event], sequence: int) -> list[bytes]:
        """The lines of *events*, from which those that cannot be worded are taken out and counted."""
        line, identify = self._encoder.line, self._identify
        try:
            return [
                line(event, sequence=sequence + position, identifier="" if type(event) is Judged else identify())
                for position, event in enumerate(events, 1)
            ]
        except Exception as failure:
            if len(events) == 1:
                events.clear()
                self._losses.lose(1, f"an event could not be worded: {type(failure).__name__}: {failure}")
                _logger.warning("decision log: an event could not be worded", exc_info=failure)
                return []
        lines: list[bytes] = []
        worded: list[Event] = []
        for event in events:
            alone = [event]
            lines += self._lines(alone, sequence + len(lines))
            worded += alone
        events[:] = worded
        return lines

    def _wrote(self, batch: Batch | None, whole: int, loss: RecordsLost | None) -> int:
        """Counts what the first *whole* lines of *batch* are; how many of them are records of others than the seal."""
        if batch is None or not whole:
            return 0
        self._dirty = True
        self.sealer.wrote(batch, whole)
        whole = batch.written(whole)
        if (file := self._file) is not None and file.began is None:
            file.began = self._now()
        self._unsynced += whole
        self._progress_at = time.monotonic()
        self._written += whole
        if loss is not None and whole:
            self._losses.said(loss)
        return whole

    def _fail(self, why: str, count: int = 0) -> None:
        news = self._error is None
        if news:
            self._pause = _RETRY_FIRST
        else:
            self._pause = min(self._pause * 2, _RETRY_LAST)
            count += self._discard()  # waiting longer would keep them in memory, where a crash loses them unsaid
        self._retry_at = time.monotonic() + self._pause
        self._error = why
        self._losses.lose(count, why)
        self._room.release()  # waiting is of no use
        if news:  # last, since where the disk is full this line may not be printed either
            _logger.warning("decision log: cannot write to %s: %s", self._directory, why)

    def _discard(self) -> int:
        """Empties the queue of what is in it now; how many that were."""
        count = len(self._queue)
        for _ in range(count):
            self._queue.popleft()
        return count

    def _recovered(self) -> None:
        if self._error is not None:
            self._error = None
            _logger.warning(
                "decision log: writing to %s again; %d records lost so far", self._directory, self._losses.lost
            )

    def _sync(self) -> None:
        file = self._file
        if file is None:
            return
        unsynced, self._unsynced, self._dirty = self._unsynced, 0, False
        self._synced_at = time.monotonic()
        try:
            file.sync()
        except OSError as failure:  # what the disk has kept of them is not known, and never will be (fsync(2))
            self._drop_file()
            self._written -= unsynced
            self._fail(f"the disk did not confirm: {failure.strerror or failure}", unsynced)

    def _sign(self, cause: str) -> None:
        """Signs what is written and not signed yet, and has the disk confirm it."""
        self._store([], cause)
        if self._dirty:
            self._sync()

    def _rotate(self, file: LiveFile) -> None:
        self._sign("rotation")
        if self._file is not file:
            return  # it cannot be written; what follows will tell
        try:
            self._file = file.rotated(self._now())
        except OSError as failure:
            self._rotation_at = time.monotonic() + _ROTATION_RETRY
            _logger.warning("decision log: cannot rotate %s: %s", file.path, failure)
        else:
            self._unsynced, self._dirty = 0, False
            self.sealer.rotated(self._file)
            self._keeper.notify()
