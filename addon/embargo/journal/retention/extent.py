"""What a rotated file holds: its first and last record, by number, time and seal. The whole file is read for it."""

import errno
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO

import zstandard

from embargo.journal.files import LogFile
from embargo.journal.regular import open_regular
from embargo.journal.seal.chain import START, seal_after, seal_of

_BLOCK = 1 << 20  # bytes; the longest record that we write is shorter
_LONGEST = 1 << 24  # bytes of a line that is held in memory
_SEALED = 80  # bytes of its end in which a line's seal stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The first and the last record of a file, as far as they can be read."""

    first: int  # sequence; as the file's name has it, where its first line is none of ours
    last: int | None  # sequence; None: no line could be read
    seal: str | None  # of the last record; None: it has none
    since: datetime | None  # time of the first record; aware, UTC
    until: datetime | None  # time of the last
    records: int  # lines
    whole: bool  # its lines are in order and fit its numbers: what is said here of its last record is what was sealed
    begins: bool  # and what is said of its first
    anew: bool  # the chain's seal begins in it: what stood before, if anything, was never sealed


def extent(file: LogFile, before: bytes | None = None) -> Extent:
    """What *file* holds; of a damaged one what can be read.

    *before* is the seal of the record before its first, where it is known: a single record is told by it alone. Raises
    OSError.
    """
    row, held = _Row(before), b""
    try:
        for block in _blocks(file):
            *lines, held = (held + block).split(b"\n")
            row.take(lines)
            if len(held) > _LONGEST:
                row.broken, held = True, b""
    except zstandard.ZstdError:
        row.broken = True  # the rest cannot be read by anybody else either
    first, since = _told(row.first)
    last, until = _told(row.last)
    seal = seal_of(row.last + b"\n")
    return Extent(
        first=first if first is not None else file.first,
        last=last,
        seal=seal.decode() if seal is not None else None,
        since=since,
        until=until,
        records=row.count,
        whole=row.whole and not held and first is not None and last is not None and last - first + 1 == row.count,
        begins=row.begins,
        anew=row.anew,
    )


class _Row:
    """Lines, one after another, and whether they are what was sealed."""

    def __init__(self, before: bytes | None) -> None:
        self.first = self.last = b""
        self.count = 0
        self.broken = False
        self.begins = False  # the first goes on from *before*
        self.anew = False  # the first sealed one goes on from none
        self._before = before
        self._seal: bytes | None = None  # of the last; None: sealing has not begun

    @property
    def whole(self) -> bool:
        """Whether each goes on from the one before it. Who has no key makes none that ends with a given seal."""
        alone = self.count == 1 and self._seal is not None
        return not self.broken and (self.begins or not alone)

    def take(self, lines: list[bytes]) -> None:
        for line in lines:
            self.broken |= not self._fits(line)
            self._seal = seal_of(line[-_SEALED:] + b"\n") or self._seal
            self.count += 1
        if lines:
            self.first = self.first or lines[0]
            self.last = lines[-1]

    def _fits(self, line: bytes) -> bool:
        claimed = seal_of(line[-_SEALED:] + b"\n")
        content = line[:-76]
        if self._seal is not None:
            return claimed is not None and seal_after(self._seal, content) == claimed
        if claimed is None:
            return True
        self.anew = seal_after(START, content) == claimed
        if self.count:
            return self.anew
        self.begins = self._before is not None and seal_after(self._before, content) == claimed
        return self.begins or self._before is None


def begun(file: LogFile) -> datetime | None:
    """The time of the first record of *file*; None where it cannot be read. Raises OSError."""
    head = b""
    try:
        for block in _blocks(file, 1 << 16):
            head += block
            if b"\n" in block or len(head) > _BLOCK:
                break
    except zstandard.ZstdError:
        return None
    return _told(head.partition(b"\n")[0])[1]


def first_of(file: LogFile) -> int | None:
    """The sequence of the first record of *file*; None where it has none, or is gone."""
    if file.rotated is not None:
        return file.first
    try:
        with open_regular(file.path) as source:
            return _told(source.readline(_BLOCK))[0]
    except OSError:
        return None


def lines_with(file: LogFile, mark: bytes) -> list[bytes]:
    """The lines of *file* in which *mark* stands, as far as it can be read. Raises OSError."""
    found: list[bytes] = []
    held = b""
    try:
        for block in _blocks(file):
            *lines, held = (held + block).split(b"\n")
            found += [line for line in lines if mark in line]
    except zstandard.ZstdError:
        pass
    return found


def found_in(file: LogFile, needles: Iterable[bytes]) -> set[bytes]:
    """Those of *needles* that stand in *file*.

    Raises OSError where it cannot be read to its end, or a rotated one does not end with a whole line.
    """
    left, found, tail = set(needles), set[bytes](), b"\n"
    overlap = max(map(len, left), default=0)
    try:
        for block in _blocks(file):
            tail += block
            here = {needle for needle in left if needle in tail}
            found, left, tail = found | here, left - here, tail[-overlap:]
    except zstandard.ZstdError as damaged:
        raise OSError(errno.EIO, f"is damaged: {damaged}", str(file.path)) from damaged
    if file.rotated is not None and not tail.endswith(b"\n"):
        raise OSError(errno.EIO, "is cut short", str(file.path))
    return found


def _blocks(file: LogFile, size: int = _BLOCK) -> Iterator[bytes]:
    with open_regular(file.path) as plain:
        source: IO[bytes] = plain
        if file.compressed:
            source = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True), size)
        while block := source.read(size):
            yield block


def _told(line: bytes) -> tuple[int | None, datetime | None]:
    try:
        document = json.loads(line)
        sequence = document["event"]["sequence"]
        instant = datetime.fromisoformat(document["@timestamp"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None, None
    return (sequence if type(sequence) is int else None), instant
