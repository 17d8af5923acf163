"""`embargo test`: what the policy must say, asked of the policy; what its tests leave unasked."""

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from embargo.cli import covered, junit, mutants, testrun
from embargo.cli.findings import exit_code, fail, now, problem_object
from embargo.cli.options import at_option, json_option, policy_option
from embargo.cli.output import echo_json
from embargo.policy.casefiles import test_files
from embargo.policy.cases import Case, Result, cases_of, read_cases, run
from embargo.policy.coverage import coverage
from embargo.policy.load import Loaded, load
from embargo.policy.mutation import Mutations, Outcome, Trial
from embargo.policy.problem import PolicyError, Problem


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@policy_option
@at_option
@click.option("-k", "--select", "terms", multiple=True, metavar="TEXT", help="Run the tests in whose name, request, "
              "place, app or rule TEXT occurs; repeat it for more.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Print each test, each endpoint left out, each mutation.")
@click.option("--coverage", "wants_coverage", is_flag=True, help="Print which rules and endpoints no test touches.")
@click.option(
    "--fail-under",
    "least",
    multiple=True,
    type=covered.Threshold(),
    metavar="[PART=]N",
    help="Exit 1 where less than N percent are touched; PART is rules or endpoints, by default both.",
)
@click.option("--mutate", is_flag=True, help="Edit each rule in turn and print the edits that no test notices.")
@click.option("--endpoints", is_flag=True, help="With --mutate: remove each endpoint and exclude in turn, too.")
@click.option("--app", "apps", multiple=True, metavar="ID", help="Endpoints of this app alone; repeatable.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the results as JUnit XML too.")  # fmt: skip
@json_option
def command(
    files: tuple[Path, ...], policy: tuple[Path, ...], at: datetime, terms: tuple[str, ...], verbose: bool,
    wants_coverage: bool, least: tuple[dict[str, float], ...], mutate: bool, endpoints: bool, apps: tuple[str, ...],
    junit_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Run the policy's tests, and those in separate test FILEs (`version` and `tests` only), or directories of them.

    Tests that name no time of their own are judged as of --at. Exit 0 where all pass, 1 where one fails, the policy
    does not load, coverage falls short or a mutation survives, 2 where a file cannot be read. Example: embargo test
    extra-tests.yaml --at 2021-03-01
    """
    if endpoints and not mutate:
        raise click.UsageError("--endpoints goes with --mutate")
    try:
        loaded = load(policy)
        _known(apps, loaded)
        every = [*cases_of(loaded), *read_cases(test_files(files), loaded)]
    except PolicyError as refused:
        _write(junit_file, [], refused.problems)
        if not as_json:
            fail(refused.problems)
        echo_json({"ok": False, "errors": list(map(problem_object, refused.problems)), "tests": []})
        sys.exit(exit_code(refused.problems))
    cases = [case for case in every if _selected(case, terms)]
    if every and not cases:
        raise click.UsageError(f"no test of {len(every)} has {' or '.join(map(repr, terms))} in it")
    began = time.perf_counter()
    results = run(loaded, cases, at)
    took = time.perf_counter() - began
    _write(junit_file, results, [])
    failed = [result for result in results if not result.passed]
    found = coverage(loaded, results, apps) if wants_coverage or least else None
    short = (
        covered.shortfalls(found, {part: number for each in least for part, number in each.items()}) if found else []
    )
    if not as_json:
        testrun.report(results, verbose=verbose, deselected=len(every) - len(cases), seconds=took)
        if found is not None:
            covered.report(found, verbose=verbose)
            for line in short:
                click.echo(testrun.coloured(line, "red"))
    trials, whole = (
        _mutated(loaded, results, at, endpoints, apps, verbose, as_json) if mutate and not failed else ([], True)
    )
    survived = any(trial.outcome is Outcome.SURVIVED for trial in trials)
    if mutate and failed:
        click.echo("no mutations were tried: they need tests that pass", err=True)
    ok = whole and not (failed or short or survived)
    if as_json:
        answer: dict[str, Any] = {"ok": ok, "errors": [], "tests": list(map(testrun.test_object, results))}
        answer |= {"coverage": covered.coverage_object(found)} if found is not None else {}
        answer |= {"mutations": list(map(mutants.trial_object, trials))} if mutate else {}
        echo_json(answer)
    sys.exit(0 if ok else 1)


def _mutated(
    loaded: Loaded, results: Sequence[Result], at: datetime, endpoints: bool, apps: Sequence[str], verbose: bool,
    as_json: bool,
) -> tuple[list[Trial], bool]:  # fmt: skip
    """What came of the mutations, and whether all were tried."""
    began = time.perf_counter()
    known = Mutations(loaded, results, at)
    mutations = [*known.of_rules(), *(known.of_entries(apps) if endpoints else ())]
    trials = mutants.attempt(known, mutations)
    if not as_json:
        seconds = time.perf_counter() - began
        mutants.report(trials, last=loaded.layers[-1].name, verbose=verbose, seconds=seconds)
    return trials, len(trials) == len(mutations)


def _selected(case: Case, terms: Sequence[str]) -> bool:
    """Whether any of *terms* occurs in what names *case*, whatever the case of its letters; without terms each is."""
    form = case.form
    named = (form.name, case.request, case.place, case.path, form.app, form.rule, form.group, form.user)
    return not terms or any(term.lower() in text.lower() for term in terms for text in named if text)


def _known(apps: Sequence[str], loaded: Loaded) -> None:
    for app in apps:
        if app not in loaded.policy.apps:
            raise click.UsageError(f"--app: there is no app {app!r}")


def _write(path: Path | None, results: Sequence[Result], problems: Sequence[Problem]) -> None:
    if path is None:
        return
    try:
        junit.write(path, results, problems, now())
    except OSError as failed:
        raise click.UsageError(f"--junit: {path}: {failed.strerror}") from failed
