import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embargo.cli.companion import Marked

WRITTEN = {  # case: what is written, piece by piece; what is put out
    "a line": (["hello\n"], "[console] hello\n"),
    "in pieces": (["he", "llo", "\n"], "[console] hello\n"),
    "several lines at once": (["a\nb\n"], "[console] a\n[console] b\n"),
    "an empty line": (["\n"], "[console] \n"),
    "a line that never ends": (["a\nb"], "[console] a\n[console] b\n"),
    "nothing": ([""], ""),
}


@pytest.mark.parametrize(("pieces", "put"), WRITTEN.values(), ids=WRITTEN)
def test_lines_begin_with_the_name(pieces: list[str], put: str) -> None:
    output = io.StringIO()
    marked = Marked(output, "console")
    for piece in pieces:
        print(piece, end="", file=marked)
    marked.finish()
    assert output.getvalue() == put


def test_nobody_reads_any_more() -> None:
    class Broken(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    print("lost", file=Marked(Broken(), "console"))


def companion(*words: str) -> tuple[subprocess.Popen[str], int]:
    """The process, and our end of the pipe to it."""
    theirs, ours = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "embargo.cli.companion", "store", str(theirs), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=(theirs,),
    )
    os.close(theirs)
    return process, ours


def test_its_command_runs_and_its_code_is_told() -> None:
    process, ours = companion("explain", "--policy", "missing.yaml", "x.test")
    said, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 2
    assert said
    assert all(line.startswith("[store] ") for line in said.splitlines())


def test_it_ends_with_its_supervisor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.mkdir()
    (log / "decisions.jsonl").touch()
    process, ours = companion("log", "--log", str(log), "--follow")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    os.close(ours)
    process.wait(30)
