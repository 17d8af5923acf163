"""`embargo diff`: what an edit of the policy changes in effect, over time and on past traffic."""

import gc
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.difference_output import echo_difference
from embargo.cli.loading import UNREADABLE
from embargo.cli.options import Instant, at_option, json_option
from embargo.cli.output import echo_json, echo_problems, printable
from embargo.cli.past_traffic import items, opened
from embargo.paths import default_policy

if TYPE_CHECKING:
    from embargo.review.collateral import TrafficEffect
    from embargo.review.difference import Side
    from embargo.review.sources import Source

YEAR = timedelta(days=365)
CHANGED = 1  # exit, under --exit-code
INTERRUPTED = 130  # exit: 128 and SIGINT, as shells have it


@click.command(
    epilog="""\b
Examples:
  embargo diff site.yaml trial.yaml --traffic ~/.local/state/embargo/log
  embargo diff HEAD~1 HEAD -- domains.yaml site.yaml
  embargo diff main --markdown -- site.yaml"""
)
@click.argument("old")
@click.argument("new", required=False)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[-- FILE...]")
@click.option(
    "--traffic",
    multiple=True,
    metavar="SOURCE",
    help="Past requests to judge by both: a log, a census, or what else `replay` reads; repeat it for several.",
)
@at_option
@click.option("--to", "end", type=Instant(), help="Compare verdicts until then. Default: the day a year after --at.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--exit-code", is_flag=True, help="Exit 1 where a verdict changes.")
@json_option
def command(
    old: str,
    new: str | None,
    files: tuple[Path, ...],
    traffic: tuple[str, ...],
    at: datetime,
    end: datetime | None,
    markdown: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell what policy NEW does otherwise than policy OLD.

    Each is a policy file, layers with commas between (domains.yaml,site.yaml), or a revision of git, of which the FILEs
    are meant; without NEW, OLD is compared with the FILEs as they are now. Exit 2 where one does not load.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    end = end if end is not None else (at + YEAR).replace(hour=0, minute=0, second=0, microsecond=0)
    if end <= at:
        raise click.UsageError("--to is not after --at")
    sources = opened(traffic)
    before, after = _sides(old, new, files)
    from embargo.review.difference import difference

    judged = _judged(before, after, sources, at) if sources else None
    found = difference(before, after, at, end, judged)
    if as_json:
        echo_json(found.document())
    elif markdown:
        from embargo.review import difference_tables

        for line in difference_tables.markdown(found):
            click.echo(line)
    else:
        echo_difference(found)
    if judged is not None and not judged.complete:
        click.echo("interrupted: this is what was reached", err=True)
        sys.exit(INTERRUPTED)
    if exit_code and found.changes_verdicts:
        sys.exit(CHANGED)


def _sides(old: str, new: str | None, files: Sequence[Path]) -> tuple["Side", "Side"]:
    from embargo.policy.problem import PolicyError
    from embargo.review.revision import RevisionError
    from embargo.review.sides import NoSuchSide, read_sides

    try:
        return read_sides(old, new, files, default_policy())
    except PolicyError as refused:
        echo_problems(refused.problems)
        click.echo("a policy that does not load cannot be compared", err=True)
    except (NoSuchSide, RevisionError) as refused:
        click.echo(f"error: {printable(str(refused))}", err=True)
    sys.exit(UNREADABLE)


def _judged(before: "Side", after: "Side", sources: Sequence["Source"], at: datetime) -> "TrafficEffect":
    """What both policies say of the past requests of *sources*, all as of *at*."""
    from embargo.review.collateral import TrafficEffect
    from embargo.review.judge import Assumed, Judge

    assumed = Assumed(time=at)
    found = TrafficEffect(Judge(before.policy, assumed, at=at), Judge(after.policy, assumed, at=at))
    gc.freeze()  # two policies are thousands of objects, none of which will be garbage
    try:
        found.add(items(sources))
    except KeyboardInterrupt:  # what was reached is told
        found.complete = False
        return found
    if found.unread and not found.requests:
        click.echo("error: nothing in the traffic could be read", err=True)
        sys.exit(UNREADABLE)
    return found
