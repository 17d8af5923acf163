"""Sign-offs: an auditor's word that a period was reviewed, a record of the audit chain that pins what there was.

It holds the end of each chain of the log at that moment, sequence and seal: so what is written later can be told from
what was there, though it be of that period, and nobody can put something under the auditor's word unseen.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embargo.console.context import now, store
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.livefile import last_record
from embargo.journal.query import parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.seal.chain import START, chain_name
from embargo.journal.store.late import End
from embargo.journal.store.rows import Row
from embargo.journal.verdict_class import CLASSES

SIGNED_OFF = "period-signed-off"  # event.action
LONGEST_NOTE = 2000  # characters
MOST_LATE = 200  # records that are told one by one
_MOST = 1000  # sign-offs that are read
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
    counts: Mapping[str, int]  # by class, as they were
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


def details(since: datetime, until: datetime, counts: Mapping[str, int], pinned: tuple[Pin, ...]) -> dict[str, Any]:
    """What the record of a sign-off says."""
    return {
        "since": since,
        "until": until,
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
        counts={name: int(count) for name, count in counts.items()},
        pins=tuple(map(Pin.read, told.get("chains", ()))),
    )
