"""Where flows wait for room in the writer's queue: futures of their event loops, woken by the writer's thread."""

import asyncio
import contextlib
import threading
from collections import deque


class WaitingRoom:
    """First come, first woken. `wait` is for a running event loop, `release` for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    def enter(self) -> "asyncio.Future[None]":
        """A place in the line; it is done when there may be room."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self._waiting.append((loop, place))
        return place

    def release(self, count: int | None = None) -> None:
        """Wakes up to *count* of those who wait; all where it is None."""
        if not self._waiting:
            return
        woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        with self._lock:
            left = len(self._waiting) if count is None else count
            while left > 0 and self._waiting:
                loop, place = self._waiting.popleft()
                if not place.done():  # else its flow has gone already
                    woken.setdefault(loop, []).append(place)
                    left -= 1
        for loop, places in woken.items():
            with contextlib.suppress(RuntimeError):  # the loop has closed, and its flows with it
                loop.call_soon_threadsafe(_wake, places)


def _wake(places: "list[asyncio.Future[None]]") -> None:
    for place in places:
        if not place.done():
            place.set_result(None)
