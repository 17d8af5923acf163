"""The process that delivers: it follows the policy, one fault stops no other sink, and a kill loses nothing."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embargo.sinks import status
from embargo.sinks.dispatch import AlreadyRunning, Dispatch, only_one
from recorded import until
from sinks.dispatching import policy
from sinks.inbox import Elasticsearch, served
from sinks.spooled import identifier, write

EMBARGO = [sys.executable, "-c", "from embargo.cli.main import main; main()"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write(tmp_path / "log", 1, 3)
    return tmp_path / "log"


class Running:
    def __init__(self, log: Path, path: Path) -> None:
        self.said: list[str] = []
        self.dispatch = Dispatch(log, (path,), say=self.said.append)
        self.dispatch.take_up({})
        self.dispatch._seen = {path: None}  # so that the first look loads it


@pytest.fixture
def running(log: Path, tmp_path: Path) -> Iterator[Running]:
    made = Running(log, tmp_path / "p.yaml")
    yield made
    made.dispatch.close()


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines()) if path.exists() else 0


def test_follows_the_policy(log: Path, tmp_path: Path, running: Running) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "a.log") == 3)
    policy(path, a=f"{{to: {tmp_path / 'a.log'}}}", b=f"{{to: {tmp_path / 'b.log'}, format: cef}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "b.log") == 3)
    policy(path, b=f"{{to: {tmp_path / 'b.log'}, format: cef}}")
    running.dispatch.look()
    write(log, 4, 4)
    until(lambda: lines(tmp_path / "b.log") == 4)
    assert lines(tmp_path / "a.log") == 3
    assert [line.split(" ")[0] for line in running.said] == ["delivering", "delivering", "no"]


def test_a_policy_that_does_not_load_changes_nothing(log: Path, tmp_path: Path, running: Running) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    running.dispatch.look()
    path.write_text("version: 1\nsettings: {mode: x}\n")
    running.dispatch.look()
    running.dispatch.look()
    write(log, 4, 4)
    until(lambda: lines(tmp_path / "a.log") == 4)
    assert len(running.said) == 2
    assert "does not load, deliveries go on as before" in running.said[1]


def test_one_that_cannot_begin_stops_no_other(log: Path, tmp_path: Path, running: Running) -> None:
    policy(tmp_path / "p.yaml", a="{to: /x, filter: 'verdict:blok'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "b.log") == 3)
    told = {sink["name"]: sink for sink in (status.read(log) or {})["sinks"]}
    assert told["a"]["state"] == "refused"
    assert "did you mean 'block'" in told["a"]["error"]


def test_a_dead_receiver_is_told_and_stops_no_other(log: Path, tmp_path: Path, running: Running) -> None:
    policy(tmp_path / "p.yaml", a="{to: 'relp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "b.log") == 3)

    def told() -> dict[str, object]:
        running.dispatch.look()
        return {sink["name"]: sink for sink in (status.read(log) or {})["sinks"]}["a"]

    until(lambda: told()["error"] is not None)
    assert (told()["state"], told()["lag_records"]) == ("waiting", 3)
    assert told()["lag_seconds"] >= 0
    assert [line for line in running.said if line.startswith("a: ")] == ["a: 127.0.0.1:9: Connection refused"]


NOT_WRITTEN = {"the status": "embargo.sinks.status.publish", "dead letters": "embargo.sinks.letters.forget"}


@pytest.mark.parametrize("what", NOT_WRITTEN.values(), ids=NOT_WRITTEN)
def test_a_full_disk_ends_no_delivery(
    log: Path, tmp_path: Path, running: Running, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    with monkeypatch.context() as full:

        def refused(*_: object) -> None:
            raise OSError(errno.ENOSPC, "no space left on device", "status.json")

        full.setattr(what, refused)
        for _ in range(3):
            running.dispatch.look()
            running.dispatch._forget_from = None
        until(lambda: lines(tmp_path / "a.log") == 3)
        said = [line for line in running.said if "no space left" in line]
        assert said == ["status.json: no space left on device; deliveries go on"]
    running.dispatch.look()
    assert (status.read(log) or {})["sinks"][0]["name"] == "a"


def test_a_sink_that_goes_and_comes_back_goes_on(log: Path, tmp_path: Path, running: Running) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "a.log") == 3)
    policy(path, renamed=f"{{to: {tmp_path / 'b.log'}}}")
    running.dispatch.look()
    write(log, 4, 5)
    until(lambda: lines(tmp_path / "b.log") == 5)  # a sink of another name begins at the oldest record
    policy(path, a=f"{{to: {tmp_path / 'a.log'}, format: cef}}")
    running.dispatch.look()
    until(lambda: lines(tmp_path / "a.log") == 5)
    assert len(running.dispatch._running) == 1


def test_who_asks_does_not_keep_the_one_that_delivers_from_beginning(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status.running` holds the lock for an instant."""
    with only_one(log):
        pass
    asking = os.open(log / "sinks/lock", os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: os.close(asking))
    with only_one(log):
        assert status.running(log)


def test_one_process_a_log(log: Path) -> None:
    with only_one(log):
        assert status.running(log)
        with pytest.raises(AlreadyRunning), only_one(log):
            pass
    assert not status.running(log)


def test_killed_at_any_moment_none_is_missing(log: Path, tmp_path: Path) -> None:
    with served(Elasticsearch()) as elastic:
        to = f"{{to: 'http://127.0.0.1:{elastic.port}', batch: elasticsearch}}"
        arguments = ["sinks", "run", "--log", str(log), "--policy", str(policy(tmp_path / "p.yaml", a=to))]
        process = subprocess.Popen([*EMBARGO, *arguments], stderr=subprocess.DEVNULL)
        write(log, 4, 2000)
        until(lambda: len(elastic.documents) > 300)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        finished = subprocess.run([*EMBARGO, *arguments, "--once"], capture_output=True, text=True, timeout=60)
        assert finished.returncode == 0, finished.stderr
        assert set(elastic.documents) == {identifier(number) for number in range(1, 2001)}
        assert elastic.wrong == []
        assert json.loads((log / "sinks/status.json").read_text())["sinks"][0]["lag_records"] == 0
