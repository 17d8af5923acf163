"""`embargo test`: what the policy must say, asked of the policy."""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

import click

from embargo.cli.findings import counted, exit_code, fail, problem_object, result_object
from embargo.cli.options import at_option, json_option, policy_option
from embargo.cli.output import colourful, echo_json, on_terminal, printable
from embargo.policy.cases import Result, cases_of, read_cases, run
from embargo.policy.load import load
from embargo.policy.problem import PolicyError


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@policy_option
@at_option
@click.option("-v", "--verbose", is_flag=True, help="Print each test, passed or failed.")
@json_option
def command(files: tuple[Path, ...], policy: tuple[Path, ...], at: datetime, verbose: bool, as_json: bool) -> None:
    """Run the policy's tests, and those in separate test FILEs (`version` and `tests` only).

    Tests that name no time of their own are judged as of --at. Exit 0 where all pass, 1 where one fails or the policy
    does not load, 2 where a file cannot be read. Example: embargo test extra-tests.yaml --at 2021-03-01
    """
    try:
        loaded = load(policy)
        cases = [*cases_of(loaded), *read_cases(files, loaded)]
    except PolicyError as refused:
        if not as_json:
            fail(refused.problems)
        echo_json({"ok": False, "errors": list(map(problem_object, refused.problems)), "tests": []})
        sys.exit(exit_code(refused.problems))
    results = run(loaded, cases, at)
    failed = [result for result in results if not result.passed]
    if as_json:
        echo_json({"ok": not failed, "errors": [], "tests": list(map(result_object, results))})
    else:
        _report(results, failed, verbose=verbose)
    sys.exit(1 if failed else 0)


def _report(results: Sequence[Result], failed: Sequence[Result], *, verbose: bool) -> None:
    for file, group in groupby(results, key=lambda result: result.case.file):
        ran = list(group)
        if verbose:
            for result in ran:
                mark = _coloured("passed", "green") if result.passed else _coloured("FAILED", "red")
                case = result.case
                click.echo(f"{mark} {case.file}:{case.line}:{case.column}: {case.path}: {printable(case.form.request)}")
        elif on_terminal():
            click.echo(f"{file} {_dots(ran)}")
    for result in failed:
        case = result.case
        click.echo(
            f"{_coloured('FAILED', 'red')} {case.file}:{case.line}:{case.column}: {printable(_described(result))}"
        )
        for mismatch in result.mismatches:
            click.echo(f"    {mismatch.key}: expected {mismatch.expected}, got {mismatch.got}")
        if (rule := result.decision.rule_id) is not None and all(miss.key != "rule" for miss in result.mismatches):
            click.echo(f"    decided by rule {rule}")
    passed = len(results) - len(failed)
    if not results:
        click.echo("there are no tests: add some under `tests:`")
    elif failed:
        click.echo(_coloured(f"{len(failed)} failed, {passed} passed", "red"))
    else:
        click.echo(_coloured(f"{counted(passed, 'test')} passed", "green"))


def _described(result: Result) -> str:
    form = result.case.form
    given = {
        "surface": form.surface.value if form.surface else None,
        "client": str(form.client.network_address) if form.client is not None else None,
        "user": form.user,
        "user_agent": form.user_agent,
        "at": form.at.isoformat() if form.at else None,
    }
    return f"{result.case.path}: {form.request}" + "".join(f" {key}={value}" for key, value in given.items() if value)


def _dots(results: Iterable[Result]) -> str:
    return "".join(_coloured(".", "green") if result.passed else _coloured("F", "red") for result in results)


def _coloured(text: str, colour: str) -> str:
    return click.style(text, fg=colour, bold=True) if colourful() else text
