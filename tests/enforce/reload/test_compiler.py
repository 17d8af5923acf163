"""The compiler's process: what it answers, and every way in which it may fail."""

import asyncio
import sys
from pathlib import Path

import pytest

from embargo.enforce.reload import compiler
from embargo.enforce.reload.compiler import Compiled, CompileFailed, compile_policy

GOOD = "version: 1\napps: {bad: {endpoints: [banned.test]}}\nrules: [{id: ban, apps: bad, action: block}]\n"


def compiled(tmp_path: Path, text: str) -> Compiled:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return asyncio.run(compile_policy([file], tmp_path / "state", tmp_path / "log" / "policies"))


def test_a_policy(tmp_path: Path) -> None:
    made = compiled(tmp_path, GOOD)
    assert made.snapshot is not None
    assert made.snapshot.exists()
    assert made.problems == made.failed_tests == made.warnings == ()
    assert tmp_path / "policy.yaml" in made.watch
    assert (tmp_path / "log" / "policies" / str(made.digest)).exists()


def test_a_refused_policy(tmp_path: Path) -> None:
    made = compiled(tmp_path, GOOD.replace("block", "blokc"))
    assert made.snapshot is None
    assert "policy.yaml:3:" in made.problems[0]


def test_a_failing_test(tmp_path: Path) -> None:
    made = compiled(tmp_path, GOOD + "tests: [{request: banned.test, expect: pass}]\n")
    assert made.snapshot is not None
    assert "banned.test" in made.failed_tests[0]


def test_a_state_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(CompileFailed, match="code 2"):
        compiled(tmp_path, GOOD)


def test_a_store_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("in the way")
    made = compiled(tmp_path, GOOD)
    assert made.snapshot is not None
    assert "could not be stored" in made.warnings[0]


def test_an_answer_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(CompileFailed, match="ended with code 0"):
        compiled(tmp_path, GOOD)


def test_a_python_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="gone"):
        compiled(tmp_path, GOOD)


def test_one_that_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "TIMEOUT", 0.001)
    with pytest.raises(CompileFailed, match="took more than"):
        compiled(tmp_path, GOOD)


def test_a_loop_that_ends_while_it_starts(tmp_path: Path) -> None:
    """As where the proxy is stopped in the middle of a reload: it must not wait for ever."""
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)

    async def end() -> None:
        asyncio.get_running_loop().create_task(compile_policy([file], tmp_path / "state", tmp_path / "store"))
        for _ in range(3):
            await asyncio.sleep(0)
        raise SystemExit(7)

    with pytest.raises(SystemExit, match="7"):
        asyncio.run(end())
