"""A sink's way from the log files: in order, at least once, over failures, restarts, rotation and retention."""

import json
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embargo.core.sink import Batch
from embargo.journal.files import rotated_name
from embargo.journal.rotation import compress
from embargo.sinks import keep, status
from embargo.sinks.courier import Courier
from embargo.sinks.keep import BrokenCursor
from embargo.sinks.letters import letters_of
from embargo.sinks.message import BadFilter, Message
from embargo.sinks.receiver import Delivery, Unreachable
from recorded import until
from sinks.inbox import Elasticsearch, served
from sinks.spooled import NOW, identifier, sink, write


class Inbox:
    """Takes messages as *answers* say, one an attempt; then all."""

    def __init__(self, *answers: Callable[[Sequence[Message]], Delivery]) -> None:
        self.got: list[str] = []
        self.answers = list(answers)
        self.attempts = 0

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        self.attempts += 1
        delivery = self.answers.pop(0)(messages) if self.answers else Delivery()
        left_out = {*delivery.again, *(position for position, _ in delivery.refused)}
        self.got += [message.id for position, message in enumerate(messages) if position not in left_out]
        return delivery

    def idle(self) -> None: ...

    def close(self) -> None: ...


def down(_messages: Sequence[Message]) -> Delivery:
    raise Unreachable("connection refused")


def ids(first: int, last: int) -> list[str]:
    return [identifier(number) for number in range(first, last + 1)]


def courier(log: Path, inbox: Any, **members: object) -> Courier:
    to = sink("relps://siem.example.com", **members)
    return Courier(to, log, receiver=inbox, now=lambda: NOW, pauses=(0.001, 0.002), poll=0.001)


def delivered(log: Path, inbox: Inbox, want: Callable[[], bool], **members: object) -> Courier:
    """Runs a courier until *want* holds."""
    made = courier(log, inbox, **members)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        until(want)
        until(lambda: made.progress.state == "idle")
    finally:
        made.stop()
        thread.join()
    return made


def test_all_in_order_and_counted(tmp_path: Path) -> None:
    write(tmp_path, 1, 1200)
    inbox = Inbox()
    made = courier(tmp_path, inbox)
    made.run(once=True)
    assert inbox.got == ids(1, 1200)
    assert made.progress.cursor.counts == keep.Counts(delivered=1200)
    assert status.lag_records(tmp_path, made.progress.cursor.places) == 0


def test_the_next_courier_goes_on(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    courier(tmp_path, Inbox()).run(once=True)
    write(tmp_path, 4, 5)
    inbox = Inbox()
    courier(tmp_path, inbox).run(once=True)
    assert inbox.got == ids(4, 5)


def test_down_for_a_time(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    inbox = Inbox(down, down, down)
    made = delivered(tmp_path, inbox, lambda: len(inbox.got) == 3)
    assert inbox.got == ids(1, 3)
    assert made.progress.failures == 3
    assert (made.progress.error, made.progress.last_error) == (None, "connection refused")


def test_what_is_refused_for_now_alone_comes_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 4)
    inbox = Inbox(lambda _: Delivery(again=(1, 3), why="429"), lambda _: Delivery(again=(0,), why="429"))
    delivered(tmp_path, inbox, lambda: len(inbox.got) == 4)
    assert sorted(inbox.got) == ids(1, 4)


def test_what_is_never_taken_is_set_aside_and_holds_up_nothing(tmp_path: Path) -> None:
    write(tmp_path, 1, 4)
    inbox = Inbox(lambda _: Delivery(refused=((2, "400 mapper_parsing_exception"),)))
    made = courier(tmp_path, inbox)
    made.run(once=True)
    assert inbox.got == [*ids(1, 2), *ids(4, 4)]
    assert made.progress.cursor.counts == keep.Counts(delivered=3, dead=1)
    path = letters_of(tmp_path, "siem")
    (letter,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (letter["id"], letter["reason"]) == (identifier(3), "400 mapper_parsing_exception")
    assert letter["record"]["event"]["id"] == identifier(3)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_single_record_is_blamed_only_beside_others(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)

    def alone(messages: Sequence[Message]) -> Delivery:
        assert len(messages) == 1
        write(tmp_path, 2, 2)
        raise Unreachable("400", alone=True)

    inbox = Inbox(alone, lambda messages: Delivery(refused=((0, "400"),)) if len(messages) == 2 else Delivery())
    made = delivered(tmp_path, inbox, lambda: inbox.attempts == 2)
    assert inbox.got == ids(2, 2)
    assert made.progress.cursor.counts.dead == 1


def test_stopped_in_the_middle_repeats_the_batch_and_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    inbox = Inbox(lambda _: Delivery(again=(2,), why="429"), *[down] * 1000)
    made = courier(tmp_path, inbox)
    thread = threading.Thread(target=made.run)
    thread.start()
    until(lambda: inbox.attempts > 2)
    made.stop()
    thread.join()
    again = Inbox()
    courier(tmp_path, again).run(once=True)
    assert again.got == ids(1, 3)


def test_one_that_does_not_end_moves_the_cursor_no_more(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    reached, go_on = threading.Event(), threading.Event()

    def slow(_messages: Sequence[Message]) -> Delivery:
        reached.set()
        assert go_on.wait(20)
        return Delivery()

    made = courier(tmp_path, Inbox(slow))
    thread = threading.Thread(target=made.run)
    thread.start()
    assert reached.wait(20)
    made.abandon()
    go_on.set()
    thread.join()
    again = Inbox()
    courier(tmp_path, again).run(once=True)
    assert again.got == ids(1, 3)


def test_a_filter(tmp_path: Path) -> None:
    write(tmp_path, 1, 6)
    inbox = Inbox()
    made = courier(tmp_path, inbox, filter="verdict:block app:alipay")
    made.run(once=True)
    assert inbox.got == [identifier(number) for number in (1, 2, 4, 5)]
    assert made.progress.cursor.counts == keep.Counts(delivered=4, filtered=2)


def test_the_past_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, 1, 6)
    inbox = Inbox()
    since = (NOW + timedelta(milliseconds=4)).isoformat()
    made = courier(tmp_path, inbox, filter=f"since:{since}")
    made.run(once=True)
    assert inbox.got == ids(4, 6)
    assert made.progress.cursor.counts == keep.Counts(delivered=3, filtered=3)


@pytest.mark.parametrize("text", ["verdict:blok", "'unclosed", "nokey:x"])
def test_a_filter_that_is_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadFilter, match="the filter of the sink 'siem'"):
        courier(tmp_path, Inbox(), filter=text)


def test_a_broken_line_is_counted_and_passed(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    with (tmp_path / "decisions.jsonl").open("ab") as target:
        target.write(b'{"@timestamp":broken\n')
    write(tmp_path, 2, 2)
    inbox = Inbox()
    made = courier(tmp_path, inbox)
    made.run(once=True)
    assert inbox.got == ids(1, 2)
    assert made.progress.cursor.counts == keep.Counts(delivered=2, broken=1)


def test_rotation_and_retention(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    courier(tmp_path, Inbox(down)).run(once=True)
    live = tmp_path / "decisions.jsonl"
    for first, last in ((1, 3), (4, 6), (7, 9)):
        if first > 1:
            write(tmp_path, first, last)
        compress(live.rename(tmp_path / rotated_name(live.name, NOW, first)))
    write(tmp_path, 10, 12)
    inbox = Inbox()
    made = courier(tmp_path, inbox)
    made.run(once=True)
    assert inbox.got == ids(1, 12)
    write(tmp_path, 13, 15)
    live.rename(tmp_path / rotated_name(live.name, NOW, 10)).unlink()
    write(tmp_path, 16, 16)
    again = Inbox()
    made = courier(tmp_path, again)
    made.run(once=True)
    assert again.got == ids(16, 16)
    assert made.progress.cursor.counts.missing == 3


def test_a_cursor_that_is_broken_is_not_begun_anew(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    courier(tmp_path, Inbox()).run(once=True)
    (tmp_path / "sinks/siem.cursor.json").write_text("{")
    with pytest.raises(BrokenCursor, match=r"siem\.cursor\.json is no cursor"):
        courier(tmp_path, Inbox())


def test_what_is_kept_is_ours_alone(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    courier(tmp_path, Inbox()).run(once=True)
    assert (tmp_path / "sinks").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "sinks/siem.cursor.json").stat().st_mode & 0o777 == 0o600


def test_elasticsearch_end_to_end(tmp_path: Path) -> None:
    """Records come twice after a kill, items are refused for now and for good: each is there once, none is missing."""
    write(tmp_path, 1, 700)
    with served(Elasticsearch()) as elastic:
        busy = {identifier(number) for number in range(100, 120)}

        def item(found: str, _: object) -> tuple[int, str] | None:
            if found == identifier(7):
                return 400, "mapper_parsing_exception"
            return (429, "es_rejected_execution_exception") if found in busy and not elastic.refused[found] else None

        elastic.item = item
        to = sink(f"http://127.0.0.1:{elastic.port}", batch=Batch.ELASTICSEARCH)
        made = Courier(to, tmp_path, now=lambda: NOW, pauses=(0.001, 0.002), poll=0.001)
        thread = threading.Thread(target=made.run)
        thread.start()
        until(lambda: len(elastic.documents) == 699)
        until(lambda: made.progress.state == "idle")
        made.stop()
        thread.join()
        (tmp_path / "sinks/siem.cursor.json").unlink()  # as a kill before the cursor was written
        write(tmp_path, 701, 701)
        Courier(to, tmp_path, now=lambda: NOW).run(once=True)
        assert set(elastic.documents) == {*ids(1, 6), *ids(8, 701)}
        assert elastic.wrong == []
