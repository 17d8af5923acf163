"""`embargo break-glass` on a machine where no proxy runs: usage, what it prints, exit codes."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from nobody import as_nobody, public_directory
from recorded import records_in


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: no proxy runs there."""
    for name in ("STATE_DIRECTORY", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / name.partition("_")[0].lower()))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["break-glass", *arguments])


USAGE = {  # case: (arguments, what the error says)
    "no reason": (["--for", "30m"], "--for needs a --reason"),
    "a blank reason": (["--for", "30m", "--reason", "  "], "expected 1 to 1000 characters"),
    "a reason without end": (["--for", "30m", "--reason", "x" * 1001], "expected 1 to 1000 characters"),
    "no time": (["--for", "soon", "--reason", "x"], "such as 30m or 2h"),
    "too long": (["--for", "25h", "--reason", "x"], "settings.mode: monitor"),
    "too short": (["--for", "1s", "--reason", "x"], "not between 5s and 24h"),
    "both": (["--for", "30m", "--reason", "x", "--end"], "Either --for or --end"),
    "a reason for nothing": (["--reason", "x"], "--for TIME begins break-glass"),
    "a replacement of nothing": (["--end", "--replace"], "--for TIME begins break-glass"),
}


@pytest.mark.parametrize(("arguments", "why"), USAGE.values(), ids=USAGE)
def test_usage(arguments: list[str], why: str, machine: Path) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert not (machine / "state").exists()


def test_its_life_where_no_proxy_runs() -> None:
    begun = run("--for", "30m", "--reason", "payroll\x1b[31m", "--author", "alice", "--ticket", "INC-1")
    assert begun.exit_code == 1, "nobody has taken it up"
    assert "NOTHING IS REFUSED until" in begun.stdout
    assert "by alice (INC-1): payroll\N{REPLACEMENT CHARACTER}[31m" in begun.stdout
    assert "one that starts meanwhile refuses nothing" in begun.stdout
    assert "no proxy is running" in begun.stderr
    shown = run()
    assert (shown.exit_code, "NOTHING IS REFUSED until" in shown.stdout) == (1, True)
    again = run("--for", "5m", "--reason", "more")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is in force until" in again.stderr
    ended = run("--end")
    assert (ended.exit_code, ended.stdout) == (0, "break-glass by alice has ended\n")
    shown = run()
    assert shown.exit_code == 0
    assert shown.stdout.startswith("break-glass is not in force\nthe last: ")
    assert "it was ended" in shown.stdout


def test_json() -> None:
    begun = json.loads(run("--for", "30m", "--reason", "payroll", "--author", "alice", "--json").stdout)
    assert set(begun) == {"break_glass", "last", "error", "processes"}
    assert set(begun["break_glass"]) == {
        "id", "since", "until", "seconds", "reason", "author", "ticket", "seconds_left",
    }  # fmt: skip
    assert json.loads(run("--json").stdout)["break_glass"]["id"] == begun["break_glass"]["id"]
    ended = json.loads(run("--end", "--json").stdout)
    assert (ended["break_glass"], ended["last"]["end"]) == (None, "ended")


def test_a_damaged_file(machine: Path) -> None:
    run("--for", "30m", "--reason", "payroll")
    (machine / "state" / "break-glass.json").write_text("{}")
    shown = run()
    assert (shown.exit_code, "ignored" in shown.stderr) == (1, True)
    ended = run("--end")
    assert (ended.exit_code, "removed a file that counted for nothing" in ended.stdout) == (0, True)
    assert run().exit_code == 0


def test_a_state_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin() -> str:
        result = run("--for", "30m", "--reason", "payroll")
        return f"{result.exit_code} {result.stderr}"

    with public_directory() as public:
        for name in ("state", "logs", "runtime"):
            monkeypatch.setenv(f"{name.upper()}_DIRECTORY", str(public / name))
            (public / name).mkdir()
            (public / name).chmod(0o777)
        (public / "state").chmod(0o555)
        said = as_nobody(begin)
        assert said.startswith(f"2 error: {public / 'state'}"), said
        assert "Permission denied" in said
        assert list((public / "state").iterdir()) == []
        (public / "state").chmod(0o777)
        as_nobody(begin)
        assert (public / "state" / "break-glass.json").exists(), "its mode was all that stood against it"


def test_a_log_that_cannot_be_written(machine: Path) -> None:
    (machine / "logs").write_text("no directory")
    result = run("--for", "30m", "--reason", "payroll")
    assert result.exit_code == 2
    assert str(machine / "logs") in result.stderr
    assert run().stdout.startswith("break-glass is not in force")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a directory away takes root")
def test_root_beside_a_proxy_of_another_user(machine: Path) -> None:
    """As with the unit of systemd, whose user owns the directory: root sees what it has begun, and ends it."""
    (machine / "state").mkdir(mode=0o700)
    os.chown(machine / "state", 65534, 65534)
    assert "NOTHING IS REFUSED until" in run("--for", "30m", "--reason", "payroll", "--author", "alice").stdout
    shown = run()
    assert ("NOTHING IS REFUSED until" in shown.stdout, shown.stderr.startswith("warning")) == (True, False)
    assert "is in force until" in run("--for", "5m", "--reason", "more").stderr
    assert run("--end", "--author", "bob").stdout == "break-glass by alice has ended\n"
    ended = records_in(machine / "logs" / "audit.jsonl")[-1]
    assert (ended["user"]["name"], ended["embargo"]["break_glass"]["end"]) == ("bob", "ended")
