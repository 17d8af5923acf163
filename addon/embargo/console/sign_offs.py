"""Sign-offs: an auditor's word that a period was reviewed, a record of the audit chain that pins what there was.

It holds the end of each chain of the log at that moment, sequence and seal: so what is written later can be told from
what was there, though it be of that period, and nobody can put something under the auditor's word unseen.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from embargo.console.context import now, store
from embargo.console.news import SIGNED_OFF
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.livefile import last_record
from embargo.journal.query import parse_query
from embargo.journal.reader import Reader
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.seal.chain import START, chain_name, seal_of
from embargo.journal.store.late import End
from embargo.journal.store.rows import Row
from embargo.journal.verdict_class import CLASSES

LONGEST_NOTE = 2000  # characters
MOST_LATE = 200  # records that are told one by one
_MOST = 1000  # sign-offs that are read
_LONGEST_LINE = 1 << 20  # bytes of a record
_TRIES = 20  # looks at a file that is being written


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """Where a chain ended."""

    stem: str
    number: int
    sequence: int
    seal: str  # 64 hex digits; empty: the last record was not sealed
    offset: int  # bytes of the file with that record

    @property
    def chain(self) -> str:
        """Its name, as checkpoints have it."""
        return chain_name(self.stem, self.number)

    def __str__(self) -> str:
        return f"{self.stem} {self.number} {self.sequence} {self.seal or '-'} {self.offset}"

    @classmethod
    def read(cls, text: str) -> "Pin":
        """What `str` wrote. Raises ValueError."""
        stem, number, sequence, seal, offset = text.split(" ")
        return cls(
            stem=stem, number=int(number), sequence=int(sequence), seal="" if seal == "-" else seal, offset=int(offset)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """One of them."""

    id: str  # event.id
    time: datetime
    by: str
    since: datetime
    until: datetime
    note: str
    rows: int  # records of the period, as they were
    counts: Mapping[str, int]  # of them the decisions by class
    pins: tuple[Pin, ...]

    @property
    def ends(self) -> dict[tuple[str, int], End]:
        """Its pins, as the store takes them."""
        return {(pin.stem, pin.number): End(sequence=pin.sequence, offset=pin.offset) for pin in self.pins}

    def late(self) -> list[Row]:
        """Records of its period that were written after it, the newest first, and at most one more than are told."""
        filled = store()
        return filled.late(self.ends, self.since, self.until, filled.snapshot(), MOST_LATE + 1)


def sign_offs() -> tuple[SignOff, ...]:
    """All that were made, the newest first."""
    filled = store()
    page = filled.page(parse_query([f"action:{SIGNED_OFF}"], now()), filled.snapshot(), limit=_MOST)
    return tuple(_read(line for _, line in filled.lines(page.rows) if line is not None))


def pins(log: Path) -> tuple[Pin, ...]:
    """Where each chain of the log directory *log* ends now. Raises OSError."""
    newest: dict[tuple[str, int], LogFile] = {}
    for stem in STEMS:
        for file in log_files(log, stem):
            newest[file.chain] = file  # by chain, the live one last
    return tuple(pin for _, file in sorted(newest.items()) if (pin := _pin(log, file)) is not None)


def details(
    since: datetime, until: datetime, rows: int, counts: Mapping[str, int], pinned: tuple[Pin, ...]
) -> dict[str, Any]:
    """What the record of a sign-off says."""
    return {
        "since": since,
        "until": until,
        "rows": rows,
        "counts": tuple(f"{name} {counts.get(name, 0)}" for name in CLASSES),
        "chains": tuple(map(str, pinned)),
    }


def _pin(log: Path, file: LogFile) -> Pin | None:
    """The end of *file*, which may be written and rotated meanwhile."""
    for _ in range(_TRIES):
        try:
            before = file.path.stat().st_size
            last = last_record(file)
            if last is None or (file.path.stat().st_size != before and not file.compressed):
                if last is None and before == 0:
                    file = next(each for each in reversed(log_files(log, file.stem)) if each.chain == file.chain
                                and each.rotated is not None)  # fmt: skip
                continue
        except FileNotFoundError:
            continue
        except StopIteration:
            return None  # a chain without a record
        seal = "" if last.seal == START else last.seal.decode("ascii", "replace")
        offset = 1 << 62 if file.compressed else before  # all of a compressed file was there
        return Pin(stem=file.stem, number=file.number, sequence=last.sequence, seal=seal, offset=offset)
    raise OSError(f"{file.path.name} cannot be read to its end: it changes all the time")


def _read(lines: Iterator[bytes]) -> Iterator[SignOff]:
    for line in lines:
        with suppress(BrokenRecord, KeyError, TypeError, ValueError):
            yield _sign_off(Record.parse(line))


def _sign_off(record: Record) -> SignOff:
    told = record.document["embargo"]["console"]
    counts = dict(each.split(" ") for each in told.get("counts", ()))
    return SignOff(
        id=record.id,
        time=record.time,
        by=record.user or "",
        since=datetime.fromisoformat(told["since"]).astimezone(UTC),
        until=datetime.fromisoformat(told["until"]).astimezone(UTC),
        note=record.reason or "",
        rows=int(told.get("rows", 0)),
        counts={name: int(count) for name, count in counts.items()},
        pins=tuple(map(Pin.read, told.get("chains", ()))),
    )


class Standing(StrEnum):
    """How a pin fares today."""

    THERE = "there, and the same"
    CHANGED = "another record stands there now"
    GONE = "no longer in the log: deleted after its retention, or removed"
    UNSEALED = "it was not sealed"


def standing(log: Path, pin: Pin) -> Standing:
    """Whether the record at which a chain ended is still in the log directory *log*. Raises OSError."""
    if not pin.seal:
        return Standing.UNSEALED
    of_chain = [file for file in log_files(log, pin.stem) if file.number == pin.number]
    before = [file for file in of_chain if file.rotated is not None and file.first <= pin.sequence]
    live = [file for file in of_chain if file.rotated is None]
    for file in (*before[-1:], *live):
        found = _seal_in(log, file, pin)
        if found is not None:
            return Standing.THERE if found == pin.seal else Standing.CHANGED
    return Standing.GONE


def _seal_in(log: Path, file: LogFile, pin: Pin) -> str | None:
    """The seal of the record with the pin's sequence in *file*; None where it is not in it."""
    wanted = f'"sequence":{pin.sequence},'.encode()
    if not file.compressed:
        with file.path.open("rb") as opened:
            start = max(0, pin.offset - _LONGEST_LINE)
            opened.seek(start)
            lines = opened.read(pin.offset - start).splitlines(keepends=True)
        if lines and wanted in lines[-1] and _sequence(lines[-1]) == pin.sequence:
            return (seal_of(lines[-1]) or b"").decode("ascii")
    for line in Reader(log, (file.stem,)).lines(file):
        if wanted in line and _sequence(line) == pin.sequence:
            return (seal_of(line if line.endswith(b"\n") else line + b"\n") or b"").decode("ascii")
    return None


def _sequence(line: bytes) -> int | None:
    """The record's own: a checkpoint names another's, too."""
    try:
        found = json.loads(line)["event"]["sequence"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if type(found) is int else None
