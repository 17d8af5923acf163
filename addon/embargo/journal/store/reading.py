"""Lines read back from the log's files, where the store says that they stand.

A compressed file is read from its beginning, and then on from where reading ended: rows in the order of time cost one
reading of each file, however many there are.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import batched
from pathlib import Path

import zstandard
from sqlalchemy import Connection, select

from embargo.journal.files import STEMS, LogFile, log_file
from embargo.journal.store import schema
from embargo.journal.store.rows import Row
from embargo.journal.store.sources import Source, decompressed, fingerprint, listed, opened

_BATCH = 2000  # rows that are read in the order in which they lie, and given in theirs
_MOST_OPEN = 16  # files

type Known = tuple[str, bytes, str, int]  # name when last seen, fingerprint, stem and number of the chain


class Gone(LookupError):
    """The line is no longer where it was: its file was deleted, or something else stands there."""


def known(connection: Connection, file: int) -> Known | None:
    """What the store knows of *file*."""
    table = schema.file.c
    found = connection.execute(
        select(table.name, table.fingerprint, table.stem, table.number).where(table.id == file)
    ).first()
    return None if found is None else (found[0], found[1], found[2], found[3])


def lines(
    find: Callable[[int], Known | None], directory: Path, rows: Iterable[Row]
) -> Iterator[tuple[Row, bytes | None]]:
    """Each of *rows* with its raw line, without line feed; None where it is gone. In the order of *rows*."""
    places: dict[int, _Place | None] = {}
    try:
        for some in batched(rows, _BATCH):
            found: dict[int, bytes] = {}
            for row in sorted(some, key=lambda row: (row.file, row.offset)):
                if row.file not in places:
                    while len(places) >= _MOST_OPEN:
                        _close(places.pop(next(iter(places))))
                    places[row.file] = _place(find(row.file), directory)
                place = places[row.file]
                if place is not None and (line := place.line(row.offset, row.length)) is not None:
                    found[row.row] = line
            for row in some:
                yield row, found.get(row.row)
    finally:
        for place in places.values():
            _close(place)


class _Place:
    """An open file, and how far it has been read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._reader: zstandard.ZstdDecompressionReader | None = None
        self._position = 0  # uncompressed bytes

    def line(self, offset: int, length: int) -> bytes | None:
        """The line at *offset*, without its line feed; None where there is none."""
        with suppress(OSError, zstandard.ZstdError):
            text = self._compressed(offset, length) if self.source.file.compressed else self._plain(offset, length)
            if len(text) == length and text.endswith(b"\n"):
                return text[:-1]
        return None

    def _plain(self, offset: int, length: int) -> bytes:
        self.source.opened.seek(offset)
        return self.source.opened.read(length)

    def _compressed(self, offset: int, length: int) -> bytes:
        if self._reader is None or offset < self._position:
            self.source.opened.seek(0)
            self._reader, self._position = decompressed(self.source.opened), 0
        while self._position < offset:
            skipped = self._reader.read(min(1 << 20, offset - self._position))
            if not skipped:
                return b""
            self._position += len(skipped)
        text = io.BytesIO()
        while text.tell() < length and (more := self._reader.read(length - text.tell())):
            text.write(more)
        self._position += text.tell()
        return text.getvalue()


def _close(place: _Place | None) -> None:
    if place is not None:
        place.source.opened.close()


def _place(file: Known | None, directory: Path) -> _Place | None:
    """The file, under whatever name it has now."""
    if file is None:
        return None
    name, mark, stem, number = file
    named = [found for each in STEMS if (found := log_file(directory / name, each)) is not None]
    with suppress(OSError):
        for candidate in named:
            if (source := _same(candidate, mark)) is not None:
                return _Place(source)
        for candidate in reversed(listed(directory)):
            if candidate.chain == (stem, number) and (source := _same(candidate, mark)) is not None:
                return _Place(source)
    return None


def _same(file: LogFile, mark: bytes) -> Source | None:
    source = opened(file)
    if source is None:
        return None
    line = source.first_line()
    if line is not None and fingerprint(line) == mark:
        return source
    source.opened.close()
    return None
