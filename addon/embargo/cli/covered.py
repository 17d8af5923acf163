"""How `test --coverage` prints what the policy's tests touch and what they do not; what --fail-under takes."""

from typing import Any

import click

from embargo.cli.output import aligned, printable, table
from embargo.cli.testrun import coloured
from embargo.policy.coverage import Coverage, Share

PARTS = ("rules", "endpoints")


class Threshold(click.ParamType[dict[str, float]]):
    """`N`, `rules=N` or `endpoints=N`, from 0 to 100; as a mapping by part."""

    name = "N"

    def convert(
        self, value: str | dict[str, float], param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """The least percentage of each part that *value* names, of both where it names none."""
        if isinstance(value, dict):
            return value
        part, _, number = value.rpartition("=")
        try:
            percent = float(number)
        except ValueError:
            percent = -1.0
        if not 0 <= percent <= 100 or part not in ("", *PARTS):
            self.fail(f"{value!r} is none of N, rules=N and endpoints=N, N from 0 to 100", param, ctx)
        return {part: percent} if part else dict.fromkeys(PARTS, percent)


def shortfalls(found: Coverage, least: dict[str, float]) -> list[str]:
    """In words, which part of *found* lies below what *least* asks of it."""
    shares = {"rules": found.share_of_rules, "endpoints": found.share_of_entries}
    return [
        f"{part}: {shares[part].percent:.1f} % touched, {percent:g} % wanted"
        for part, percent in least.items()
        if shares[part].percent < percent
    ]


def report(found: Coverage, *, verbose: bool) -> None:
    """Print *found*: rules by name, endpoints as counts by app; with *verbose* each endpoint that no test touches."""
    click.echo(f"rules: {_shown(found.share_of_rules)}")
    for rule in found.untouched_rules:
        click.echo(f"    {coloured('untouched', 'red')} {printable(f'{rule.layer}:{rule.line}')}: rule {rule.id}")
    click.echo(f"endpoints, excludes, store ids, lists: {_shown(found.share_of_entries)}")
    rows = [
        (app, str(share.touched), str(share.of), f"{share.percent:.1f} %") for app, share in found.shares_by_app.items()
    ]
    table(("app", "touched", "of", "share"), rows)
    if verbose:
        lines = [(f"{each.place}:", each.app, each.sort.value, each.text) for each in found.untouched_entries]
        for line in aligned(lines) if lines else ():
            click.echo(f"    {coloured('untouched', 'red')} {printable(line)}")


def coverage_object(found: Coverage) -> dict[str, Any]:
    """*found* as JSON has it."""
    by_app: dict[str, list[dict[str, Any]]] = {}
    for entry in found.untouched_entries:
        by_app.setdefault(entry.app, []).append(
            {
                "kind": entry.sort.value,
                "endpoint": entry.text,
                "file": entry.file,
                "line": entry.line,
                "column": entry.column,
            }
        )
    return {
        "rules": {
            **_share_object(found.share_of_rules),
            "tests": {rule.id: count for rule, count in found.rules},
            "untouched": [{"id": rule.id, "file": rule.layer, "line": rule.line} for rule in found.untouched_rules],
        },
        "endpoints": {
            **_share_object(found.share_of_entries),
            "apps": [
                {"app": app, **_share_object(share), "untouched": by_app.get(app, [])}
                for app, share in found.shares_by_app.items()
            ],
        },
    }


def _share_object(share: Share) -> dict[str, Any]:
    return {"touched": share.touched, "of": share.of, "percent": round(share.percent, 1)}


def _shown(share: Share) -> str:
    return f"{share.touched} of {share.of} touched, {share.percent:.1f} %"
