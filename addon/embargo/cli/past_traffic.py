"""Sources of past traffic as a command reads them: all opened before any is read, with a bar on a terminal."""

import io
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from embargo.cli.loading import UNREADABLE
from embargo.cli.output import printable
from embargo.core.seen import Seen, Unread

if TYPE_CHECKING:
    from embargo.review.sources import Source

_BETWEEN = 2048  # requests between looks at how far it is


def opened(names: Sequence[str]) -> list["Source"]:
    """The sources *names*; where one cannot be opened, that on standard error and exit 2."""
    from embargo.review.sources import STDIN, UnreadableSource, open_source

    if names.count(STDIN) > 1:
        raise click.UsageError("standard input (-) can be read once")
    try:
        return [open_source(name, stdin=_stdin() if name == STDIN else None) for name in names]
    except UnreadableSource as failure:
        click.echo(f"error: {printable(str(failure))}", err=True)
        sys.exit(UNREADABLE)


def _stdin() -> io.BufferedReader:
    stream: Any = sys.stdin.buffer
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)


def items(sources: Sequence["Source"]) -> Iterator[Seen | Unread]:
    """What *sources* hold, one after the other; pieces that could not be read name their source."""
    for source in sources:
        for item in _with_bar(source) if sys.stderr.isatty() else source:
            yield Unread(f"{source.name}, {item.where}", item.why) if isinstance(item, Unread) else item


def _with_bar(source: "Source") -> Iterator[Seen | Unread]:
    from rich.console import Console  # costs 50 ms, which a pipe need not pay
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)  # brackets in it are no markup
    columns = (name, BarColumn(), TextColumn("{task.fields[read]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(source.name), total=source.total, read="")
        for number, item in enumerate(source, 1):
            if number % _BETWEEN == 0:
                progress.update(task, completed=source.done or 0, read=f"{number:,} requests")
            yield item
