"""How `test --mutate` tries the mutations of a policy and prints those that no test notices, with what to add."""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from embargo.cli.findings import counted
from embargo.cli.output import printable
from embargo.cli.testrun import coloured
from embargo.policy.mutation import Mutation, Mutations, Outcome, Trial
from embargo.policy.scalar import resolve
from embargo.policy.witness import Witness

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # needs no quotation marks, whatever stands around it
_NULLABLE = ("status", "would", "respond", "record")


def attempt(known: Mutations, mutations: Sequence[Mutation]) -> list[Trial]:
    """Try each of *mutations*, with a progress bar on a terminal.

    Fewer come back where the user interrupts: of many rules it takes hours, and what was found until then is kept.
    """
    trials: list[Trial] = []
    try:
        for each in _tracked(mutations):
            trials.append(known.attempt(each))
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(trials)} of {counted(len(mutations), 'mutation')} tried", err=True)
    return trials


def _tracked(mutations: Sequence[Mutation]) -> Iterable[Mutation]:
    if not sys.stderr.isatty():
        return mutations
    from rich.console import Console
    from rich.progress import track

    return track(mutations, "mutations", console=Console(stderr=True), transient=True)


def report(trials: Iterable[Trial], *, last: str, verbose: bool, seconds: float) -> None:
    """Print what survived, with the test to add to the file *last*; with *verbose* all others too."""
    counts = Counter(trial.outcome for trial in trials)
    for trial in trials:
        mutation = printable(str(trial.mutation))
        if trial.outcome is Outcome.SURVIVED and trial.witness is not None:
            click.echo(f"{coloured('SURVIVED', 'red')} {mutation}")
            for line in _advice(trial.witness, last):
                click.echo(f"    {printable(line)}")
        elif verbose and trial.by is not None:
            by = printable(f"{trial.by.place}: {trial.by.path}")
            click.echo(f"{coloured('noticed', 'green')} {mutation}, by {by}")
        elif verbose:
            click.echo(f"no effect {mutation}{_searched(trial)}")
    survived, total = counts[Outcome.SURVIVED], sum(counts.values())
    summary = f"{counted(total, 'mutation')}: {counts[Outcome.NOTICED]} noticed, {survived} survived"
    without = f", {counts[Outcome.NO_EFFECT]} without effect" if counts[Outcome.NO_EFFECT] else ""
    click.echo(coloured(f"{summary}{without} in {seconds:.2f} s", "red" if survived else "green"))
    unsure = sum(trial.outcome is Outcome.NO_EFFECT and not trial.whole for trial in trials)
    if unsure:
        click.echo(f"{unsure} of those without effect were looked for among a sample of requests only")


def trial_object(trial: Trial) -> dict[str, Any]:
    """*trial* as JSON has it."""
    mutation, by, witness = trial.mutation, trial.by, trial.witness
    return {
        "what": mutation.what,
        "change": mutation.change,
        "file": mutation.file,
        "line": mutation.line,
        "outcome": trial.outcome.value,
        "by": {"file": by.file, "line": by.line, "path": by.path} if by is not None else None,
        "add": _test(witness) if witness is not None else None,
        "becomes": witness.after if witness is not None else None,
        "tried": trial.tried,
        "whole": trial.whole,
    }


def _searched(trial: Trial) -> str:
    if not trial.tried:
        return ": the rules in effect are the same"
    those = "that stand for all there are" if trial.whole else "taken by chance"
    return f": of {counted(trial.tried, 'request')} {those} none is judged otherwise"


def _advice(witness: Witness, last: str) -> list[str]:
    became = ", ".join(f"{key} {value}" for key, value in witness.after.items() if value != witness.before[key])
    return [f"no test notices: {became}. This one would, in {last}:", f"- {flow(_test(witness))}"]


def _test(witness: Witness) -> dict[str, Any]:
    """The test that would have noticed."""
    asked = witness.inquiry
    given = {
        "request": asked.request,
        "surface": asked.surface.value if asked.surface is not None else None,
        "client": str(asked.client) if asked.client is not None else None,
        "user": asked.user,
        "user_agent": asked.user_agent,
        "at": _time(asked.time) if not witness.timeless else None,
    }
    said: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key, value in witness.before.items():
        if value != "none":
            said[key] = int(value) if key == "status" else value.partition(",")[0]
        elif key in _NULLABLE:
            said[key] = None
    return said


def _time(instant: datetime) -> str:
    utc = instant.astimezone(UTC)
    if (utc.hour, utc.minute, utc.second, utc.microsecond) == (0, 0, 0, 0):
        return f"{utc:%Y-%m-%d}"
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def flow(test: dict[str, Any]) -> str:
    """*test* on one line of YAML."""
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in test.items()) + "}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) is not None and isinstance(resolve(value), str):
        return value
    return json.dumps(value, ensure_ascii=False)
