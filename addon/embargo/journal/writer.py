"""The decision log's writer: one thread, a bounded queue, and a count of what did not reach the disk.

What a crash can lose: an event is in the file within half of `settings.flush`, so the end of this process loses
at most that much (the page cache outlives it), and the disk has confirmed it within all of `flush`, so the end
of the machine loses no more than that.

A write that fails is tried once more on a file opened anew, which mends a log directory that was removed or
replaced; after that its records are lost, counted, and a record says so as soon as one can be written. Attempts
go on with growing pauses, and what has come until one fails is lost with it. A full
queue makes the flow wait while the writer gets on, and at most `inbox.PATIENCE` while it does not.
"""

import logging
import threading
import time
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
from embargo.journal.event import ConfigurationChanged, Event, RecordsLost
from embargo.journal.files import STEM
from embargo.journal.identifier import uuid7
from embargo.journal.inbox import Inbox
from embargo.journal.livefile import Last, LiveFile, PartlyWritten
from embargo.journal.loss import Losses
from embargo.journal.pseudonym import Pseudonyms
from embargo.journal.record import Encoder
from embargo.journal.retention.deletion import Retention, Retirement
from embargo.journal.retention.policies import mark_in_force
from embargo.journal.rotation import Keeper, due
from embargo.journal.seal.sealer import Batch, Sealer, SealState
from embargo.journal.wording import Wording

BOUND = 20_000  # events; some 40 MB, and half a second of the writer's work
_RETRY_FIRST, _RETRY_LAST = 0.1, 2.0  # seconds between attempts on a log that cannot be written
_ROTATION_RETRY = 60.0  # seconds

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
        self._now = now
        self._open_file = open_file
        self._losses = Losses(now)
        self._inbox = Inbox(bound, self._losses)
        encoder = Encoder(observer, pseudonyms)
        self._wording = Wording(encoder, identify, self._losses)
        self.sealer = Sealer(directory, encoder, settings=lambda: self.settings.checkpoint, now=now, identify=identify)
        self._retirement = Retirement(directory, lambda: self.settings if self._asked else None, now, self._record)
        self._keeper = Keeper(directory, stem, lambda: self.settings, now, self._retirement, self._record)
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
        self._written = 0

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
        return self._inbox.offer(event)

    def submit(self, event: Event) -> bool:
        """Queues *event*; where there is no room it is counted as lost. For callers that cannot wait."""
        if self.offer(event):
            return True
        self._losses.lose(1, "the queue was full")
        return False

    async def put(self, event: Event) -> bool:
        """Queues *event*, waiting for room while the writer gets on; False: it was counted as lost."""
        return self.offer(event) or await self._inbox.put_patiently(event)

    def close(self, timeout: float = 5.0) -> bool:
        """Writes what is queued and stops; False where that took longer than *timeout* seconds or lost something."""
        self._inbox.close()
        if self._thread is None:
            return not self._inbox
        self._thread.join(timeout)
        self._keeper.close(timeout)
        if self._thread.is_alive():
            return False
        self._losses.lose(self._inbox.discard(), "offered while the log was closing")
        return self._inbox.error is None

    def state(self) -> JournalState:
        """A snapshot. Any thread."""
        file = self._file
        return JournalState(
            directory=str(self._directory),
            file=file.path.name if file is not None else None,
            written=self._written,
            lost=self._losses.lost,
            queue=len(self._inbox),
            error=self._inbox.error,
            waited=self._inbox.waited,
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
        self._inbox.release()

    def _end(self) -> None:
        if self._file is not None and self._inbox.error is None and self.sealer.unsigned:
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
        batch = self._inbox.take(self.sealer.room())
        if batch or self._losses.unsaid or self._file is None or self.sealer.due():
            self._store(batch)
        self._inbox.release(len(batch))
        now = time.monotonic()
        if self._dirty and (not self._inbox or now - self._synced_at >= self.settings.flush / 2):
            self._sync()
        if self._file is not None and due(self._file, self.settings, self._now()) and now >= self._rotation_at:
            self._rotate(self._file)
        if self._inbox.closing and self._inbox.error is not None and self._inbox:
            self._losses.lose(self._inbox.discard(), self._inbox.error)  # no later attempt will come
        return not (self._inbox.closing and not self._inbox)

    def _await_work(self) -> None:
        if self._inbox.error is not None:
            self._inbox.rest(self._retry_at)
        elif self._inbox or self._file is not None:  # else the first turn opens: status tells early what is wrong
            self._inbox.await_events(self.settings.flush / 2)

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
                encode = partial(self._wording.lines, records)
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
        self._inbox.progress_at = time.monotonic()
        self._written += whole
        if loss is not None and whole:
            self._losses.said(loss)
        return whole

    def _fail(self, why: str, count: int = 0) -> None:
        news = self._inbox.error is None
        if news:
            self._pause = _RETRY_FIRST
        else:
            self._pause = min(self._pause * 2, _RETRY_LAST)
            count += self._inbox.discard()  # waiting longer would keep them in memory, where a crash loses them unsaid
        self._retry_at = time.monotonic() + self._pause
        self._inbox.error = why
        self._losses.lose(count, why)
        self._inbox.release()  # waiting is of no use
        if news:  # last, since where the disk is full this line may not be printed either
            _logger.warning("decision log: cannot write to %s: %s", self._directory, why)

    def _recovered(self) -> None:
        if self._inbox.error is not None:
            self._inbox.error = None
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
