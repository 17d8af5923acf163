"""Sources of past traffic as a command reads them: all opened before any is read, with a bar on a terminal."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from embargo.cli.loading import UNREADABLE
from embargo.cli.output import printable
from embargo.core.seen import Seen, Unread

if TYPE_CHECKING:
    from embargo.review.sources import Format, Source

_BETWEEN = 2048  # requests between looks at how far it is


def opened(names: Sequence[str], wanted: "Format | None" = None, *, choosable: bool = False) -> list["Source"]:
    """The sources *names*, of the format *wanted* or as their content shows, all of them before any is read.

    Where some cannot be opened, all that is wrong goes to standard error, and the command ends with 2. *choosable*:
    the command takes `--format`.
    """
    from embargo.review.sources import STDIN, UnknownFormat, UnreadableSource, open_source

    if names.count(STDIN) > 1:
        raise click.UsageError("standard input (-) can be read once")
    found, problems = [], []
    for name in names:
        try:
            found.append(open_source(name, wanted, _stdin() if name == STDIN else None))
        except UnreadableSource as unreadable:
            hint = "; --format says which it is" if choosable and isinstance(unreadable, UnknownFormat) else ""
            problems.append(f"{unreadable}{hint}")
    for problem in problems:
        click.echo(f"error: {printable(problem)}", err=True)
    if problems:
        sys.exit(UNREADABLE)
    return found


def _stdin() -> io.BufferedReader:
    stream: Any = sys.stdin.buffer
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)


def items(sources: Sequence["Source"]) -> Iterator[Seen | Unread]:
    """What *sources* hold, one after the other; pieces that could not be read name their source."""
    for source in sources:
        for item in followed(source):
            yield Unread(f"{source.name}, {item.where}", item.why) if isinstance(item, Unread) else item


def followed(source: "Source") -> Iterable[Seen | Unread]:
    """What *source* holds, with a bar on a terminal."""
    return _with_bar(source) if sys.stderr.isatty() else source


def _with_bar(source: "Source") -> Iterator[Seen | Unread]:
    from rich.console import Console  # costs 50 ms, which a pipe need not pay
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)  # brackets in it are no markup
    read = TextColumn("{task.fields[number]:,} requests")
    columns = (name, BarColumn(), TaskProgressColumn(), read, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(source.name), total=source.total, number=0)
        number = 0
        for number, item in enumerate(source, 1):
            if number % _BETWEEN == 0:
                progress.update(task, completed=source.done or 0, number=number)
            yield item
        progress.update(task, completed=source.done or 0, number=number)
