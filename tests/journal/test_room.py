import asyncio
import threading

import pytest

from embargo.journal.room import WaitingRoom

COUNTS = {  # case: (waiting, those that went away, released, woken)
    "nobody waits": (0, [], 3, []),
    "first come, first woken": (4, [], 2, [0, 1]),
    "more room than flows": (2, [], 9, [0, 1]),
    "all": (3, [], None, [0, 1, 2]),
    "who went away takes no turn": (4, [0, 2], 2, [1, 3]),
    "no room": (2, [], 0, []),
}


@pytest.mark.parametrize(("waiting", "gone", "released", "woken"), COUNTS.values(), ids=COUNTS)
def test_release(waiting: int, gone: list[int], released: int | None, woken: list[int]) -> None:
    async def scene() -> list[int]:
        room = WaitingRoom()
        places = [room.enter() for _ in range(waiting)]
        for index in gone:
            places[index].cancel()
        thread = threading.Thread(target=room.release, args=(released,))
        thread.start()
        thread.join()
        await asyncio.sleep(0)  # what a thread scheduled runs in the next turn of the loop
        return [index for index, place in enumerate(places) if place.done() and not place.cancelled()]

    assert asyncio.run(scene()) == woken


def test_a_loop_that_has_closed_is_no_error() -> None:
    room = WaitingRoom()

    async def enter() -> None:
        room.enter()

    asyncio.run(enter())
    room.release()
