"""The `embargo` command itself: unknown commands, and output that cannot be written as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from embargo.cli.main import COMMANDS, main

UNKNOWN = {  # case: (command, what is said)
    "a near one": ("chek", "No such command 'chek'. Did you mean 'check'?"),
    "a far one": ("frobnicate", "No such command 'frobnicate'."),
}


@pytest.mark.parametrize(("command", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_command(command: str, said: str) -> None:
    result = CliRunner().invoke(main, [command])
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: {said}"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert f"embargo {command}" in result.output.partition("\n")[2]


def embargo(*arguments: str, output: Path | None = None, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from embargo.cli.main import main; main()", *arguments]
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    if output is None:
        return subprocess.run(command, env=environment, capture_output=True, check=False)
    with output.open("wb") as written:
        return subprocess.run(command, env=environment, stdout=written, stderr=subprocess.PIPE, check=False)


def test_letters_that_the_encoding_lacks_are_escaped() -> None:
    told = embargo("explain", "微信.example", encoding="latin-1")
    assert (told.returncode, told.stderr) == (0, b"")
    assert told.stdout.startswith(rb"pass  \u5fae\u4fe1.example")
    told = embargo("explain", "--json", "微信.example", encoding="latin-1")
    assert (told.returncode, json.loads(told.stdout)["request"]) == (0, "微信.example")


def test_a_full_disk_is_told_in_a_line() -> None:
    told = embargo("schema", output=Path("/dev/full"))
    assert (told.returncode, told.stderr) == (2, b"error: output: No space left on device\n")
