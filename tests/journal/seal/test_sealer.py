"""When a writer signs, and what it does where it cannot."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embargo.core.rules import CheckpointSettings, LogSettings
from embargo.journal.audit import record
from embargo.journal.event import Event
from embargo.journal.livefile import LiveFile
from embargo.journal.seal import keys
from embargo.journal.seal.chain import START, content_of, seal_after, seal_of
from embargo.journal.seal.verification import verify
from embargo.journal.writer import Journal
from recorded import EXCEPTION, OBSERVER, judged, until
from sealed_log import Process

QUICK = LogSettings(flush=0.01, rotate_age=1e12)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Journal]]:
    made: list[Journal] = []

    def journal(settings: LogSettings = QUICK, **options: Any) -> Journal:
        made.append(Journal(tmp_path, settings, observer=OBSERVER, **options))
        return made[-1]

    yield journal
    for each in made:
        each.close()


def event(number: int) -> Event:
    return judged(id=f"id-{number}")


def told(log: Path, name: str = "decisions.jsonl") -> list[str]:
    """What happened, a word a line: `checkpoint:CAUSE`, or the action."""
    lines = [json.loads(line) for line in (log / name).read_bytes().splitlines()]
    return [
        f"checkpoint:{line['embargo']['checkpoint']['cause']}" if "checkpoint" in line["embargo"] else
        line["event"]["action"] for line in lines
    ]  # fmt: skip


def chained(log: Path, name: str = "decisions.jsonl") -> bool:
    previous = START
    for line in (log / name).read_bytes().splitlines(keepends=True):
        if seal_of(line) != seal_after(previous, content_of(line)):
            return False
        previous = seal_of(line) or b""
    return True


def test_every_line_is_sealed_and_the_first_and_the_last_are_signed(
    make: Callable[..., Journal], tmp_path: Path
) -> None:
    journal = make()
    journal.start()
    journal.offer(event(0))
    until(lambda: journal.state().written == 1)
    journal.offer(event(1))
    assert journal.close()
    assert told(tmp_path) == ["block", "checkpoint:start", "block", "checkpoint:close"]
    assert chained(tmp_path)
    state = journal.state()
    assert (state.written, state.seal.signed, state.seal.unsigned) == (2, 3, 0)
    assert state.seal.key == keys.key_id(keys.public_key(tmp_path))


def test_a_process_that_writes_nothing_signs_nothing(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    journal.start()
    until(lambda: journal.state().file is not None)
    assert journal.close()
    assert told(tmp_path) == []


def test_by_number(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make(LogSettings(flush=0.01, rotate_age=1e12, checkpoint=CheckpointSettings(records=10)))
    for number in range(25):
        journal.offer(event(number))
    journal.start()
    assert journal.close()
    assert [index for index, what in enumerate(told(tmp_path)) if what != "block"] == [10, 21, 27]


def test_by_age_though_no_record_comes(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make(LogSettings(flush=0.01, rotate_age=1e12, checkpoint=CheckpointSettings(age=0.3)))
    journal.start()
    journal.offer(event(0))
    until(lambda: journal.state().written == 1)
    journal.offer(event(1))
    until(lambda: told(tmp_path)[-1] == "checkpoint:age")
    size = (tmp_path / "decisions.jsonl").stat().st_size
    time.sleep(0.7)
    assert (tmp_path / "decisions.jsonl").stat().st_size == size, "and then none more"


def test_when_it_is_to_be_signed_more_often(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    journal.start()
    journal.offer(event(0))
    until(lambda: journal.state().written == 1)
    journal.settings = LogSettings(flush=0.01, rotate_age=1e12, checkpoint=CheckpointSettings(records=10))
    journal.offer(event(1))
    until(lambda: journal.state().written == 2)
    assert told(tmp_path) == ["block", "checkpoint:start", "block", "checkpoint:settings"]


def test_at_rotation(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make(LogSettings(flush=0.01, rotate_size=100, rotate_age=1e12))
    journal.start()
    journal.offer(event(0))
    until(lambda: len(list(tmp_path.glob("decisions-*.zst"))) == 1)
    journal.offer(event(1))
    assert journal.close()
    result = verify(tmp_path, [keys.public_key(tmp_path)])
    assert {finding.kind.value for finding in result.findings} == {"policy-missing"}
    assert result.chains[0].tally.files >= 2


def test_what_another_process_left_unsigned_is_signed_first(tmp_path: Path) -> None:
    Process(tmp_path).write(3).crash()
    Process(tmp_path).write(1).close()
    assert told(tmp_path)[-4:] == ["block", "checkpoint:found", "block", "checkpoint:start"]


SPOILED: dict[str, Callable[[Path], object]] = {
    "lost": lambda seal: (seal / "key.pem").unlink(),
    "damaged": lambda seal: (seal / "key.pem").write_bytes(b"no key"),
    "a directory in its place": lambda seal: (shutil.rmtree(seal), seal.write_bytes(b"")),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_key_that_cannot_be_used_is_said_and_records_go_on(
    spoil: Callable[[Path], object],
    make: Callable[..., Journal],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys.signing_key(tmp_path)
    spoil(tmp_path / "seal")
    with caplog.at_level(logging.WARNING):
        journal = make()
        journal.start()
        for number in range(3):
            journal.offer(event(number))
        assert journal.close()
    assert told(tmp_path) == ["seal-unsigned", "block", "block", "block"]
    assert chained(tmp_path)
    said = json.loads((tmp_path / "decisions.jsonl").read_bytes().splitlines()[0])
    assert said["event"]["reason"] == journal.state().seal.error
    assert "RECORDS ARE SEALED BUT NOT SIGNED" in caplog.text
    assert (journal.state().lost, journal.state().error) == (0, None)


def test_a_key_that_comes_back_signs_what_was_not(
    make: Callable[..., Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embargo.journal.seal.sealer._RETRY", 0.0)
    keys.signing_key(tmp_path)
    (tmp_path / "seal" / "key.pem").rename(tmp_path / "aside")
    journal = make()
    journal.start()
    journal.offer(event(0))
    until(lambda: journal.state().written == 1)
    (tmp_path / "aside").rename(tmp_path / "seal" / "key.pem")
    journal.offer(event(1))
    assert journal.close()
    assert told(tmp_path) == ["seal-unsigned", "block", "block", "checkpoint:start"]
    assert journal.state().seal.error is None


def test_the_key_is_put_back_with_a_log_that_was_removed(make: Callable[..., Journal], tmp_path: Path) -> None:
    journal = make()
    journal.start()
    journal.offer(event(0))
    until(lambda: journal.state().written == 1)
    key = keys.key_id(keys.public_key(tmp_path))
    for path in tmp_path.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    journal.offer(event(1))
    until(lambda: journal.state().written == 2)
    assert journal.close()
    assert keys.key_id(keys.public_key(tmp_path)) == key
    assert verify(tmp_path, [keys.public_key(tmp_path)]).findings[0].kind == "file-missing"


def test_a_command_signs_what_it_records(tmp_path: Path) -> None:
    record(tmp_path, EXCEPTION)
    assert told(tmp_path, "audit.jsonl") == ["exception-added", "checkpoint:close"]


def test_a_command_without_the_key_seals(tmp_path: Path) -> None:
    record(tmp_path, EXCEPTION)
    (tmp_path / "seal" / "key.pem").rename(tmp_path / "aside")
    record(tmp_path, EXCEPTION)
    key = [keys.public_key(tmp_path)]
    blind = verify(tmp_path, key)
    assert blind.whole
    assert {note.kind.value for note in blind.notes} == {"unproven", "key-unusable", "policy-unknown"}
    (tmp_path / "aside").rename(tmp_path / "seal" / "key.pem")
    record(tmp_path, EXCEPTION)
    assert told(tmp_path, "audit.jsonl")[2:] == [
        "seal-unsigned", "exception-added", "checkpoint:found", "exception-added", "checkpoint:close",
    ]  # fmt: skip
    assert verify(tmp_path, key).whole


def test_the_chain_goes_on_over_the_files(tmp_path: Path) -> None:
    process = Process(tmp_path).write(3).rotate(zst=True)
    seal = process.file.seal
    process.crash()
    file = LiveFile.open(tmp_path)
    assert (file.seal, file.sequence, file.signed) == (seal, 5, True)
    file.close()
