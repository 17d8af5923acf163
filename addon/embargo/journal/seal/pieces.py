"""The files of a chain as verification reads them: whole lines, block by block, plain or compressed, from any place."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import zstandard

from embargo.journal.files import LogFile
from embargo.journal.livefile import first_sequence
from embargo.journal.regular import open_regular
from embargo.journal.seal.chain import seal_of

_BLOCK = 1 << 20  # bytes
_COMPRESSED = 1 << 12  # bytes; the worst that somebody could make of them is 128 MiB
_LONGEST = 1 << 24  # bytes of a line: more are no record of ours, and are not held in memory


class Damaged(Exception):
    """A compressed file is damaged from here on."""


@dataclass(slots=True)
class Piece:
    """A file of a chain to be read, or the rest of it."""

    file: LogFile
    source: IO[bytes] | None  # open, where it is a live one
    offset: int = 0  # uncompressed bytes to leave out
    resumed: bool = False  # the rest of one that was begun

    def identity(self) -> tuple[int, int] | None:
        """Device and inode; None where it is gone."""
        status = self._status()
        return (status.st_dev, status.st_ino) if status is not None else None

    def size(self) -> int:
        """Bytes on the disk; 0 where it is gone."""
        status = self._status()
        return status.st_size if status is not None else 0

    def goes_on(self, offset: int, seal: bytes | None) -> bool:
        """Whether the line that ends at *offset* still claims *seal*, and nothing before it was cut."""
        if not offset or seal is None:
            return self.size() >= offset
        begin = max(0, offset - 4096)
        try:
            with open_regular(self.file.path) as source:
                source.seek(begin)
                return seal_of(source.read(offset - begin)) == seal
        except OSError:
            return False

    def first(self) -> int | None:
        """The number of the first record of an open file; None where it is empty."""
        return first_sequence(self.source.fileno()) if self.source is not None else None

    def rotated_since(self) -> bool:
        """Whether the open file's name leads to another by now, or to none."""
        try:
            named = self.file.path.stat()
        except OSError:
            return True
        return (named.st_dev, named.st_ino) != self.identity()

    def first_seal(self) -> bytes | None:
        """The seal of the first line."""
        try:
            for lines, _ in pieces(self, lambda read: None):
                if lines:
                    return seal_of(lines[0] + b"\n")
        except (OSError, Damaged):
            pass
        return None

    def _status(self) -> os.stat_result | None:
        try:
            return os.fstat(self.source.fileno()) if self.source is not None else self.file.path.stat()
        except OSError:
            return None


def pieces(piece: Piece, advance: Callable[[int], None]) -> Iterator[tuple[list[bytes], bytes | None]]:
    """The whole lines of *piece*, without their line feeds, many at a time; with the last, what stands behind them.

    *advance* is called with the bytes of the disk that were read. Raises OSError, Damaged.
    """
    held = b""
    for block in _blocks(piece, advance):
        if b"\n" not in block and len(held) > _LONGEST:
            continue  # the rest of a line that is none of ours: what it was is told by what is missing
        lines = (held + block).split(b"\n")
        held = lines.pop()
        yield lines, None
    yield [], held


def _blocks(piece: Piece, advance: Callable[[int], None]) -> Iterator[bytes]:
    source = piece.source
    if source is None:
        with _opened(piece) as plain:
            yield from _blocks_of(plain, piece, advance)
    else:
        yield from _blocks_of(source, piece, advance)


def _opened(piece: Piece) -> IO[bytes]:
    try:
        return open_regular(piece.file.path)
    except FileNotFoundError:
        whole = piece.file.path.with_name(piece.file.path.name + ".zst")  # compressed since it was listed
        if piece.file.compressed or not whole.exists():
            raise
        return open_regular(whole)


def _blocks_of(plain: IO[bytes], piece: Piece, advance: Callable[[int], None]) -> Iterator[bytes]:
    if not plain.name.endswith(".zst"):
        plain.seek(piece.offset)
        while block := plain.read(_BLOCK):
            advance(len(block))
            yield block
        return
    left, begun = piece.offset, False
    frame = zstandard.ZstdDecompressor().decompressobj()  # tells a frame that is cut short; a stream reader does not
    try:
        while data := plain.read(_COMPRESSED):
            advance(len(data))
            while data:
                block, begun = frame.decompress(data), not frame.eof
                data = frame.unused_data
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                if left >= len(block):
                    left -= len(block)
                    continue
                yield block[left:]
                left = 0
    except zstandard.ZstdError as damaged:
        raise Damaged(f"it is damaged from here on: {damaged}") from damaged
    if begun:
        raise Damaged("it is cut short here")
