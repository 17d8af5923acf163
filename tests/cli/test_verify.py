import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from embargo.cli.main import main
from sealed_log import DIGEST, Process, edit, usual


@pytest.fixture
def log(tmp_path: Path) -> Path:
    usual(tmp_path / "log")
    return tmp_path / "log"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def spoil(log: Path) -> None:
    edit(log / "decisions.jsonl", lambda found: [*found[:2], found[2].replace(b"alice", b"bobby"), *found[3:]])


def test_a_whole_log(log: Path) -> None:
    result = run(log)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == f"{log} is whole: 61 records in 3 chains"
    assert "  signed up to record 50 of 2026-11-24T10:15:49.123Z by key " in result.output
    assert lines[-3] == "policies: 1 text there and unchanged"
    assert "from the log directory itself" in lines[-2]
    assert lines[-1] == "no anchor was compared: whether the end of a chain was cut off cannot be known"


def test_the_default_is_the_log_directory(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGS_DIRECTORY", str(log))
    assert run().output.splitlines()[0] == f"{log} is whole: 61 records in 3 chains"


def test_what_is_wrong_is_named_and_the_exit_code_says_so(log: Path) -> None:
    spoil(log)
    result = run(log)
    assert result.exit_code == 1
    assert result.output.splitlines()[:2] == [
        f"{log} IS NOT WHOLE: 1 thing wrong in 61 records in 3 chains",
        "  decisions.jsonl:3: changed: it, or the line before it, is not what was sealed",
    ]


def test_for_machines(log: Path) -> None:
    spoil(log)
    result = run(log, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["whole"], found["found"], found["own_key"], found["anchors"], found["policies"]) == (
        False, 1, True, 0, 1,
    )  # fmt: skip
    (finding,) = found["findings"]
    assert (finding["kind"], finding["file"], finding["line"], finding["first"]) == (
        "changed",
        "decisions.jsonl",
        3,
        34,
    )
    chain = next(each for each in found["chains"] if each["chain"] == "decisions")
    assert (chain["last"], chain["chained"], chain["proven"]["sequence"]) == (51, 0, 50)


def test_a_key_that_was_kept_elsewhere(log: Path, tmp_path: Path) -> None:
    kept = tmp_path / "auditor.pem"
    shutil.move(log / "seal" / "public.pem", kept)
    assert run(log).exit_code == 1
    assert "unknown-key" in run(log).output
    result = run(log, "--public-key", kept)
    assert result.exit_code == 0
    assert ", as given" in result.output


UNREADABLE = {  # case: (arguments, what is said)
    "no such directory": (["missing"], "does not exist"),
    "a file": (["file"], "is a file"),
    "no such key": (["log", "--public-key", "missing.pem"], "missing.pem: No such file or directory"),
    "a key that is none": (["log", "--public-key", "file"], "file: no public key in PEM"),
    "no time": (["log", "--from", "yesterday"], "yesterday"),
}


@pytest.mark.parametrize(("arguments", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read(
    arguments: list[str], said: str, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("nothing\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_part(log: Path) -> None:
    result = run(log, "--from", "2026-11-24T10:15:20Z", "--to", "2026-12-01")
    assert result.exit_code == 0
    assert ", of which a part was read, is whole" in result.output


def test_a_log_of_which_everything_was_removed(log: Path) -> None:
    for path in log.glob("*.jsonl*"):
        path.unlink()
    result = run(log)
    assert result.exit_code == 1
    assert "the log: file-missing: there is a key of the seal, and not one record" in result.output


def test_hostile_names_are_shown_harmless(log: Path) -> None:
    line = (log / "decisions.jsonl").read_bytes().splitlines()[-1].replace(b'"seal-checkpoint"', b'"\\u001b[31m"')
    with (log / "decisions.jsonl").open("ab") as file:
        file.write(line + b"\n\x1b[31mred\x1b[0m\n")
    result = run(log)
    assert result.exit_code == 1
    assert "\x1b" not in result.output


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Process(log).write(3).close()
    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", "from embargo.cli.main import main; main()", "verify", str(log)],
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        check=True,
    )
    os.close(slave)
    assert done.stdout.splitlines()[0].endswith("is whole: 5 records in 1 chain")
    assert b"verifying" in os.read(master, 65536)
    os.close(master)


def test_policies_that_are_gone(log: Path) -> None:
    (log / "policies" / DIGEST).unlink()
    result = run(log)
    assert result.exit_code == 1
    assert f"policy-missing: the text of policy {DIGEST}" in result.output
