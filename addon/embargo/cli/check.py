"""`embargo check`: every error and warning of the policy, with positions, and its tests."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from embargo.cli.findings import (
    counted,
    echo_findings,
    exit_code,
    fail,
    failure,
    problem_object,
    result_object,
)
from embargo.cli.options import at_option, json_option, policy_option
from embargo.cli.output import colourful, echo_json, printable
from embargo.core.ca_findings import not_permitted, too_many
from embargo.core.forecast import announcement_lines, forecast
from embargo.policy.cases import cases_of, run
from embargo.policy.lint import lint
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError, Problem, Severity


@click.command()
@policy_option
@click.option("--strict", is_flag=True, help="Exit 1 on warnings too.")
@click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The proxy's CA (PEM): warn of names that have to be opened and that it does not permit.",
)
@at_option
@json_option
def command(policy: tuple[Path, ...], strict: bool, ca: Path | None, at: datetime, as_json: bool) -> None:
    """Lint the policy: errors, warnings, its tests, and what it will say otherwise within 90 days.

    Exit 0 where it is fine, 1 for errors and failed tests (with --strict for warnings too), 2 where a file cannot be
    read. Example: embargo check --policy domains.yaml --policy site.yaml
    """
    try:
        loaded = load(policy)
    except PolicyError as refused:
        if not as_json:
            fail(refused.problems)
        echo_json(
            {
                "ok": False,
                "errors": list(map(problem_object, refused.problems)),
                "warnings": [],
                "tests": None,
                "announced": [],
            }
        )
        sys.exit(exit_code(refused.problems))
    moment = at
    warnings = [*lint(loaded, moment), *_filters(loaded, moment)]
    warnings += _unpermitted(loaded, ca, moment) if ca is not None else ()
    results = run(loaded, list(cases_of(loaded)), moment)
    failed = [result for result in results if not result.passed]
    ok = not failed and not (strict and warnings)
    announced = forecast(loaded.policy, moment)
    on_trial = sum(endpoint.shadow for app in loaded.policy.apps.values() for endpoint in app.endpoints)
    if as_json:
        echo_json(
            {
                "ok": ok,
                "files": [layer.name for layer in loaded.layers],
                **_counts(loaded),
                "on_trial": on_trial,
                "digest": loaded.digest,
                "errors": [],
                "warnings": list(map(problem_object, warnings)),
                "announced": [each.document() for each in announced],
                "tests": {"passed": len(results) - len(failed), "failed": list(map(result_object, failed))},
            }
        )
    else:
        echo_findings(sorted([*warnings, *map(failure, failed)]))
        for each in announced:
            for line in announcement_lines(str(each)):
                click.echo(printable(line))
        summary = ", ".join(
            [
                *(counted(number, noun.removesuffix("s")) for noun, number in _counts(loaded).items()),
                f"{len(results) - len(failed)} of {counted(len(results), 'test')} passed" if results else "no tests",
                *([f"{counted(on_trial, 'endpoint')} on trial"] if on_trial else []),
                *([counted(len(warnings), "warning")] if warnings else []),
                f"digest {loaded.digest}",
            ]
        )
        click.echo(click.style(summary, fg="green" if ok else "red", bold=True) if colourful() else summary)
    sys.exit(0 if ok else 1)


def _filters(loaded: Loaded, moment: datetime) -> Iterator[Problem]:
    """A warning for each sink whose filter is none: its grammar is the log's, which loading does not know."""
    if not any(sink.filter for sink in loaded.policy.settings.log.sinks):
        return
    from embargo.policy.sinks import layer_of
    from embargo.sinks.message import BadFilter, query_of

    for sink in loaded.policy.settings.log.sinks:
        try:
            query_of(sink, moment)
        except BadFilter as bad:
            path = ("settings", "log", "sinks", sink.id, "filter")
            hint = "nothing is delivered until it is mended"
            document = loaded.layers[layer_of(loaded, sink)].document
            yield document.problem(path, "sink-filter", str(bad), hint, severity=Severity.WARNING)


def _unpermitted(loaded: Loaded, ca: Path, moment: datetime) -> Iterator[Problem]:
    """A warning for each app and name whose verdict depends on what is inside, and that the CA cannot sign for.

    Of a long list it is one for all its names.
    """
    from embargo.review import certificate  # X.509 takes a while
    from embargo.review.directory import read_bounded

    try:
        known = certificate.facts(certificate.read_chain(read_bounded(ca)))
    except OSError as unread:
        raise click.UsageError(f"--ca: {ca}: {unread.strerror or unread}") from unread
    except certificate.CertificateError as broken:
        raise click.UsageError(f"--ca: {ca}: {broken}") from broken
    missing = certificate.unpermitted(loaded.policy, known, moment)
    sign = "have a CA signed that does: embargo ca request"
    found = dict.fromkeys((each.app, not_permitted(each.name), sign) for each in missing if each.why.decides)
    block = "let a rule without `surfaces` block the names whole"
    lists = certificate.missing_lists(loaded.policy, known, moment)
    for app, message, hint in [*found, *((names.app, too_many(names), block) for names in lists)]:
        document = [layer.document for layer in loaded.layers if app in layer.document.root.get("apps", ())][-1]
        yield document.problem(("apps", app), "not-permitted-by-ca", message, hint, key=True, severity=Severity.WARNING)


def _counts(loaded: Loaded) -> dict[str, int]:
    policy = loaded.policy
    endpoints = sum(len(app.endpoints) for app in policy.apps.values()) + sum(names.count for names in policy.lists)
    return {"apps": len(policy.apps), "endpoints": endpoints, "rules": len(policy.rules)}
