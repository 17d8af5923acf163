"""Lines read back from the log's files, where the store says that they stand."""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import zstandard
from sqlalchemy import Connection, select

from embargo.journal.files import STEMS, log_file
from embargo.journal.store import schema
from embargo.journal.store.rows import Row
from embargo.journal.store.sources import Source, fingerprint, listed, opened


class Gone(LookupError):
    """The line is no longer where it was: its file was deleted, or something else stands there."""


def lines(connection: Connection, directory: Path, rows: Iterable[Row]) -> Iterator[tuple[Row, bytes | None]]:
    """Each of *rows* with its raw line, without line feed; None where it is gone. In the order of *rows*."""
    wanted = list(rows)
    found: dict[int, bytes] = {}
    for file in {row.file for row in wanted}:
        of_file = sorted((row for row in wanted if row.file == file), key=lambda row: row.offset)
        with suppress(OSError):
            found.update(_of_file(connection, directory, file, of_file))
    for row in wanted:
        yield row, found.get(row.row)


def _of_file(connection: Connection, directory: Path, file: int, rows: list[Row]) -> dict[int, bytes]:
    source = _source(connection, directory, file)
    if source is None:
        return {}
    found: dict[int, bytes] = {}
    with source.opened:
        if not source.file.compressed:
            for row in rows:
                source.opened.seek(row.offset)
                found[row.row] = source.opened.read(row.length)
        else:
            source.opened.seek(0)
            reader = zstandard.ZstdDecompressor().stream_reader(source.opened, read_across_frames=True, closefd=False)
            place = 0
            with suppress(zstandard.ZstdError):
                for row in rows:
                    while place < row.offset:
                        if not (skipped := reader.read(min(1 << 20, row.offset - place))):
                            return found
                        place += len(skipped)
                    text = io.BytesIO()
                    while text.tell() < row.length and (more := reader.read(row.length - text.tell())):
                        text.write(more)
                    place += text.tell()
                    found[row.row] = text.getvalue()
    return {row: line[:-1] for row, line in found.items() if line.endswith(b"\n")}


def _source(connection: Connection, directory: Path, file: int) -> Source | None:
    """The file, under whatever name it has now."""
    known = connection.execute(
        select(schema.file.c.name, schema.file.c.fingerprint, schema.file.c.stem, schema.file.c.number).where(
            schema.file.c.id == file
        )
    ).first()
    if known is None:
        return None
    name, mark, stem, number = known
    if (named := next(filter(None, (log_file(directory / name, each) for each in STEMS)), None)) is not None and (
        source := _same(named, mark)
    ) is not None:
        return source
    for each in reversed(listed(directory)):
        if each.chain == (stem, number) and (source := _same(each, mark)) is not None:
            return source
    return None


def _same(file: "object", mark: bytes) -> Source | None:
    from embargo.journal.files import LogFile

    assert isinstance(file, LogFile)
    source = opened(file)
    if source is None:
        return None
    line = source.first_line()
    if line is not None and fingerprint(line) == mark:
        return source
    source.opened.close()
    return None
