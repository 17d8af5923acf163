"""How long the fuzzers look: a fixed set of examples in `make test`, for so many seconds in `make fuzz`."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

SECONDS = float(os.environ.get("EMBARGO_FUZZ_SECONDS", 0))  # of looking, over all fuzzers; 0: the fixed set
_ROUND = 50  # examples between two looks at the clock


@dataclass
class Explored:
    """What one fuzzer has done."""

    name: str
    examples: int
    seconds: float


explored: list[Explored] = []  # for the summary at the end of a run


def explore[T](
    name: str, check: Callable[[T], None], strategy: SearchStrategy[T], *, examples: int, share: float
) -> None:
    """Run *check* on *examples* that are always the same, or on new ones for its *share* of SECONDS.

    Without a share it looks at the same ones in either case.
    """
    done = Explored(name, 0, 0.0)
    explored.append(done)
    started = time.monotonic()

    def once(example: T) -> None:
        done.examples += 1
        check(example)

    def look(**more: object) -> None:
        # An example is a conversation with a proxy, or has a structure that leaves out a lot: no hints on speed.
        bounds = settings(deadline=None, suppress_health_check=list(HealthCheck), **more)  # type: ignore[arg-type]
        bounds(given(strategy)(once))()

    try:
        if not SECONDS or not share:
            look(max_examples=examples, derandomize=True, database=None)
        while time.monotonic() - started < SECONDS * share:
            look(max_examples=_ROUND)
    finally:
        done.seconds = time.monotonic() - started
