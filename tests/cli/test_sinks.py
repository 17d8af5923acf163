"""`embargo sinks`: run once, status, test."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from recorded import until
from sinks.dispatching import policy
from sinks.inbox import Elasticsearch, served
from sinks.spooled import identifier, write

EMBARGO = [sys.executable, "-c", "from embargo.cli.main import main; main()"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write(tmp_path / "log", 1, 3)
    return tmp_path / "log"


def sinks(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["sinks", *map(str, arguments)])


def test_once(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}, format: cef}}")
    result = sinks("run", "--once", "--log", log, "--policy", path)
    assert (result.exit_code, result.stderr) == (0, "a: 3 delivered\n")
    assert len((tmp_path / "a.log").read_text("utf-8").splitlines()) == 3


def test_once_where_a_receiver_is_down(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a="{to: 'tcp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    result = sinks("run", "--once", "--log", log, "--policy", path)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["a: 0 delivered; 127.0.0.1:9: Connection refused", "b: 3 delivered"]


def test_status(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a="{to: 'tcp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    sinks("run", "--once", "--log", log, "--policy", path)
    result = sinks("status", "--log", log)
    assert result.exit_code == 1
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[0] == ["NAME", "STATE", "DELIVERED", "LAG", "BEHIND", "FAILURES", "DEAD", "MISSING", "TO"]
    assert (rows[1][0], rows[1][3]) == ("a", "3")
    assert rows[2][:5] == ["b", "stopped", "3", "0", "-"]
    assert "nobody delivers" in result.output


def test_status_as_json(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", b=f"{{to: {tmp_path / 'b.log'}}}")
    sinks("run", "--once", "--log", log, "--policy", path)
    found = json.loads(sinks("status", "--json", "--log", log).output)
    assert found["running"] is False
    (told,) = found["sinks"]
    assert (told["name"], told["delivered"], told["lag_records"]) == ("b", 3, 0)


def test_status_of_nothing(tmp_path: Path) -> None:
    result = sinks("status", "--log", tmp_path)
    assert (result.exit_code, result.output) == (1, f"no sink has ever been delivered to from {tmp_path}\n")


DAMAGED = {  # case: what stands in the status file
    "no JSON": b"{",
    "a list": b"[]",
    "deeper than anybody writes": b"[" * 100_000,
    "a sink that is none": b'{"time": "x", "sinks": [5]}',
    "a sink without its numbers": b'{"time": "x", "sinks": [{"name": "a"}]}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_status_that_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks/status.json").write_bytes(content)
    result = sinks("status", "--log", tmp_path)
    assert (result.exit_code, "no sink has ever" in result.output) == (1, True)


def test_a_policy_without_sinks(log: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\n")
    result = sinks("run", "--once", "--log", log, "--policy", tmp_path / "p.yaml")
    assert (result.exit_code, "settings.log.sinks" in result.stderr) == (0, True)


def test_a_file_in_the_log_itself(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {log / 'audit.jsonl'}}}")
    result = sinks("run", "--once", "--log", log, "--policy", path)
    assert (result.exit_code, "lies in the log itself" in result.stderr) == (1, True)
    assert not (log / "audit.jsonl").exists()


@pytest.mark.parametrize("arguments", [("test",), ("retry", "a")], ids=" ".join)
def test_nothing_is_put_into_the_log_itself(log: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {log / 'decisions.jsonl'}}}")
    before = (log / "decisions.jsonl").read_bytes()
    result = sinks(*arguments, "--log", log, "--policy", path)
    assert (result.exit_code, "lies in the log itself" in result.output) == (1, True)
    assert (log / "decisions.jsonl").read_bytes() == before


def test_one_that_cannot_begin_stops_no_other(log: Path, tmp_path: Path) -> None:
    (log / "sinks").mkdir()
    (log / "sinks/a.cursor.json").mkdir()  # a cursor that cannot be read
    path = policy(tmp_path / "p.yaml", a="{to: 'tcp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    result = sinks("run", "--once", "--log", log, "--policy", path)
    assert (result.exit_code, "a: " in result.stderr, "b: 3 delivered" in result.stderr) == (1, True, True)
    told = {each["name"]: each["state"] for each in json.loads(sinks("status", "--json", "--log", log).output)["sinks"]}
    assert told == {"a": "refused", "b": "stopped"}


HINDERED = {  # case: what stands in the way of sending dead letters again
    "a directory in their place": lambda log: (log / "sinks/a.dead.jsonl").mkdir(parents=True),
    "a link in the lock's place": lambda log: (
        (log / "sinks").mkdir(), (log / "sinks/.retry.lock").symlink_to(log / "decisions.jsonl"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("hinder", HINDERED.values(), ids=HINDERED)
def test_retry_tells_what_hinders_it(log: Path, tmp_path: Path, hinder: Callable[[Path], object]) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    hinder(log)
    result = sinks("retry", "a", "--log", log, "--policy", path)
    assert result.exit_code == 1
    assert result.output.startswith(f"a: 0 delivered, 0 refused; {log / 'sinks'}/")
    assert isinstance(result.exception, SystemExit)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("arguments", [("run", "--once"), ("retry", "a"), ("test",)])
def test_root_leaves_nothing_in_the_log_of_another(log: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    path = policy(tmp_path / "p.yaml", a=f"{{to: {tmp_path / 'a.log'}}}")
    os.chown(log, 65534, 65534)
    result = sinks(*arguments, "--log", log, "--policy", path)
    assert (result.exit_code, "belongs to nobody; run this as that user" in result.stderr) == (2, True)
    assert not (log / "sinks").exists()


def test_check_warns_of_a_filter_that_is_none(tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a="{to: /tmp/a.log, filter: 'verdict:blok'}", b="{to: /tmp/b.log}")
    result = CliRunner().invoke(main, ["check", "--policy", str(path)])
    assert result.output.splitlines()[0] == (
        f"{path}:5:35: sink-filter settings.log.sinks.a.filter: the filter of the sink 'a': 'verdict:blok': 'blok' is "
        "no verdict; did you mean 'block'?; nothing is delivered until it is mended"
    )


def test_retry(log: Path, tmp_path: Path) -> None:
    with served(Elasticsearch()) as elastic:
        to = f"{{to: 'http://127.0.0.1:{elastic.port}', batch: elasticsearch}}"
        path = policy(tmp_path / "p.yaml", a=to)
        elastic.item = lambda found, _: (400, "mapper_parsing_exception") if found == identifier(2) else None
        sinks("run", "--once", "--log", log, "--policy", path)
        refused = sinks("retry", "a", "--log", log, "--policy", path)
        assert (refused.exit_code, refused.output) == (
            1, "a: 0 delivered, 1 refused; everything is refused: 400 mapper_parsing_exception: because\n",
        )  # fmt: skip
        elastic.item = lambda *_: None
        mended = sinks("retry", "a", "--log", log, "--policy", path, "--json")
        assert (mended.exit_code, json.loads(mended.output)["delivered"]) == (0, 1)
        assert identifier(2) in elastic.documents
        assert sinks("retry", "a", "--log", log, "--policy", path).output == "a: 0 delivered, 0 refused\n"


def test_trial(tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a="{to: 'relp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    result = sinks("test", "--policy", path)
    assert result.exit_code == 1
    first, second = result.output.splitlines()
    assert first == "a: relp://127.0.0.1:9: 127.0.0.1:9: Connection refused"
    assert second.startswith(f"b: {tmp_path / 'b.log'}: taken, id ")
    assert json.loads((tmp_path / "b.log").read_text())["event"]["action"] == "sink-test"


def test_trial_of_one_as_json(tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", a="{to: 'relp://127.0.0.1:9'}", b=f"{{to: {tmp_path / 'b.log'}}}")
    (told,) = json.loads(sinks("test", "b", "--json", "--policy", path).output)
    assert (told["name"], told["ok"], told["error"]) == ("b", True, None)


def test_trial_of_none(tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", b=f"{{to: {tmp_path / 'b.log'}}}")
    result = sinks("test", "c", "--policy", path)
    assert (result.exit_code, "'c' is no sink of the policy; its sinks: b" in result.stderr) == (2, True)


def test_run_ends_at_a_signal_and_tells(log: Path, tmp_path: Path) -> None:
    path = policy(tmp_path / "p.yaml", b=f"{{to: {tmp_path / 'b.log'}}}")
    process = subprocess.Popen(
        [*EMBARGO, "sinks", "run", "--log", str(log), "--policy", str(path)], stderr=subprocess.PIPE, text=True
    )
    until(lambda: (tmp_path / "b.log").exists() and len((tmp_path / "b.log").read_text().splitlines()) == 3)
    again = sinks("run", "--log", log, "--policy", path)
    assert (again.exit_code, "another process delivers" in again.stderr) == (2, True)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors.splitlines() == [f"delivering to b ({tmp_path / 'b.log'}, ecs)"]
