"""Takes one sink's records from the log files to its receiver: at least once, in order, at the receiver's pace.

A batch is read, sent, sent again with growing pauses until it is done, and only then the cursor moves. A record that
the receiver will never take is set aside, and holds up nothing. What is behind a slow or dead receiver waits in the
log files, where it lies anyway.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from embargo.core.sink import Sink
from embargo.journal.clock import utc_now
from embargo.journal.spool import Line, Spool, time_of
from embargo.sinks import keep, letters
from embargo.sinks.keep import Cursor, more
from embargo.sinks.message import Composer, Message
from embargo.sinks.receiver import Receiver, Unreachable
from embargo.sinks.receivers import receiver_of

BATCH = 500  # lines: half a megabyte as a rule
_MOST_TEXT = 4 * 1024 * 1024  # bytes of a batch; receivers take 5 MB and more as a rule
_POLL = 0.25  # seconds between looks for new lines
_PAUSES = (0.5, 60.0)  # seconds: the first pause after a failure, and the longest
_logger = logging.getLogger(__name__)
_MORE = 20  # lines by which a batch grows of which everything is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a courier is doing, for `embargo sinks status` and the metrics."""

    cursor: Cursor
    state: str = "starting"  # "idle", "delivering", "waiting" for a receiver that does not take, "stopped"
    failures: int = 0  # attempts that failed, since the courier began
    error: str | None = None  # of the newest failure, until a batch is done
    last_error: str | None = None  # the newest, whatever came after
    last_error_time: datetime | None = None
    oldest: str | None = None  # @timestamp of the oldest record that is not done with; None: nothing waits


class Courier:
    """One sink's. `run` is for a thread of its own; the rest for others."""

    def __init__(
        self,
        sink: Sink,
        log: Path,
        *,
        receiver: Receiver | None = None,
        now: Callable[[], datetime] = utc_now,
        pauses: tuple[float, float] = _PAUSES,
        poll: float = _POLL,
        spread: Callable[[], float] = random.random,
    ) -> None:
        """Raises BadFilter, BrokenCursor, IntoTheLog, OSError."""
        self.sink = sink
        self._log = log
        self._now = now
        self._pauses, self._poll, self._spread = pauses, poll, spread
        self._composer = Composer(sink, now())
        self._cursor = keep.load(log, sink.id)
        self._receiver = receiver or receiver_of(sink, log)
        self._spool = Spool(log, self._cursor.places)
        self._missing_before = 0
        self._broken_before = 0
        self._stop = threading.Event()
        self._saving = threading.Lock()
        self._abandoned = False
        self._pause = pauses[0]
        self.progress = Progress(cursor=self._cursor)  # replaced whole, so that any thread may read it

    def stop(self) -> None:
        """Let `run` end soon; what is under way is sent again by the next courier."""
        self._stop.set()

    def abandon(self) -> None:
        """Leave one that does not end, held up by its receiver: from now on it moves the cursor no more."""
        with self._saving:
            self._abandoned = True
        self._stop.set()

    def run(self, *, once: bool = False) -> None:
        """Deliver until stopped; with *once* until nothing is left, or the receiver does not take it."""
        try:
            while not self._stop.is_set():
                try:
                    done = self._step(once=once)
                except OSError as failure:  # of the log, or of what we keep
                    self._failed(f"{failure.filename or self._log}: {failure.strerror or failure}")
                    self._rewind()
                    if once or self._wait():
                        return
                    continue
                except Exception as fault:  # a thread's top: said and counted, and tried again; other sinks go on
                    _logger.warning("sink %s", self.sink.id, exc_info=fault)
                    self._failed(f"{type(fault).__name__}: {fault}")
                    self._rewind()
                    if once or self._wait():
                        return
                    continue
                if once and not done:
                    return
                if not done:
                    self._receiver.idle()
                    self._stop.wait(self._poll)
        finally:
            self._receiver.close()
            self._spool.close()
            self._tell(state="stopped")

    def _step(self, *, once: bool) -> bool:
        """One batch, begun and done with; False where there was nothing, or where it was not done."""
        lines = self._spool.read(BATCH)
        if not lines:
            self._tell(state="idle", oldest=None)
            return False
        messages = self._composer.messages(line.raw for line in lines)
        filtered = len(lines) - len(messages)
        self._tell(state="delivering", oldest=_time(lines[0]))
        delivered = dead = 0
        pending = messages
        while pending:
            part, rest = _first_part(pending)
            try:
                delivery = self._receiver.deliver(part)
            except Unreachable as failure:
                self._failed(str(failure))
                if once or self._wait():
                    self._rewind()
                    return False
                if failure.everything and len(pending) < BATCH and (further := self._spool.read(_MORE)):
                    lines += further
                    fresh = self._composer.messages(line.raw for line in further)
                    filtered += len(further) - len(fresh)
                    pending = [*pending, *fresh]
                continue
            for position, why in delivery.refused:
                letters.bury(self._log, self.sink.id, part[position], why, self._now())
            dead += len(delivery.refused)
            done = len(part) - len(delivery.again) - len(delivery.refused)
            delivered += done
            pending = [*(part[position] for position in delivery.again), *rest]
            if delivery.again:
                if done:
                    self._pause = self._pauses[0]
                self._failed(delivery.why)
                if once or self._wait():
                    self._rewind()
                    return False
        self._pause = self._pauses[0]
        self._done(lines, delivered=delivered, dead=dead, filtered=filtered)
        return True

    def _done(self, lines: Sequence[Line], *, delivered: int, dead: int, filtered: int) -> None:
        missing, broken = self._spool.missing, self._composer.broken
        counts = more(
            self._cursor.counts,
            delivered=delivered,
            dead=dead,
            filtered=filtered - (broken - self._broken_before),
            missing=missing - self._missing_before,
            broken=broken - self._broken_before,
        )
        places = dict(self._cursor.places) | {line.chain: line.place for line in lines}
        newest = max(filter(None, (self._cursor.newest, *map(_time, lines))), default=None)
        cursor = Cursor(places=places, counts=counts, newest=newest)
        with self._saving:
            if self._abandoned:  # another courier of this name goes on from the cursor as it was
                return
            keep.save(self._log, self.sink.id, cursor)
        self._cursor, self._missing_before, self._broken_before = cursor, missing, broken
        self._tell(cursor=cursor, error=None)

    def _rewind(self) -> None:
        """Read again from the cursor on."""
        self._spool.close()
        self._spool = Spool(self._log, self._cursor.places)
        self._missing_before = 0
        self._broken_before = self._composer.broken

    def _failed(self, why: str) -> None:
        self._tell(
            state="waiting",
            failures=self.progress.failures + 1,
            error=why,
            last_error=why,
            last_error_time=self._now(),
        )

    def _wait(self) -> bool:
        """Pause, each time longer and never the same for all that wait; True where the courier is to end."""
        ended = self._stop.wait(self._pause * (0.5 + self._spread() / 2))
        self._pause = min(self._pauses[1], self._pause * 2)
        return ended

    def _tell(self, **members: object) -> None:
        self.progress = replace(self.progress, **members)  # type: ignore[arg-type]


def _first_part(messages: Sequence[Message]) -> tuple[Sequence[Message], Sequence[Message]]:
    """As many of *messages* as go into one batch, one at least, and the rest."""
    size = 0
    for index, message in enumerate(messages):
        size += len(message.text)
        if index and size > _MOST_TEXT:
            return messages[:index], messages[index:]
    return messages, ()


def _time(line: Line) -> str | None:
    return time_of(line.raw).decode("ascii", "replace") or None
