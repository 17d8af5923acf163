"""Anchors: each checkpoint of each chain arrives, however often the anchor was away, and the writer never waits."""

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from embargo.core.sink import Sink
from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged
from embargo.journal.record import Observer
from embargo.journal.seal.anchored import checkpoints_in
from embargo.journal.writer import Journal
from embargo.policy.anchors import anchor
from embargo.sinks.anchors import Anchor, Anchors
from embargo.sinks.message import Message
from embargo.sinks.receiver import Delivery, Unreachable
from recorded import judged, until

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
OBSERVER = Observer(hostname="proxy1", version="0.1.0", pid=1)


@dataclass
class Receiver:
    """Takes checkpoints, or does what `answers` say first."""

    answers: list[Delivery | Unreachable] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    tried: int = 0

    def deliver(self, messages: Sequence[Message]) -> Delivery:
        self.tried += 1
        answer = self.answers.pop(0) if self.answers else Delivery()
        if isinstance(answer, Unreachable):
            raise answer
        if not answer.again and not answer.refused:
            self.taken += messages
        return answer

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass

    @property
    def numbers(self) -> list[tuple[str, int]]:
        told = [message.record.document["embargo"]["checkpoint"] for message in self.taken]
        return [(checkpoint["chain"], checkpoint["sequence"]) for checkpoint in told]


def write(log: Path, times: int = 1) -> None:
    """Records in the audit chain, a checkpoint behind each."""
    for _ in range(times):
        audit.record(log, ConfigurationChanged(time=NOW, action="exception-added", change=Change.CREATION))


def placed(path: Path) -> Sink:
    return anchor({"file": str(path)})


def test_an_anchor_in_the_log_itself_proves_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    anchors = Anchors(tmp_path)
    anchors.follow([placed(tmp_path / "anchor.jsonl")])
    until(lambda: "lies in the log itself" in (anchors.states()[0].error or ""))
    anchors.close()
    assert not (tmp_path / "anchor.jsonl").exists()


def anchoring(log: Path, receiver: Receiver) -> Anchor:
    return Anchor(placed(log / "anchor"), log, receiver=receiver, pauses=(0.0, 0.0), poll=0.001)


def finish(log: Path, receiver: Receiver) -> Anchor:
    """Runs until nothing is left, or the receiver does not take it."""
    made = anchoring(log, receiver)
    made.finish()
    made.run()
    return made


def test_every_checkpoint_of_every_chain(tmp_path: Path) -> None:
    write(tmp_path, 3)
    journal = Journal(tmp_path, observer=OBSERVER)
    journal.start()
    journal.offer(judged())
    assert journal.close()
    receiver = Receiver()
    made = finish(tmp_path, receiver)
    chains = [chain for chain, _ in receiver.numbers]
    assert chains.count("audit") == 3
    assert chains.count("decisions") >= 1
    assert (made.state.anchored, made.state.error, made.state.state) == (len(chains), None, "stopped")


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    write(tmp_path, 2)
    first = Receiver()
    finish(tmp_path, first)
    write(tmp_path, 1)
    second = Receiver()
    made = finish(tmp_path, second)
    assert (len(first.taken), len(second.taken), made.state.anchored) == (2, 1, 3)


AWAY = {  # case: what the anchor answers first
    "unreachable": Unreachable("connection refused"),
    "not for now": Delivery(again=(0,), why="429"),
    "refused": Delivery(refused=((0, "400"),)),
}


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_one_that_was_away_gets_them_all(answer: Delivery | Unreachable, tmp_path: Path) -> None:
    write(tmp_path, 2)
    receiver = Receiver([answer, answer, answer])
    made = anchoring(tmp_path, receiver)
    thread = threading.Thread(target=made.run)
    thread.start()
    until(lambda: made.state.anchored == 2)
    assert (made.state.failures, made.state.error, receiver.tried) == (3, None, 4)
    made.stop()
    thread.join()
    assert [number for _, number in receiver.numbers] == sorted(number for _, number in receiver.numbers)


def test_what_it_does_not_take_is_kept_for_the_next_start(tmp_path: Path) -> None:
    write(tmp_path, 2)
    made = finish(tmp_path, Receiver([Unreachable("away")]))
    assert (made.state.anchored, made.state.error) == (0, "away")
    receiver = Receiver()
    finish(tmp_path, receiver)
    assert len(receiver.taken) == 2


def test_one_process_serves_it(tmp_path: Path) -> None:
    write(tmp_path, 1)
    one, other = Receiver(), Receiver()
    first, second = anchoring(tmp_path, one), anchoring(tmp_path, other)
    threads = [threading.Thread(target=first.run)]
    threads[0].start()
    until(lambda: first.state.anchored == 1)
    threads.append(threading.Thread(target=second.run))
    threads[1].start()
    until(lambda: second.state.state == "elsewhere")
    write(tmp_path, 1)
    until(lambda: first.state.anchored == 2)
    for made in (first, second):
        made.stop()
    for thread in threads:
        thread.join()
    assert (len(one.taken), len(other.taken)) == (2, 0)


def test_a_cursor_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, 1)
    finish(tmp_path, Receiver())
    (cursor,) = (tmp_path / "sinks").glob("anchor-*.json")
    cursor.write_text("{")
    made = finish(tmp_path, Receiver())
    assert made.state.error is not None
    assert "is no cursor" in made.state.error


def test_a_file(tmp_path: Path) -> None:
    """From the settings to the file, and what is in it is believed."""
    log, file = tmp_path / "log", tmp_path / "elsewhere" / "checkpoints.jsonl"
    file.parent.mkdir()
    write(log, 2)
    anchors = Anchors(log)
    anchors.follow([placed(file)])
    until(lambda: anchors.states()[0].anchored == 2)
    anchors.follow([placed(file)])  # a reload that changes nothing
    assert anchors.states()[0].anchored == 2
    write(log, 1)
    anchors.close(20.0)
    assert [found.sequence for found in checkpoints_in(file)] == [1, 3, 5]
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_anchor_that_is_no_longer_named_ends(tmp_path: Path) -> None:
    begun: list[Anchor] = []
    anchors = Anchors(tmp_path, begun.append)
    anchors.follow([placed(tmp_path / "a"), placed(tmp_path / "b")])
    anchors.follow([placed(tmp_path / "b")])
    assert [state.to for state in anchors.states()] == [str(tmp_path / "b")]
    assert len(begun) == 2
    begun[0].run()
    assert begun[0].ended.is_set()


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    made = finish(tmp_path / "log" / "later", Receiver())
    assert made.ended.is_set()
    assert made.state.anchored == 0


def test_syslog(tmp_path: Path) -> None:
    """What a syslog server gets holds the checkpoints, whatever it writes before and behind them."""
    log, written = tmp_path / "log", tmp_path / "messages"
    write(log, 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Anchor(anchor({"syslog": f"127.0.0.1:{server.getsockname()[1]}"}), log)
        made.finish()
        thread = threading.Thread(target=made.run)
        thread.start()
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream, written.open("wb") as file:
            while length := stream.read(1):
                while (digit := stream.read(1)) != b" ":
                    length += digit
                file.write(stream.read(int(length)) + b"\n")
        thread.join()
    assert made.state.anchored == 3
    assert [found.sequence for found in checkpoints_in(written)] == [1, 3, 5]
