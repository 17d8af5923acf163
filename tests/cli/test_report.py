"""`embargo report`, as its user runs it."""

import json
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from embargo.probe.report import Report as ProbeReport
from review.report.written import write_log

EMBARGO = [sys.executable, "-c", "from embargo.cli.main import main; main()"]
PERIOD = ["--from", "2026-11-23", "--to", "2026-11-23T06:00:00Z"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site") / "log"
    write_log(directory, gap=True)
    return directory


def run(log: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", "--log", str(log), *PERIOD, *map(str, arguments)])


def test_json(log: Path) -> None:
    result = run(log, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["tallies"]["totals"] == {"blocked": 60, "would-block": 1, "logged": 3, "allowed": 1, "shared": 3}
    assert found["period"] == {"start": "2026-11-23T00:00:00.000Z", "end": "2026-11-23T06:00:00.000Z", "apps": []}
    assert len(result.stdout.splitlines()) == 1


def test_a_page(log: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    result = run(log, "-o", page)
    assert (result.exit_code, result.stdout) == (0, "")
    assert page.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert run(log, "--no-verify").stdout.startswith("<!doctype html>")  # into a pipe


def test_for_counsel_with_a_probe(log: Path, tmp_path: Path) -> None:
    probe = tmp_path / "probe.json"
    probe.write_text(json.dumps(ProbeReport(proxy="127.0.0.1:8080").document()))
    result = run(log, "--counsel", "--probe", probe)
    assert "How the bans on apps were carried out" in result.stdout
    assert "The probe proves nothing" in result.stdout
    assert "Order 7 on Applications" in result.stdout


def test_tables(log: Path, tmp_path: Path) -> None:
    assert run(log, "-o", tmp_path / "r.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        assert b"blocked,60" in archive.read("totals.csv")
    assert run(log, "--format", "csv", "-o", tmp_path / "tables").exit_code == 0
    assert (tmp_path / "tables" / "totals.csv").read_text().startswith("class,requests")


def test_masked(log: Path) -> None:
    text = run(log, "--masked").stdout
    assert "client 1" in text
    assert "10.0.0.1" not in text


def test_some_apps(log: Path) -> None:
    found = json.loads(run(log, "--app", "wechat", "--format", "json").stdout)
    assert found["tallies"]["totals"]["blocked"] == 0
    assert found["tallies"]["totals"]["logged"] == 3


WRONG = {  # case: (arguments, exit, what is said)
    "csv to nowhere": (["--format", "csv"], 2, "say where they go"),
    "csv into one file": (["-o", "report.csv"], 2, "say where they go"),
    "the wrong way round": (["--to", "2026-11-22"], 2, "ends before it begins"),
    "in the future": (["--from", "2099-01-01", "--to", "2099-02-01"], 2, "lies in the future"),
    "no such log": (["--log", "/nonexistent"], 2, "no such log directory"),
    "no such probe": (["--counsel", "--probe", "/nonexistent"], 2, "No such file"),
    "no such key": (["--public-key", "/nonexistent"], 2, "No such file"),
    "no key": (["--public-key", "/etc/hostname"], 2, "no public key"),
    "no such directory": (["-o", "/nonexistent/r.html", "--no-verify"], 2, "no such directory"),
    "no app": (["--app", ""], 2, "has no value"),
    "an app that nobody knows": (["--app", "wecaht"], 2, "no record names it; did you mean 'wechat'"),
    "for counsel, as tables": (["--counsel", "-o", "r.zip"], 2, "--counsel is a page"),
    "a test on a page that does not tell of it": (["--probe", "/etc/hostname"], 2, "add --counsel"),
    "a key for nothing": (["--public-key", "/etc/hostname", "--no-verify"], 2, "leave one of them out"),
    "no time": (["--from", "yesterday"], 2, "yesterday"),
}


@pytest.mark.parametrize(("arguments", "code", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(log: Path, arguments: list[str], code: int, said: str) -> None:
    result = run(log, *arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_standard_output_that_is_full(log: Path) -> None:
    command = [*EMBARGO, "report", "--log", log, *PERIOD, "--no-verify"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")


def test_a_log_without_anything(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    result = run(tmp_path / "log", "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["enforcement"]["enforced"] == 0
