"""A whole chain that is gone is missed by whoever has an anchor."""

import pytest

from embargo.journal.retention.tombstone import Tombstone
from embargo.journal.seal.tally import Head
from embargo.journal.seal.vanished import vanished


def head(sequence: int, chain: str = "decisions.2") -> Head:
    return Head(chain, sequence, "ab" * 32, "the anchor a")


def stone(last: int, chain: str = "decisions.2") -> Tombstone:
    return Tombstone(
        file="f", chain=chain, first=1, last=last, seal="", since="", until="", accounted=True, key="", signature=""
    )  # fmt: skip


CASES: dict[str, tuple[list[Head], set[str], list[Tombstone], list[tuple[str, int | None, int | None]]]] = {
    "it is there": ([head(9)], {"decisions.2"}, [], []),
    "it is gone": ([head(5), head(9), head(7)], {"decisions"}, [], [("decisions.2", 1, 9)]),
    "it was deleted whole": ([head(9)], set(), [stone(4), stone(9)], []),
    "it was deleted in part": ([head(9)], set(), [stone(4)], [("decisions.2", 5, 9)]),
    "another was deleted": ([head(9)], set(), [stone(9, "decisions.3")], [("decisions.2", 1, 9)]),
    "two": ([head(9), head(3, "audit")], set(), [], [("audit", 1, 3), ("decisions.2", 1, 9)]),
}


@pytest.mark.parametrize(("heads", "present", "stones", "found"), CASES.values(), ids=CASES)
def test_vanished(
    heads: list[Head],
    present: set[str],
    stones: list[Tombstone],
    found: list[tuple[str, int | None, int | None]],
) -> None:
    assert [(each.chain, each.first, each.last) for each in vanished(heads, present, stones)] == found
