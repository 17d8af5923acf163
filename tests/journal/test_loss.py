from datetime import datetime, timedelta

from embargo.journal.loss import Losses
from recorded import TIME


class Clock:
    def __init__(self) -> None:
        self.now = TIME

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def test_nothing_lost_is_nothing_said() -> None:
    losses = Losses(Clock())
    losses.lose(0, "no reason")
    assert (losses.lost, losses.unsaid, losses.event()) == (0, 0, None)


def test_losses_add_up_until_they_are_said() -> None:
    losses = Losses(Clock())
    losses.lose(3, "the queue was full")
    losses.lose(4, "No space left on device")
    event = losses.event()
    assert event is not None
    assert (event.count, event.since, event.reason) == (7, TIME + timedelta(seconds=1), "No space left on device")
    losses.said(event)
    assert (losses.lost, losses.unsaid, losses.event()) == (7, 0, None)


def test_what_is_lost_while_it_is_being_said_is_said_next() -> None:
    losses = Losses(Clock())
    losses.lose(3, "a")
    first = losses.event()
    assert first is not None
    losses.lose(2, "b")
    losses.said(first)
    second = losses.event()
    assert second is not None
    assert (second.count, second.since, second.reason) == (2, first.time, "b")


def test_another_process_s_loss_is_said_and_not_counted() -> None:
    losses = Losses(Clock())
    losses.report(1, "a torn line was cut")
    assert (losses.lost, losses.unsaid) == (0, 1)
