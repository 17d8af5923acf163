"""A death is told until it is on the disk, and no longer."""

from datetime import UTC, datetime

from embargo.enforce.process.deaths import MOST, Death, Deaths

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Worker:
    def __init__(self) -> None:
        self.told: list[Death] = []

    def record(self, death: Death) -> None:
        self.told.append(death)


def test_one_is_told_until_it_is_recorded() -> None:
    deaths, first, second = Deaths(), Worker(), Worker()
    deaths.add(NOW, 7, "was ended by SIGKILL")
    deaths.have_recorded(None)
    deaths.have_recorded(first)
    deaths.have_recorded(second)  # the first may have died before it did
    assert first.told == second.told == [Death(id=1, time=NOW, pid=7, reason="was ended by SIGKILL")]
    deaths.recorded(1)
    deaths.have_recorded(second)
    assert len(second.told) == 1


def test_of_too_many_the_later_are_counted_alone() -> None:
    deaths, worker = Deaths(), Worker()
    for _ in range(MOST + 5):
        deaths.add(NOW, 7, "ended")
    deaths.have_recorded(worker)
    assert (len(worker.told), deaths.count) == (MOST, MOST + 5)
