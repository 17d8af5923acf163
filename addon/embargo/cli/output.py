"""How commands print: JSON for machines, tables that suit a terminal or a pipe, problems.

On a terminal `rich` draws and wraps; in a pipe the same rows are aligned plain text, one line each, with
no colour and nothing cut, so that `grep` and `cut` see whole values. `NO_COLOR` (no-color.org) and
`TERM=dumb` turn colour off on a terminal too.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import click

type Json = bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None

_VERDICT_COLOURS = {"block": "red", "log": "yellow", "allow": "cyan", "pass": "green"}
# what a terminal would take as a command, or a reader as the end of the row; a tab would shift the columns
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(127, 160), 0x2028, 0x2029)}
_UNPRINTABLE = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def on_terminal() -> bool:
    """Whether standard output is a terminal that a person reads."""
    return sys.stdout.isatty()


def colourful() -> bool:
    """Whether colour may be used: on a terminal, unless `NO_COLOR` is set (to anything) or it is dumb."""
    return on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def echo_json(value: Json) -> None:
    """Print *value* as one line of JSON; letters beyond ASCII stay readable."""
    click.echo(json_line(value))


def json_line(value: Json) -> str:
    """*value* as one line of JSON, without the line break, for whatever standard output can carry.

    Where it cannot carry a letter (a lone surrogate, another encoding than UTF-8), all that is not ASCII is escaped;
    so are what some readers take as the end of a line and what a terminal would take as a command.
    """
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return line.translate(_ESCAPED)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print *rows* under *columns*: drawn by rich on a terminal, else aligned plain text."""
    cleaned = [[printable(cell) for cell in row] for row in rows]
    if on_terminal():
        _drawn(columns, cleaned)
    else:
        for line in aligned([list(columns), *cleaned]):
            click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """*rows* as lines whose columns begin two blanks after the widest cell before; nothing is cut."""
    widths = [max(map(width_of, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def padded(text: str, width: int) -> str:
    """*text* with blanks behind it up to *width* columns."""
    return text + " " * (width - width_of(text))


def width_of(text: str) -> int:
    """The columns that *text* takes: wide letters (East Asian Width W and F) take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def echo_problems(problems: Iterable[object]) -> None:
    """Print each problem to standard error, as its `str` has it: `FILE:LINE:COLUMN: CODE PATH: MESSAGE`."""
    for problem in problems:
        click.echo(str(problem), err=True)


def printable(text: str) -> str:
    """*text* without control characters: a host from a log must not drive the reader's terminal."""
    return text.translate(_UNPRINTABLE).encode(errors="replace").decode()


def verdict_style(verdict: str) -> str:
    """The word *verdict*, in its colour where colour may be used."""
    colour = _VERDICT_COLOURS.get(verdict)
    return click.style(verdict, fg=colour, bold=True) if colour is not None and colourful() else verdict


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # rich costs 50 ms to import, which a pipe need not pay
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=_VERDICT_COLOURS.get(cell, "")) for cell in row))
    Console(no_color=not colourful(), highlight=False).print(drawn)
