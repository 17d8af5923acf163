"""How long judging takes, as a histogram: one decision in sixteen is timed, so that innocent traffic does not pay.

Two readings of the clock and a search for the bucket cost 0.2 µs, a decision 1 to 7 µs (`make bench`): timed each
time, up to a tenth of judging would be the measuring. Of every sixteenth it is 0.03 µs, and the shape of the
distribution is the same.
"""

from bisect import bisect_left
from collections.abc import Mapping

EVERY = 16  # decisions for one that is timed
BOUNDS = (2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2)  # seconds: upper bounds, the last one open


class Latency:
    """Durations by bucket."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # not cumulative
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one decision that took *seconds*."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def describe(self) -> Mapping[str, object]:
        """What `embargo status` shows: `bounds` (seconds), `counts` a bucket, the last without bound, and their sum."""
        return {"every": EVERY, "bounds": list(BOUNDS), "counts": list(self.counts), "seconds": self.seconds}
