"""A sink's way from the log files: in order, at least once, over failures, restarts, rotation and retention."""

import contextlib
import errno
import importlib
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
from embargo.journal.spool import ChainSpool, Line
from embargo.sinks import keep, status
from embargo.sinks.courier import BATCH, Courier
from embargo.sinks.keep import BrokenCursor, Cursor
from embargo.sinks.letters import letters_of
from embargo.sinks.message import BadFilter, Message
from embargo.sinks.receiver import Delivery, Unreachable
from recorded import until
from sinks.inbox import Elasticsearch, served
from sinks.spooled import NOW, identifier, lines, sink, write


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


@pytest.mark.parametrize("bad", [1, 3], ids=["one", "several that follow each other"])
def test_records_are_blamed_only_beside_others(tmp_path: Path, bad: int) -> None:
    """What is refused as a whole waits for a record that is taken: it shows whose fault it is."""
    write(tmp_path, 1, 1)

    def strict(messages: Sequence[Message]) -> Delivery:
        wrong = [position for position, message in enumerate(messages) if message.id <= identifier(bad)]
        if len(wrong) == len(messages):
            write(tmp_path, 1 + len(messages), 1 + len(messages))
            raise Unreachable("400", everything=True)
        return Delivery(refused=tuple((position, "400") for position in wrong))

    inbox = Inbox(*[strict] * (bad + 1))
    made = delivered(tmp_path, inbox, lambda: inbox.attempts == bad + 1)
    assert inbox.got == ids(bad + 1, bad + 1)
    assert made.progress.cursor.counts == keep.Counts(delivered=1, dead=bad)


def test_a_receiver_that_takes_nothing_is_not_fed_without_end(tmp_path: Path) -> None:
    write(tmp_path, 1, 1500)
    sizes: list[int] = []

    def nothing(messages: Sequence[Message]) -> Delivery:
        sizes.append(len(messages))
        raise Unreachable("400", everything=True)

    inbox = Inbox(*[nothing] * 100)
    delivered(tmp_path, inbox, lambda: len(inbox.got) == 1500)
    assert max(sizes) <= BATCH


FULL = {  # case: what cannot be written
    "a dead letter": "letters.bury",
    "the cursor": "keep.save",
}


@pytest.mark.parametrize("what", FULL.values(), ids=FULL)
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """What could not be noted is begun again, not passed over."""
    write(tmp_path, 1, 1)
    fails = [OSError(errno.ENOSPC, "no space left on device")]
    module = importlib.import_module(f"embargo.sinks.{what.partition('.')[0]}")
    original = getattr(module, what.partition(".")[2])

    def full(*arguments: object) -> None:
        if fails:
            write(tmp_path, 2, 4)
            raise fails.pop()
        original(*arguments)

    monkeypatch.setattr(module, what.partition(".")[2], full)
    refusal = Delivery(refused=((0, "400"),)) if what == "letters.bury" else Delivery()
    inbox = Inbox(lambda _: refusal)
    made = delivered(tmp_path, inbox, lambda: inbox.got[-1:] == ids(4, 4))
    assert sorted({*inbox.got}) == ids(1, 4)
    assert made.progress.last_error is not None
    assert "no space left on device" in made.progress.last_error
    assert made.progress.cursor.counts.delivered == 4


def test_a_log_that_cannot_be_read_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of one chain before another failed is read again."""
    write(tmp_path, 1, 3)
    write(tmp_path, 1, 3, chain=2)
    original = ChainSpool.read
    calls: list[int] = []

    def failing(self: ChainSpool, most: int) -> list[Line]:
        calls.append(1)
        if len(calls) == 3:  # both chains have been read once, one is asked for more
            raise OSError(errno.EIO, "input/output error")
        return original(self, most)

    monkeypatch.setattr(ChainSpool, "read", failing)
    inbox = Inbox()
    made = delivered(tmp_path, inbox, lambda: len(inbox.got) == 6)
    assert made.progress.cursor.counts.delivered == 6


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
    (whole,) = lines(2, 2)
    with (tmp_path / "decisions.jsonl").open("ab") as target:
        target.write(b'{"@timestamp":broken\n')
        target.write(whole.replace(b'"destination":{', b'"destination":{"mass":1e999,', 1))  # JSON cannot say it back
    write(tmp_path, 2, 2)
    inbox = Inbox()
    made = courier(tmp_path, inbox)
    made.run(once=True)
    assert inbox.got == ids(1, 2)
    assert made.progress.cursor.counts == keep.Counts(delivered=2, broken=2)


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


CHAIN = {"stem": "decisions", "number": 1, "first": 1, "offset": 9, "sequence": 1}
DAMAGED = {  # case: what of a cursor is written over
    "an offset that is a text": ("chains", [CHAIN | {"offset": "9"}]),
    "an offset before the file": ("chains", [CHAIN | {"offset": -9}]),
    "a chain that is none": ("chains", [CHAIN | {"stem": ["x"]}]),
    "a count that is a text": ("counts", {"delivered": "many"}),
    "a count that is unknown": ("counts", {"lost": 1}),
    "a time that is a number": ("newest", 5),
    "another version": ("version", 2),
}


@pytest.mark.parametrize(("member", "value"), DAMAGED.values(), ids=DAMAGED)
def test_a_cursor_that_is_damaged(tmp_path: Path, member: str, value: object) -> None:
    write(tmp_path, 1, 1)
    courier(tmp_path, Inbox()).run(once=True)
    path = tmp_path / "sinks/siem.cursor.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {member: value}))
    with pytest.raises(BrokenCursor, match=r"siem\.cursor\.json is no cursor"):
        courier(tmp_path, Inbox())


def test_a_kill_while_the_cursor_is_written_leaves_one_file_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing after it runs."""

    def killed(_descriptor: int) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", killed)
        patch.setattr(Path, "unlink", lambda _path: None)
        for _ in range(3):
            with contextlib.suppress(Killed):
                keep.save(tmp_path, "siem", Cursor())
    assert len(list((tmp_path / "sinks").iterdir())) == 1
    keep.save(tmp_path, "siem", Cursor())
    assert [path.name for path in (tmp_path / "sinks").iterdir()] == ["siem.cursor.json"]


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
