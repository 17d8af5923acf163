"""How `embargo except` words what it found: in lines, for people; `review.exception_document` has the JSON."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import click

from embargo.cli.findings import counted
from embargo.cli.output import aligned, printable
from embargo.core.rules import Rule
from embargo.review.exception_document import time_text
from embargo.review.exceptions import Standing
from embargo.review.exempting import Plan
from embargo.review.opened import Effect, obstacle

_MOST_SHOWN = 20  # endpoints that are printed for people; --json has them all
COLUMNS = ("ID", "STATE", "LEFT", "APPS", "FOR", "ACTION", "UNTIL", "REASON")


def binding(orders: Sequence[str]) -> str:
    """That *orders* stand against an exception, as half a sentence."""
    verbs = "is in force and binds" if len(orders) == 1 else "are in force and bind"
    return f"{' and '.join(orders)} {verbs} this organization"


def show(plan: Plan, moment: datetime) -> None:
    """Print what an exception is, for whom, how long, and what it opens."""
    rule = plan.rule
    assert rule.until is not None and rule.since is not None, "it was just made"
    begins = f"from {time_text(rule.since)} " if rule.since > moment else ""
    lasts = span((rule.until - rule.since).total_seconds())
    line = f"{rule.id}: {rule.action} {_what(rule)} for {_whom(rule)} {begins}until {time_text(rule.until)} ({lasts})"
    click.echo(printable(line))
    if plan.against and not plan.rule.lacks:
        click.echo(f"against {' and '.join(plan.against)}, in force and binding: each record of it says so")
    if plan.opened:
        click.echo(f"opens {counted(len(plan.opened), 'endpoint')}:")
        rows = [(f"  {each.app}", each.endpoint, _change(each, rule.since)) for each in plan.opened]
        for row in aligned([[printable(cell) for cell in row] for row in rows[:_MOST_SHOWN]]):
            click.echo(row)
        if len(rows) > _MOST_SHOWN:
            click.echo(f"  and {len(rows) - _MOST_SHOWN} more; --json lists them")
    if plan.kept:
        click.echo(f"changes nothing at {counted(len(plan.kept), 'endpoint')}:")
        for why, endpoints in _by_obstacle(plan.kept).items():
            more = f" and {len(endpoints) - 1} more" if len(endpoints) > 1 else ""
            click.echo(printable(f"  {endpoints[0]}{more}: {why}"))


def _change(effect: Effect, since: datetime) -> str:
    """What becomes of an endpoint, and from when on where that is after the exception begins."""
    later = f" from {time_text(effect.at)} on" if effect.at > since else ""
    return f"{effect.before} to {effect.after}{later}"


def obstacles(plan: Plan) -> str:
    """Why *plan* opens nothing, by how often it is the reason."""
    counts = sorted(_by_obstacle(plan.kept).items(), key=lambda found: -len(found[1]))
    return "; ".join(why for why, _ in counts[:3]) or "no endpoint lies there"


def _by_obstacle(kept: Sequence[Effect]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for effect in kept:
        found[obstacle(effect)].append(f"{effect.app} {effect.endpoint}")
    return found


def row(standing: Standing) -> tuple[str, ...]:
    """An exception under `COLUMNS`."""
    rule = standing.rule
    return (
        rule.id,
        standing.state.value,
        span(standing.left) if standing.left is not None else "-",
        _what(rule),
        _whom(rule),
        rule.action.value,
        time_text(rule.until) if rule.until is not None else "never",
        rule.reason or "",
    )


def _what(rule: Rule) -> str:
    hosts = [f"{pattern.kind.key}:{pattern.text}" for pattern in rule.hosts]
    selector = rule.apps
    named = [
        *(f"named_in:{name}" for name in selector.named_in),
        *(f"vendor:{name}" for name in sorted(selector.vendors)),
    ]
    return " ".join(hosts) or ("all" if selector.all else " ".join([*sorted(selector.ids), *named]))


def _whom(rule: Rule) -> str:
    parts = [
        *(f"group {group.id}" for group in rule.groups),
        *sorted(rule.users),
        *map(str, rule.clients),
    ]
    return ", ".join(parts) or "everyone"


def span(seconds: float) -> str:
    """*seconds* as people say it, its two largest units: `3 d 4 h`, `12 min`, `40 s`."""
    left, parts = int(seconds), []
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= length:
            parts.append(f"{left // length} {name}")
            left %= length
    return " ".join(parts[:2]) or "0 s"
