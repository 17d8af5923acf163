"""UUIDv7 (RFC 9562, 5.7): ids that sort by time, for records and the incident ids on a block page.

Python 3.13 has none. Layout as in CPython 3.14: 48 bits of milliseconds, then a 42-bit counter that starts at
random in each millisecond and rises by one (RFC 9562, 6.2, method 1), then 32 fresh random bits.
"""

import os
import threading
import time
from collections.abc import Callable

_COUNTER_BITS = 42
_COUNTER_TOP = (1 << _COUNTER_BITS) - 1
_SEED_MASK = _COUNTER_TOP >> 1  # the top bit is left to count into, so a millisecond never runs out


class Identifiers:
    """A source of UUIDv7 that never goes back, whatever the clock does. Thread-safe."""

    def __init__(
        self,
        now: Callable[[], int] = time.time_ns,  # nanoseconds since 1970
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._now = now
        self._random = random
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def __call__(self) -> str:
        """The next id, in its text form of 36 characters; greater than every one before it."""
        noise = int.from_bytes(self._random(10))
        millisecond = self._now() // 1_000_000
        with self._lock:
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                self._counter = (noise >> 32) & _SEED_MASK
            else:  # the same millisecond, or a clock set back
                self._counter += 1
                if self._counter > _COUNTER_TOP:
                    self._millisecond += 1
                    self._counter = (noise >> 32) & _SEED_MASK
            millisecond, counter = self._millisecond, self._counter
        value = (
            (millisecond & 0xFFFF_FFFF_FFFF) << 80
            | 0x7 << 76
            | (counter >> 30) << 64
            | 0b10 << 62
            | (counter & 0x3FFF_FFFF) << 32
            | (noise & 0xFFFF_FFFF)
        )
        digits = f"{value:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


uuid7 = Identifiers()
