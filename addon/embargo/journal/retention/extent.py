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
from embargo.journal.seal.chain import seal_of

_BLOCK = 1 << 20  # bytes; the longest record that we write is shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The first and the last record of a file, as far as they can be read."""

    first: int  # sequence; as the file's name has it, where its first line is none of ours
    last: int | None  # sequence; None: no line could be read
    seal: str | None  # of the last record; None: it has none
    since: datetime | None  # time of the first record; aware, UTC
    until: datetime | None  # time of the last
    records: int  # lines


def extent(file: LogFile) -> Extent:
    """What *file* holds; of a damaged one what can be read. Raises OSError."""
    head, tail, records = b"", b"", 0
    try:
        for block in _blocks(file):
            records += block.count(b"\n")
            if len(head) < _BLOCK:
                head += block[: _BLOCK - len(head)]
            tail = (tail + block)[-_BLOCK:]
    except zstandard.ZstdError:
        pass  # the rest cannot be read by anybody else either
    whole = tail[: tail.rfind(b"\n") + 1]
    last = whole[whole.rfind(b"\n", 0, -1) + 1 :]
    first_sequence, since = _told(head.partition(b"\n")[0])
    last_sequence, until = _told(last)
    seal = seal_of(last)
    return Extent(
        first=first_sequence if first_sequence is not None else file.first,
        last=last_sequence,
        seal=seal.decode() if seal is not None else None,
        since=since,
        until=until,
        records=records,
    )


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
        with file.path.open("rb") as source:
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
    with file.path.open("rb") as plain:
        source: IO[bytes] = plain
        if file.compressed:
            source = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True), size)
        while block := source.read(size):
            yield block


def _told(line: bytes) -> tuple[int | None, datetime | None]:
    try:
        document = json.loads(line)
        sequence, instant = document["event"]["sequence"], datetime.fromisoformat(document["@timestamp"])
    except (ValueError, TypeError, KeyError):
        return None, None
    return (sequence if type(sequence) is int else None), instant.astimezone(UTC)
