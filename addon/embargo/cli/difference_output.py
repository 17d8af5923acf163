"""How a difference between two policies is printed for people: what is compared, then a table a subject."""

import click

from embargo.cli.output import colourful, printable, table
from embargo.review.difference import Difference
from embargo.review.difference_tables import summary, tables


def echo_difference(found: Difference) -> None:
    """Print *found* to standard output."""
    for line in summary(found):
        click.echo(printable(line))
    for each in tables(found):
        click.echo()
        title = printable(each.title)
        click.echo(click.style(title, bold=True) if colourful() else title)
        if each.rows:
            table(each.columns, each.rows)
        else:
            click.echo("none")
        if each.note:
            click.echo(each.note)
