"""What the report says of two workers: whether the goal is met, and whether the figure counts at all."""

import pytest

from bench.workers import GOAL, QUIET, ROUNDS, Throughput, Turn, lines

CASES = {  # case: (rate of two over one, cores that others took in each round, what is said)
    "above the goal": (GOAL + 0.1, [0.0] * ROUNDS, f"; meets the goal of {GOAL}."),
    "below the goal": (GOAL - 0.1, [0.0] * ROUNDS, f"; **misses the goal of {GOAL}**."),
    "one loud round more": (GOAL - 0.1, [0.0] * ROUNDS + [2 * QUIET], f"; **misses the goal of {GOAL}**."),
    "all loud": (GOAL + 0.1, [2 * QUIET] * ROUNDS, f"; **not valid against the goal of {GOAL}**."),
}


@pytest.mark.parametrize(("ratio", "others", "said"), CASES.values(), ids=CASES)
def test_lines(ratio: float, others: list[float], said: str) -> None:
    rounds = [{1: Turn(100.0, 9.0, 0.1, loud), 2: Turn(100.0 * ratio, 9.0, 0.1, loud)} for loud in others]
    assert any(line.endswith(said) for line in lines(Throughput(rounds, {1: 90.0, 2: 150.0})))
