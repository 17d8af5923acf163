"""How `test` prints what it ran: a line a test, and of each that failed a diff of what was expected and what came."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import click

from embargo.cli.findings import counted, result_object
from embargo.cli.output import colourful, on_terminal, padded, printable, width_of
from embargo.policy.cases import Case, Result
from embargo.policy.expectations import Mismatch, expected


def report(results: Sequence[Result], *, verbose: bool, deselected: int, seconds: float) -> None:
    """Print *results*, of a policy that took *seconds* to test; *deselected*: tests that -k left out."""
    for file, group in groupby(results, key=lambda result: result.case.file):
        ran = list(group)
        if verbose:
            for result in ran:
                mark = coloured("passed", "green") if result.passed else coloured("FAILED", "red")
                click.echo(f"{mark} {_line(result.case)}")
        elif on_terminal():
            click.echo(f"{printable(file)} {_dots(ran)}")
    failed = [result for result in results if not result.passed]
    for result in failed:
        click.echo(f"{coloured('FAILED', 'red')} {_line(result.case)}")
        for line in _difference(result.mismatches):
            click.echo(line)
        if (by := _decided_by(result)) is not None:
            click.echo(f"    {printable(by)}")
    click.echo(_summary(len(results) - len(failed), len(failed), deselected, seconds))


def _line(case: Case) -> str:
    return printable(f"{case.place}: {described(case)}")


def described(case: Case) -> str:
    """*case* as a line of a report has it: path, name, request, and what is given beside it."""
    name = f"{case.form.name}: " if case.form.name is not None else ""
    return f"{case.path}: {name}{case.request}" + "".join(f" {key}={value}" for key, value in case.givens.items())


def test_object(result: Result) -> dict[str, Any]:
    """*result* as JSON has it, with what was given and expected."""
    case = result.case
    return {
        **result_object(result),
        "name": case.form.name,
        "given": case.givens,
        "expected": expected(case.form),
        "seconds": round(result.seconds, 6),
    }


def coloured(text: str, colour: str) -> str:
    """*text* in bold *colour*, where colour may be used."""
    return click.style(text, fg=colour, bold=True) if colourful() else text


def _summary(passed: int, failed: int, deselected: int, seconds: float) -> str:
    if not passed + failed:
        return "there are no tests: add some under `tests:`"
    left_out = f", {deselected} not selected" if deselected else ""
    took = f"{left_out} in {seconds:.2f} s"
    if failed:
        return coloured(f"{failed} failed, {passed} passed{took}", "red")
    return coloured(f"{counted(passed, 'test')} passed{took}", "green")


def _difference(mismatches: Iterable[Mismatch]) -> list[str]:
    """A table of what was expected and what came; nothing is cut."""
    rows = [
        ("", "expected", "got"),
        *((miss.key, printable(miss.expected), printable(miss.got)) for miss in mismatches),
    ]
    first, second = (max(width_of(row[column]) for row in rows) for column in (0, 1))
    head, *body = [(padded(key, first), padded(wanted, second), got) for key, wanted, got in rows]
    return [
        f"    {'  '.join(head)}",
        *(f"    {key}  {coloured(wanted, 'green')}  {coloured(got, 'red')}" for key, wanted, got in body),
    ]


def _decided_by(result: Result) -> str | None:
    """By what the verdict came about, where the mismatches do not say it."""
    decision, told = result.decision, {mismatch.key for mismatch in result.mismatches}
    if decision.rule_id is None:
        return None
    where = f" ({decision.rule.layer}:{decision.rule.line})" if decision.rule is not None else ""
    said = [] if "rule" in told and not where else [f"decided by rule {decision.rule_id}{where}"]
    if decision.endpoint is not None and "endpoint" not in told:
        said.append(f"endpoint {decision.endpoint} of {', '.join(decision.apps)}")
    said.append(f"at {result.answer.request.surface}")
    return ", ".join(said)


def _dots(results: Iterable[Result]) -> str:
    runs = ((passed, sum(1 for _ in group)) for passed, group in groupby(result.passed for result in results))
    return "".join(coloured("." * count, "green") if passed else coloured("F" * count, "red") for passed, count in runs)
