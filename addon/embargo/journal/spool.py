"""Reads what a log directory's chains hold from a place on, and says of each line where it ends: the files as a spool.

A place in a chain is the sequence of a file's first record, which rotation and compression keep, the offset behind a
line in the uncompressed file, and the sequence of that line's record. So a reader that comes back after a rotation, a
compression or a crash goes on at the next line; where the file it was in is gone, retention was faster, and the
records between are counted.
"""

import heapq
import io
import os
import re
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.regular import open_regular

type Chain = tuple[str, int]  # stem and number, as LogFile.chain

_AHEAD = 256  # lines of each chain that are held to merge by time
_BUFFER = 1 << 18  # bytes
_SEQUENCE = re.compile(rb'"sequence":([0-9]{1,18})')  # the first is event.sequence: quotes in texts are escaped
_TIME = re.compile(rb'\{"@timestamp":"([^"]{1,40})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Behind a line of a chain."""

    first: int  # sequence of the first record of the file
    offset: int  # bytes from the start of the uncompressed file
    sequence: int  # of the record before


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line and where it ends."""

    raw: bytes  # without line feed
    chain: Chain
    place: Place


def sequence_of(line: bytes) -> int | None:
    """The record's `event.sequence`, found without parsing; None where the line has none."""
    found = _SEQUENCE.search(line)
    return int(found[1]) if found else None


def time_of(line: bytes) -> bytes:
    """The record's `@timestamp` as it is written, which sorts as it stands; empty where the line has none."""
    found = _TIME.match(line)
    return found[1] if found else b""


class ChainSpool:
    """One chain from a place on. For one thread."""

    def __init__(self, directory: Path, chain: Chain, place: Place | None = None) -> None:
        self.chain = chain
        self.missing = 0  # records that were gone before they were read
        self._directory = directory
        self._first = place.first if place else 0
        self._offset = place.offset if place else 0
        self._sequence = place.sequence if place else 0
        self._begun = place is not None
        self._file: LogFile | None = None
        self._source: IO[bytes] | None = None
        self._identity: tuple[int, int] | None = None
        self._torn = b""

    def read(self, most: int) -> list[Line]:
        """The next lines, at most *most*; fewer where no more is there now. Raises OSError."""
        lines: list[Line] = []
        if self._source is None and not self._open(self._resumed()):
            return lines
        while len(lines) < most:
            left = self._left()  # asked before the end is reached: what is renamed gets no more lines
            while len(lines) < most and (line := self._next()) is not None:
                lines.append(line)
            if len(lines) >= most or not left or not self._open(self._after()):
                break
        return lines

    def close(self) -> None:
        """Gives the file up; `read` opens it again."""
        if self._source is not None:
            self._source.close()
        self._source = None

    def _files(self) -> list[LogFile]:
        try:
            listed = log_files(self._directory, self.chain[0])
        except FileNotFoundError:
            return []
        return [file for file in listed if file.chain == self.chain]

    def _resumed(self) -> list[tuple[LogFile, int]]:
        """The file to go on in and the offset there, then what may stand in for it."""
        files = self._files()
        if not self._begun:
            return [(file, 0) for file in files]
        for file in reversed(files):
            if _first_of(file) == self._first:
                return [(file, self._offset)]
        return self._later(files)

    def _after(self) -> list[tuple[LogFile, int]]:
        """The files behind the one that is read to its end."""
        files = self._files()
        for index in reversed(range(len(files))):
            if files[index].rotated is not None and files[index].first == self._first:
                return [(file, 0) for file in files[index + 1 :]]
        return self._later(files)

    def _later(self, files: Iterable[LogFile]) -> list[tuple[LogFile, int]]:
        """What is newer by its numbers; where a chain began anew, its live file."""
        return [(file, 0) for file in files if file.rotated is None or file.first > self._sequence]

    def _open(self, candidates: list[tuple[LogFile, int]]) -> bool:
        """Opens the first of *candidates* that is there, at its offset."""
        for file, offset in candidates:
            path, compressed = file.path, file.compressed
            if file.rotated is not None and not compressed and not path.exists():
                path, compressed = path.with_name(path.name + ".zst"), True  # compressed since it was listed
            try:
                plain = open_regular(path)
            except FileNotFoundError:
                continue
            status = os.fstat(plain.fileno())
            source: IO[bytes] = plain
            if compressed:
                reader = zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True, closefd=True)
                source = io.BufferedReader(reader, _BUFFER)
            elif offset <= status.st_size:
                plain.seek(offset)
            else:
                offset = 0  # emptied in place
            self.close()
            self._source, self._file, self._torn = source, file, b""
            self._identity = (status.st_dev, status.st_ino)
            if compressed:
                self._skip(offset)
            self._offset = offset
            return True
        return False

    def _skip(self, offset: int) -> None:
        assert self._source is not None
        with suppress(zstandard.ZstdError):  # damaged before that place: the rest cannot be read either
            while offset > 0 and (block := self._source.read(min(offset, _BUFFER))):
                offset -= len(block)

    def _left(self) -> bool:
        """Whether the file that is open gets no more lines."""
        assert self._file is not None
        if self._file.rotated is not None:
            return True
        try:
            status = self._file.path.stat()
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    def _next(self) -> Line | None:
        assert self._source is not None
        try:
            found = self._source.readline()
        except zstandard.ZstdError:
            return None  # damaged from here on: what follows is counted as missing when the next file begins
        if not found.endswith(b"\n"):
            self._torn += found
            return None
        whole, self._torn = self._torn + found, b""
        sequence = sequence_of(whole)
        if self._offset == 0:
            assert self._file is not None
            self._first = self._file.first if self._file.rotated is not None else sequence or 0
        if sequence is not None:
            if self._begun and sequence > self._sequence + 1:
                self.missing += sequence - self._sequence - 1
            self._sequence, self._begun = sequence, True
        self._offset += len(whole)
        place = Place(first=self._first, offset=self._offset, sequence=self._sequence)
        return Line(whole[:-1], self.chain, place)


def _first_of(file: LogFile) -> int | None:
    """The sequence of the first record of *file*."""
    if file.rotated is not None:
        return file.first
    try:
        with open_regular(file.path) as source:
            return sequence_of(source.readline(1 << 20))
    except OSError:
        return None


class Spool:
    """All chains of a directory, merged by time as far as lines are there. For one thread."""

    def __init__(self, directory: Path, places: Mapping[Chain, Place]) -> None:
        self._directory = directory
        self._chains = {chain: ChainSpool(directory, chain, place) for chain, place in places.items()}
        self._ahead: dict[Chain, deque[Line]] = {}

    @property
    def missing(self) -> int:
        """Records that were gone before they were read."""
        return sum(chain.missing for chain in self._chains.values())

    def read(self, most: int) -> list[Line]:
        """The next lines, at most *most*, the oldest first; none where nothing new is there. Raises OSError."""
        for chain in self._listed():
            if chain not in self._chains:
                self._chains[chain] = ChainSpool(self._directory, chain)
        lines: list[Line] = []
        heads: list[tuple[bytes, Chain]] = []
        for chain in self._chains:
            self._push(heads, chain)
        while heads and len(lines) < most:
            _, chain = heapq.heappop(heads)
            lines.append(self._ahead[chain].popleft())
            self._push(heads, chain)
        return lines

    def _push(self, heads: list[tuple[bytes, Chain]], chain: Chain) -> None:
        ahead = self._ahead.setdefault(chain, deque())
        if not ahead:
            ahead.extend(self._chains[chain].read(_AHEAD))
        if ahead:
            heapq.heappush(heads, (time_of(ahead[0].raw), chain))

    def _listed(self) -> list[Chain]:
        found: dict[Chain, None] = {}
        with suppress(FileNotFoundError):
            for stem in STEMS:
                found |= dict.fromkeys(file.chain for file in log_files(self._directory, stem))
        return list(found)

    def close(self) -> None:
        """Gives all files up."""
        for chain in self._chains.values():
            chain.close()
