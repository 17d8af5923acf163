"""Hands each checkpoint of each chain to the anchors of `settings.log.anchors`, in threads beside the writer.

The files are the spool, as for sinks: an anchor that is away for a day gets the checkpoints of that day when it is
back, from its cursor on. Of several processes that write to one log, whoever holds the lock of an anchor serves it.
Lines are read in small pieces and only searched for the mark of a checkpoint, so that the proxy beside which this
runs hardly feels it.
"""

import contextlib
import fcntl
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from embargo.core.sink import Sink
from embargo.journal.clock import utc_now
from embargo.journal.files import STEMS, log_files
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.seal.chain import MARK
from embargo.journal.spool import Chain, ChainSpool, Place
from embargo.sinks import keep
from embargo.sinks.keep import BrokenCursor, Cursor, more
from embargo.sinks.message import Composer, Message
from embargo.sinks.receiver import Receiver, Unreachable
from embargo.sinks.receivers import IntoTheLog, receiver_of

_LINES = 200  # lines read in one go: a fraction of a millisecond of the interpreter
_BREATH = 0.001  # seconds between two of them
_BATCH = 100  # checkpoints in one delivery
_POLL = 1.0  # seconds between looks for new lines
_ELSEWHERE = 5.0  # seconds between looks whether another process still serves the anchor
_UNSAVED = 60.0  # seconds after which the cursor is kept although no checkpoint was delivered
_PAUSES = (0.5, 60.0)  # seconds: the first pause after a failure, and the longest


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorState:
    """How an anchor fares, for status and metrics."""

    to: str  # its address
    state: str = "starting"  # "idle", "waiting" (it does not take), "elsewhere" (another process serves it), "stopped"
    anchored: int = 0  # checkpoints that it has, since it was set up
    failures: int = 0  # attempts that failed, since this process began
    error: str | None = None  # of the newest failure, until one succeeds
    last: datetime | None = None  # when it took the newest

    def document(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self) | {"last": self.last.isoformat() if self.last is not None else None}


class Anchors:
    """The anchors of one log directory. Touched by one thread; `states` by any."""

    def __init__(self, log: Path, start: Callable[["Anchor"], None] | None = None) -> None:
        self._log = log
        self._start = start or _in_a_thread
        self._anchors: dict[Sink, Anchor] = {}

    def follow(self, wanted: Sequence[Sink]) -> None:
        """Serve *wanted* from now on, and no others. Never waits and never raises."""
        for sink in [sink for sink in self._anchors if sink not in wanted]:
            self._anchors.pop(sink).stop()
        for sink in wanted:
            if sink not in self._anchors:
                anchor = self._anchors[sink] = Anchor(sink, self._log)
                self._start(anchor)

    def states(self) -> list[AnchorState]:
        """How each fares."""
        return [anchor.state for anchor in list(self._anchors.values())]

    def close(self, timeout: float = 1.0) -> None:
        """The log is closed: hand over what is left, for *timeout* seconds at most. What then is left comes later."""
        for anchor in self._anchors.values():
            anchor.finish()
        deadline = time.monotonic() + timeout
        for anchor in self._anchors.values():
            anchor.ended.wait(max(deadline - time.monotonic(), 0.0))
            anchor.stop()
        self._anchors.clear()


class Anchor:
    """One anchor. `run` is for a thread of its own; the rest for others."""

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
        """Touches no file."""
        self._sink = sink
        self._log = log
        self._receiver = receiver  # None: not made yet
        self._now = now
        self._pauses, self._poll, self._spread = pauses, poll, spread
        self._pause = pauses[0]
        self._composer = Composer(sink, now())
        self._cursor = Cursor()
        self._spools: dict[Chain, ChainSpool] = {}
        self._places: dict[Chain, Place] = {}  # read to, and not kept yet
        self._unsaved = 0.0  # seconds of waiting since they were
        self._wake = threading.Event()
        self._stopping = False
        self._finishing = False
        self.ended = threading.Event()
        self.state = AnchorState(to=str(sink.to))  # replaced whole, so that any thread may read it

    def stop(self) -> None:
        """Let `run` end soon."""
        self._stopping = True
        self._wake.set()

    def finish(self) -> None:
        """Let `run` end once nothing is left, or at the first failure."""
        self._finishing = True
        self._wake.set()

    def run(self) -> None:
        """Hand checkpoints over until stopped."""
        try:
            while not self._stopping:
                try:
                    with self._lock() as ours:
                        if ours:
                            self._serve()
                        else:
                            self._tell(state="elsewhere", error=None)
                except (BrokenCursor, IntoTheLog) as refused:
                    self._failed(str(refused))
                except OSError as failure:  # no log yet, a full disk: not ours to mend, and tried again
                    self._failed(f"{failure.filename or self._log}: {failure.strerror or failure}")
                except Exception as failure:  # noqa: BLE001 - a thread's top: told, and tried again
                    self._failed(f"{type(failure).__name__}: {failure}")
                if self._finishing or self._wait(_ELSEWHERE):
                    return
        finally:
            if self._receiver is not None:
                self._receiver.close()
            self._close_spools()
            self._tell(state="stopped")
            self.ended.set()

    def _serve(self) -> None:
        """Be the one that serves it, until stopped. Raises BrokenCursor, IntoTheLog, OSError."""
        receiver = self._receiver = self._receiver or receiver_of(self._sink, self._log)
        self._cursor = keep.load(self._log, self._sink.id)
        self._close_spools()
        self._places = dict(self._cursor.places)
        self._tell(state="idle", anchored=self._cursor.counts.delivered, error=None)
        while not self._stopping:
            messages = self._read()
            if messages and not self._deliver(receiver, messages):
                return
            if not messages:
                receiver.idle()
                self._rest()
                if self._finishing or self._wait(self._poll):
                    return

    def _read(self) -> list[Message]:
        """The next checkpoints, at most `_BATCH`; none where none is there now."""
        found: list[Message] = []
        for chain in self._chains():
            spool = self._spools.get(chain)
            if spool is None:
                spool = self._spools[chain] = ChainSpool(self._log, chain, self._places.get(chain))
            while not self._stopping and len(found) < _BATCH and (lines := spool.read(_LINES)):
                for line in lines:
                    if MARK in line.raw:
                        with contextlib.suppress(BrokenRecord):
                            found.append(self._composer.message(Record.parse(line.raw)))
                self._places[chain] = lines[-1].place
                self._wake.wait(_BREATH)
        return found

    def _chains(self) -> list[Chain]:
        try:
            return list({file.chain: None for stem in STEMS for file in log_files(self._log, stem)})
        except FileNotFoundError:
            return []

    def _deliver(self, receiver: Receiver, messages: Sequence[Message]) -> bool:
        """Hand *messages* over, again and again; False where told to end before they were taken."""
        while True:
            try:
                delivery = receiver.deliver(messages)
                if not delivery.again and not delivery.refused:
                    break
                why = delivery.why or (delivery.refused[0][1] if delivery.refused else "")
                self._failed(why or "not all were taken")
            except Unreachable as failure:
                self._failed(str(failure))
            if self._finishing or self._wait(self._pause * (0.5 + self._spread() / 2)):
                return False
            self._pause = min(self._pauses[1], self._pause * 2)
        self._pause = self._pauses[0]
        counts = more(self._cursor.counts, delivered=len(messages))
        self._keep(replace(self._cursor, counts=counts))
        self._tell(state="idle", anchored=counts.delivered, error=None, last=self._now())
        return True

    def _rest(self) -> None:
        """Nothing is there now."""
        self._unsaved += self._poll
        if self._unsaved >= _UNSAVED and self._places != self._cursor.places:
            self._keep(self._cursor)

    def _keep(self, cursor: Cursor) -> None:
        cursor = replace(cursor, places=dict(self._places))
        keep.save(self._log, self._sink.id, cursor)
        self._cursor, self._unsaved = cursor, 0.0

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Whether we are the one that serves it, for as long as this lasts."""
        path = keep.directory_of(self._log) / f".{self._sink.id}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            ours = True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                ours = False
            yield ours
        finally:
            os.close(descriptor)

    def _wait(self, seconds: float) -> bool:
        """Pause; True where told to end. Told to finish, it goes on at once."""
        if not self._finishing:
            self._wake.wait(seconds)
        return self._stopping

    def _failed(self, why: str) -> None:
        self._tell(state="waiting", failures=self.state.failures + 1, error=why)

    def _tell(self, **members: object) -> None:
        self.state = replace(self.state, **members)  # type: ignore[arg-type]

    def _close_spools(self) -> None:
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()


def _in_a_thread(anchor: Anchor) -> None:
    threading.Thread(target=anchor.run, name=f"embargo-{anchor.state.to}", daemon=True).start()
