"""What the log holds about one person, for that person: the records as they are written, and a page to read."""

import html
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import IO

from embargo.journal.ecs import timestamp
from embargo.journal.query import BadTerm, Query
from embargo.journal.reader import Entry
from embargo.journal.table import EXPORTED, printable, row

_SHOWN = ("time", "action", "verdict", "app", "host", "url", "client", "user", "rule", "reason")
_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color-scheme:light dark}table{border-collapse:collapse}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid #8888}"
    "td{overflow-wrap:anywhere}thead th{position:sticky;top:0;background:Canvas}"
)


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    records: int
    files: tuple[Path, ...]


def subject_term(subject: str) -> str:
    """The term for one person, `user:NAME` or `client:IP`. Raises BadTerm."""
    key, _, value = subject.partition(":")
    if key not in ("user", "client") or not value:
        raise BadTerm(f"{subject!r} names no person; write user:NAME or client:IP")
    if key == "user":
        if "*" in value:
            raise BadTerm(f"{subject!r} may be several persons; name one")
        return subject
    try:
        return f"client:{ip_address(value)}"
    except ValueError as malformed:
        raise BadTerm(f"{subject!r}: {value!r} is no address of one client") from malformed


def paths_of(path: Path) -> tuple[Path, Path]:
    """The two files that an export to *path* writes: records a line each, and the page."""
    stem = path.with_suffix("") if path.suffix in (".jsonl", ".html") else path
    return stem.with_name(stem.name + ".jsonl"), stem.with_name(stem.name + ".html")


def write(path: Path, query: Query, entries: Iterable[Entry], now: datetime) -> Export:
    """Writes *entries*, which *query* takes, as two new files, mode 600. Raises OSError; then neither is there."""
    files = paths_of(path)
    written: list[Path] = []
    count = 0
    try:
        with ExitStack() as stack:
            opened: list[IO[bytes]] = []
            for file in files:
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                written.append(file)
                opened.append(stack.enter_context(os.fdopen(descriptor, "wb")))
            lines, page = opened
            page.write(_head(query, now).encode())
            for entry in entries:
                count += 1
                lines.write(entry.raw + b"\n")
                page.write("".join(_row(entry)).encode("utf-8", "replace"))
            page.write(f"</tbody></table><p>{count} records.</p></main></body></html>\n".encode())
            for each in opened:
                each.flush()
                os.fsync(each.fileno())
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return Export(count, files)


def _head(query: Query, now: datetime) -> str:
    columns = "".join(f'<th scope="col">{name}</th>' for name in _SHOWN)
    asked = html.escape(printable(str(query)))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>What is recorded</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>What is recorded</h1>"
        f"<p>All records that <code>{asked}</code> takes, as of {timestamp(now)} (UTC). "
        "The file beside this one, .jsonl, has every member of each record.</p>"
        f"<table><thead><tr>{columns}</tr></thead><tbody>\n"
    )


def _row(entry: Entry) -> Iterator[str]:
    columns = {name: EXPORTED[name] for name in _SHOWN}
    yield "<tr>"
    for text in row(columns, entry.record):
        yield f"<td>{html.escape(printable(text))}</td>"
    yield "</tr>\n"
