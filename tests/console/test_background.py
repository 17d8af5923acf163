"""Values found beside the pages: waited for a while, shown as they were last, found anew when they are old."""

from datetime import UTC, datetime
from threading import Event

from embargo.console.background import Background

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def test_what_takes_long_is_shown_when_it_is_there() -> None:
    go, calls = Event(), []

    def find() -> int:
        calls.append(1)
        assert go.wait(10)
        return len(calls)

    slow = Background(find, lambda: NOW, fresh=1000)
    first = slow.told(0)
    assert (first.value, first.at, first.failure, first.working) == (None, None, None, True)
    assert slow.told(0).working  # one thread at a time
    go.set()
    told = slow.told(10)
    assert (told.value, told.at, told.working) == (1, NOW, False)
    assert slow.told(10).value == 1 and len(calls) == 1  # it is fresh
    slow.forget()
    assert slow.told(10).value == 2


def test_a_failure_keeps_what_was_known() -> None:
    found = iter([7])
    values = Background(lambda: next(found), lambda: NOW, fresh=0)
    assert values.told(10).value == 7
    told = values.told(10)
    assert (told.value, told.failure) == (7, "StopIteration")
