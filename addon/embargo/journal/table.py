"""Records as rows: for people in columns, for spreadsheets as CSV that no cell of can be a formula.

Host, path and user agent are chosen by whoever made the request, so no control character of theirs reaches a
terminal, and no cell begins with what a spreadsheet would compute.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from embargo.journal.ecs import timestamp
from embargo.journal.record import Record

# C0, DEL, C1; then what reorders or breaks a line: bidirectional controls, line and paragraph separators
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_CAME_OF_IT = {"unknown": "attempt", "failure": "failed"}  # by outcome, of what is no decision

type Column = Callable[[Record], str]


def printable(text: str) -> str:
    """*text* on one line, safe for a terminal: what is not printable as an escape of Python's."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def cell(text: str) -> str:
    """*text* as a CSV cell, not yet quoted: one that a spreadsheet would compute gets an apostrophe before it."""
    guarded = "'" + text if text.startswith(_FORMULA) else text
    return printable(guarded)


def csv_line(values: tuple[str, ...]) -> str:
    """One line of CSV (RFC 4180), line break included."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([cell(value) for value in values])
    return line.getvalue()


def _verdict(record: Record) -> str:
    if record.verdict is None:
        said = _CAME_OF_IT.get(record.outcome or "")
        return record.action if said is None else f"{record.action} ({said})"
    return f"{record.verdict} (would {record.would})" if record.would is not None else record.verdict


def _who(record: Record) -> str:
    if record.anonymous:
        return "(anonymous)"
    return " ".join(filter(None, (record.client, record.user)))


def _port(number: int | None) -> str:
    return "" if number is None else str(number)


SHOWN: Mapping[str, Column] = {  # for people
    "time": lambda record: f"{record.time:%Y-%m-%d %H:%M:%S}",
    "verdict": _verdict,
    "app": lambda record: ",".join(record.apps),
    "host": lambda record: record.host or "",
    "client": _who,
    "rule": lambda record: record.rule or "",
    "surface": lambda record: record.surface or "",
    "reason": lambda record: record.reason or "",
}

EXPORTED: Mapping[str, Column] = {  # for spreadsheets
    "time": lambda record: timestamp(record.time),
    "id": lambda record: record.id,
    "action": lambda record: record.action,
    "verdict": lambda record: record.verdict or "",
    "would": lambda record: record.would or "",
    "outcome": lambda record: record.outcome or "",
    "app": lambda record: " ".join(record.apps),
    "host": lambda record: record.host or "",
    "url": lambda record: record.url or "",
    "method": lambda record: record.method or "",
    "status": lambda record: _port(record.status),
    "client": lambda record: record.client or "",
    "client_port": lambda record: _port(record.client_port),
    "user": lambda record: record.user or "",
    "groups": lambda record: " ".join(record.groups),
    "rule": lambda record: record.rule or "",
    "surface": lambda record: record.surface or "",
    "endpoint": lambda record: record.endpoint or "",
    "trial": lambda record: " ".join(record.trial or ()),
    "role": lambda record: record.role or "",
    "authorities": lambda record: " ".join(f"{name}:{state or 'none'}" for name, state in record.authorities),
    "destination": lambda record: record.destination or "",
    "destination_port": lambda record: _port(record.destination_port),
    "user_agent": lambda record: record.user_agent or "",
    "policy": lambda record: record.policy or "",
    "reason": lambda record: record.reason or "",
    "error": lambda record: record.error or "",
}


class UnknownField(ValueError):
    """A field that no record has."""


def chosen(fields: Sequence[str]) -> Mapping[str, Column]:
    """The columns that *fields* name: those of EXPORTED, and members of the record such as `event.id`.

    Raises UnknownField.
    """
    columns: dict[str, Column] = {}
    for name in fields:
        if name in EXPORTED:
            columns[name] = EXPORTED[name]
        elif "." in name or name == "@timestamp":
            columns[name] = _member(name)
        else:
            near = get_close_matches(name, EXPORTED, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"use {', '.join(EXPORTED)}, or a member such as event.id"
            raise UnknownField(f"{name!r} is no field; {hint}")
    return columns


def member(record: Record, path: str) -> Any:
    """The member of the record at *path*, such as `event.id`; None where it says none."""
    found: Any = record.document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _member(path: str) -> Column:
    def text(record: Record) -> str:
        found = member(record, path)
        if found is None:
            return ""
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return " ".join(found)
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return text


def row(columns: Mapping[str, Column], record: Record) -> tuple[str, ...]:
    """The record's text in each of *columns*."""
    return tuple(column(record) for column in columns.values())
