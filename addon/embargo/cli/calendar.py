"""How `embargo explain --calendar` prints: a row an interval, and a row for what recurs within it."""

from collections.abc import Iterator

import click

from embargo.cli.output import printable, table
from embargo.core.horizon import spelled
from embargo.core.week import zone_name
from embargo.review.calendar import Calendar, Interval, Outcome

COLUMNS = ("from", "to", "verdict", "rule", "why it changes")


def echo_calendar(found: Calendar, *, first: bool) -> None:
    """Print *found* under its request; a blank line before all but the *first*."""
    if not first:
        click.echo()
    click.echo(printable(found.inquiry.request))
    table(COLUMNS, [row for interval in found.intervals for row in _rows(interval)])


def _rows(interval: Interval) -> Iterator[list[str]]:
    said = interval.outcome
    verdict, rule = _verdict(said), said.rule or "-"
    yield [spelled(interval.start), spelled(interval.end), verdict, rule, ", ".join(interval.reasons)]
    zone = zone_name(interval.zone) if interval.zone is not None else ""
    for each in interval.recurring:
        hours = f"{', '.join(map(str, each.hours))} {zone}"
        yield ["", "", _verdict(each.outcome), each.outcome.rule or "-", f"recurs: {hours}"]


def _verdict(outcome: Outcome) -> str:
    """The verdict, with the status of a refusal by law, which changes without the verdict, and what would be."""
    text = str(outcome.verdict)
    if outcome.status == 451:
        text += " (451)"
    return f"{text}, would {outcome.would}" if outcome.would is not None else text
