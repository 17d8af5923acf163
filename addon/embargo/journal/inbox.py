"""The bounded queue in front of the log's writer: flows put events in and wait for room, one thread takes them out."""

import asyncio
import threading
import time
from collections import deque

from embargo.journal.event import Event
from embargo.journal.loss import Losses
from embargo.journal.room import WaitingRoom

BATCH = 1000  # events a write call
PATIENCE = 2.0  # seconds that a flow waits while the writer makes no progress (DESIGN 7)
_IDLE = 1.0  # seconds between looks at the clock when nothing comes


class Inbox:
    """Any thread may offer; `put_patiently` is for a running event loop; what stands below is for the writer."""

    def __init__(self, bound: int, losses: Losses) -> None:
        self.error: str | None = None  # why events cannot be written now; set by the writer alone
        self.closing = False
        self.progress_at = time.monotonic()  # when the writer last wrote
        self.waited = 0.0  # seconds that flows have waited for room, in all
        self._bound = bound
        self._losses = losses
        self._queue: deque[Event] = deque()
        self._wake = threading.Event()
        self._idle = False  # the writer sleeps until something comes
        self._room = WaitingRoom()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, event: Event) -> bool:
        """Queues *event* and never blocks; False (and nothing is counted) where the queue is full or closed."""
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._bound or self.closing:
            return False
        queue.append(event)
        if self._idle or waiting == BATCH - 1:
            self._wake.set()
        return True

    async def put_patiently(self, event: Event) -> bool:
        """Queues *event*, waiting for room while the writer gets on; False: it was counted as lost."""
        begun = time.monotonic()
        queued = False
        try:
            while not self.closing and self.error is None:
                patience = max(begun, self.progress_at) + PATIENCE - time.monotonic()
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
                self.waited += time.monotonic() - begun  # flows of several loops may end at once
            if not queued:
                self._losses.lose(1, self.error or "the queue was full")

    def close(self) -> None:
        """Take nothing more, and have the writer come to its end."""
        self.closing = True
        self._wake.set()

    # --- the writer's side

    def take(self, most: int) -> list[Event]:
        """The first *most* events, at most a batch."""
        queue = self._queue
        return [queue.popleft() for _ in range(min(BATCH, most, len(queue)))]

    def discard(self) -> int:
        """Empties the queue of what is in it now; how many that were."""
        count = len(self._queue)
        for _ in range(count):
            self._queue.popleft()
        return count

    def release(self, count: int | None = None) -> None:
        """There is room for *count* more; None: waiting is of no use."""
        self._room.release(count)

    def rest(self, until: float) -> None:
        """Wait until then (monotonic), whatever comes, but not once it is closing."""
        while not self.closing and (pause := until - time.monotonic()) > 0:
            self._wake.clear()
            if not self.closing:
                self._wake.wait(pause)

    def await_events(self, gathering: float) -> None:
        """Wait until an event comes or some time has passed, and then *gathering* seconds for a batch of them."""
        wake = self._wake
        if not self._queue:
            wake.clear()
            self._idle = True
            if not self._queue and not self.closing and not self._losses.unsaid:
                wake.wait(_IDLE)
            self._idle = False
        # Let a batch gather: waking for each event would take the interpreter from the event loop each time.
        wake.clear()
        if 0 < len(self._queue) < min(BATCH, self._bound) and not self.closing:
            wake.wait(gathering)
