"""The log's files as the store reads them: found again under another name, read on from where reading ended.

A file is known by its chain and its first line, which holds id, sequence and seal of its first record and stays what it
is when the file is rotated and compressed.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from embargo.journal.files import STEMS, LogFile, log_files

_BLOCK = 1 << 20  # bytes read at once
_LONGEST_FIRST_LINE = 1 << 20  # bytes


@dataclass(slots=True)
class Source:
    """A file that is there."""

    file: LogFile
    opened: IO[bytes]  # its bytes as they lie on the disk
    inode: int
    size: int  # bytes on the disk, when it was opened

    def first_line(self) -> bytes | None:
        """The first whole line; None where there is none yet, or it cannot be read."""
        self.opened.seek(0)
        if not self.file.compressed:
            head = self.opened.read(_LONGEST_FIRST_LINE)
        else:
            with suppress(zstandard.ZstdError):
                reader = decompressed(self.opened)
                head = b""
                while b"\n" not in head and len(head) < _LONGEST_FIRST_LINE and (more := reader.read(1 << 16)):
                    head += more
        line, feed, _ = head.partition(b"\n")
        return line if feed or len(head) >= _LONGEST_FIRST_LINE else None

    def blocks(self, position: int) -> Iterator[bytes]:
        """The uncompressed bytes from *position* on. Raises OSError, ZstdError."""
        self.opened.seek(0 if self.file.compressed else position)
        if not self.file.compressed:
            left = self.size - position
            while left > 0 and (block := self.opened.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
            return
        reader = decompressed(self.opened)
        skipped = 0
        while block := reader.read(_BLOCK):
            begin = max(0, position - skipped)
            skipped += len(block)
            if begin < len(block):
                yield block[begin:] if begin else block


def decompressed(opened: IO[bytes]) -> "zstandard.ZstdDecompressionReader":
    """A reader of the uncompressed bytes of *opened*, which it leaves open."""
    return zstandard.ZstdDecompressor().stream_reader(opened, read_across_frames=True, closefd=False)


def fingerprint(line: bytes) -> bytes:
    """What tells a file with this first line from all others of its chain."""
    return hashlib.blake2b(line, digest_size=16).digest()


def sequence(line: bytes) -> int:
    """The sequence that a line says; 0 where it says none."""
    try:
        found = json.loads(line)["event"]["sequence"]
    except (ValueError, TypeError, KeyError):
        return 0
    return found if type(found) is int else 0


def listed(directory: Path) -> list[LogFile]:
    """Every file to read, chain by chain. Raises OSError."""
    return [file for stem in STEMS for file in log_files(directory, stem)]


def signature(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when there is something new. Raises OSError."""
    found = []
    for file in listed(directory):
        with suppress(OSError):
            status = file.path.stat()
            found.append((file.path.name, status.st_ino, status.st_size))
    return tuple(found)


def opened(file: LogFile) -> Source | None:
    """*file*, open; None where it is gone. Of a plain one that was compressed since, the compressed. Raises OSError."""
    try:
        source = file.path.open("rb")
    except FileNotFoundError:
        if file.rotated is None or file.compressed:
            return None
        path = file.path.with_name(file.path.name + ".zst")
        return opened(
            LogFile(
                path=path, number=file.number, stem=file.stem, rotated=file.rotated, first=file.first, compressed=True
            )
        )
    status = os.fstat(source.fileno())
    return Source(file, source, status.st_ino, status.st_size)
