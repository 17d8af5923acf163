"""The records of `embargo log` as text: in columns, as they are written, as CSV; nothing in them does harm."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import click

from embargo.cli.output import colourful, json_line, on_terminal, printable
from embargo.journal.reader import Entry
from embargo.journal.table import EXPORTED, SHOWN, Column, chosen, csv_line, row

_WIDTHS = {"time": 19, "verdict": 17, "app": 10, "host": 30, "client": 15, "rule": 18, "surface": 7}  # characters
_WHOLE_TIME = 24  # characters, with milliseconds and zone
_UNKNOWN_WIDTH = 18  # characters of a column whose width is not known beforehand
_WIDEST = 48  # characters of a column
_COLOURS = {"block": "red", "log": "yellow", "allow": "cyan"}


class Form(StrEnum):
    """How records are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Printer:
    """Makes lines of entries. *fields* are the columns; empty: those that the form has."""

    def __init__(self, form: Form, fields: tuple[str, ...] = ()) -> None:
        """Raises UnknownField."""
        self._form = form
        self._named = bool(fields)
        self._columns: Mapping[str, Column] = chosen(fields) if fields else SHOWN if form is Form.TABLE else EXPORTED

    def lines(self, entries: Iterable[Entry], *, certain: bool, header: bool = True) -> Iterator[str]:
        """The entries as text; *certain*: all are known, so that columns can fit them."""
        if self._form is Form.JSON:
            for entry in entries:
                if self._named:
                    yield json_line(dict(zip(self._columns, row(self._columns, entry.record), strict=True))) + "\n"
                else:
                    yield entry.raw.decode("utf-8", "replace") + "\n"
        elif self._form is Form.CSV:
            if header:
                yield csv_line(tuple(self._columns))
            for entry in entries:
                yield csv_line(row(self._columns, entry.record))
        else:
            yield from self._table(entries, certain=certain, header=header)

    def _table(self, entries: Iterable[Entry], *, certain: bool, header: bool) -> Iterator[str]:
        terminal = shutil.get_terminal_size().columns if on_terminal() else None
        known = _WIDTHS | {"time": _WHOLE_TIME} if self._named else _WIDTHS
        widths = {name: known.get(name, _UNKNOWN_WIDTH) for name in list(self._columns)[:-1]}
        if certain:
            entries = list(entries)
            shown = [[printable(text) for text in row(self._columns, entry.record)] for entry in entries]
            for index, name in enumerate(widths):
                longest = max((len(texts[index]) for texts in shown), default=0)
                widths[name] = min(_WIDEST, max(len(name), longest))
        if header:
            yield _fit([name.upper() for name in self._columns], widths, terminal) + "\n"
        for entry in entries:
            texts = [printable(text) for text in row(self._columns, entry.record)]
            line = _fit(texts, widths, terminal)
            colour = _COLOURS.get(entry.record.verdict or "") if colourful() else None
            yield (click.style(line, fg=colour) if colour else line) + "\n"


def _fit(texts: list[str], widths: dict[str, int], terminal: int | None) -> str:
    cells = [text.ljust(width) for text, width in zip(texts, widths.values(), strict=False)]
    line = "  ".join([*cells, texts[-1]]).rstrip()
    return line if terminal is None or len(line) <= terminal else line[: max(1, terminal - 1)] + "…"
