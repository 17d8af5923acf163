"""How `check` and `test` print what they found: a line a problem, and on a terminal the line of the file with it."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click

from embargo.cli.output import colourful, on_terminal, printable
from embargo.policy.cases import Case, Result
from embargo.policy.problem import Problem, Severity
from embargo.policy.reading import UNREADABLE

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_EXCERPT = 116  # characters of a line of the file that are shown
_LARGEST_EXCERPTED = 4 * 1024 * 1024  # bytes; a larger file is not read again for the sake of a line


def echo_findings(problems: Iterable[Problem]) -> None:
    """Print *problems* to standard output, for a person or for `grep`."""
    for problem in problems:
        if not on_terminal():
            click.echo(printable(str(problem)))
            continue
        where = f"{problem.file}:{problem.line}:{problem.column}:"
        path = f" {problem.path}:" if problem.path else ":"
        click.echo(
            f"{_styled(where, bold=True)} {_styled(problem.code, fg=_COLOURS[problem.severity])}"
            f"{printable(path)} {printable(problem.message)}"
            + (f"; {_styled(problem.hint, fg='cyan')}" if problem.hint else "")
        )
        for line in _excerpt(problem):
            click.echo(line)


def exit_code(problems: Sequence[Problem]) -> int:
    """2 where a file that was asked for could not be read, or nothing else is wrong than files unread; else 1."""
    asked_for = [not problem.path for problem in problems if problem.code in UNREADABLE]
    return 2 if any(asked_for) or len(asked_for) == len(problems) else 1


def problem_object(problem: Problem) -> dict[str, Any]:
    """*problem* as JSON has it."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": problem.severity.value,
        "code": problem.code,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint or None,
    }


def result_object(result: Result) -> dict[str, Any]:
    """*result* as JSON has it."""
    case = result.case
    return {
        "file": case.file,
        "line": case.line,
        "column": case.column,
        "path": case.path,
        "request": case.request,
        "passed": result.passed,
        "mismatches": [
            {"key": mismatch.key, "expected": mismatch.expected, "got": mismatch.got} for mismatch in result.mismatches
        ],
    }


def failure(result: Result) -> Problem:
    """A failed test as a problem at its place."""
    case: Case = result.case
    message = f"{case.request}: {result.explanation}"
    return Problem(case.file, case.line, case.column, "failed-test", case.path, message)


def counted(number: int, noun: str) -> str:
    """*number* with *noun* in singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


def fail(problems: Iterable[Problem]) -> None:
    """Print the *problems* that kept a policy from loading, and exit."""
    found = list(problems)
    echo_findings(found)
    files = len({problem.file for problem in found})
    click.echo(_styled(f"{counted(len(found), 'error')} in {counted(files, 'file')}", fg="red", bold=True))
    sys.exit(exit_code(found))


def _styled(text: str, fg: str | None = None, *, bold: bool = False) -> str:
    text = printable(text)
    return click.style(text, fg=fg, bold=bold or None) if colourful() else text


def _excerpt(problem: Problem) -> list[str]:
    """The line that *problem* is about, with a mark under its column; nothing where it cannot be shown."""
    lines = _lines(problem.file)
    if not 0 < problem.line <= len(lines) or not lines[problem.line - 1].strip():
        return []
    line, column = lines[problem.line - 1], problem.column - 1
    start = max(0, column - _EXCERPT // 2)
    shown = printable(line[start : start + _EXCERPT])
    return [
        f"    {_styled(shown)}",
        f"    {' ' * (column - start)}{_styled('^', fg=_COLOURS[problem.severity], bold=True)}",
    ]


@cache
def _lines(file: str) -> list[str]:
    path = Path(file)
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_EXCERPTED:
            return []
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        return []  # the problem itself says that the file cannot be read
