import threading
import uuid
from itertools import pairwise

import pytest

from embargo.journal.identifier import Identifiers, uuid7


class Clock:
    def __init__(self, *milliseconds: int) -> None:
        self.left = list(milliseconds)

    def __call__(self) -> int:
        return (self.left.pop(0) if len(self.left) > 1 else self.left[0]) * 1_000_000


def test_layout_of_rfc_9562() -> None:
    identifier = uuid.UUID(Identifiers(Clock(0x0190_1234_5678), lambda count: b"\xff" * count)())
    assert (identifier.version, identifier.variant) == (7, uuid.RFC_4122)
    assert identifier.int >> 80 == 0x0190_1234_5678


CLOCKS = {  # case: the clock's milliseconds
    "one millisecond": (5,),
    "rising": (1, 2, 3, 4),
    "set back": (9, 3, 3, 1, 9, 10),
}


@pytest.mark.parametrize("milliseconds", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("noise", [b"\x00", b"\xff"], ids=["all zeros", "all ones"])
def test_every_id_is_greater_than_the_one_before(milliseconds: tuple[int, ...], noise: bytes) -> None:
    identify = Identifiers(Clock(*milliseconds), lambda count: noise * count)
    made = [identify() for _ in range(50)]
    assert all(earlier < later for earlier, later in pairwise(made))


def test_a_counter_that_runs_over_borrows_the_next_millisecond() -> None:
    identify = Identifiers(Clock(5), lambda count: b"\x00" * count)
    identify()
    identify._counter = (1 << 42) - 1
    before, after = identify(), identify()
    assert before < after
    assert uuid.UUID(before).int >> 80 == 6


def test_threads_never_share_an_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda out=out: out.extend(uuid7() for _ in range(2000))) for out in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({identifier for out in made for identifier in out}) == 8000
    assert all(out == sorted(out) for out in made)
