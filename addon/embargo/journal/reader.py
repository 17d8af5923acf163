"""Reads a log directory: plain and compressed files, rotated and live, of several processes, merged by time.

Streaming, and never stopped by a broken line or file: those are counted and told by `Reader.broken`. A chain's
records are in the order of their writing, which is that of their time but for a clock set back.
"""

import heapq
import io
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import zstandard

from embargo.journal.backwards import lines_backwards
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.regular import open_regular
from embargo.journal.seal.chain import MARK

_NAMED_TO = timedelta(seconds=1)  # a file's name says its rotation to the second, cut
_MOST_NAMED = 20  # broken lines that are named; more are counted


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and the line it was read from."""

    record: Record
    raw: bytes  # without line feed


@dataclass(slots=True)
class Broken:
    """What could not be read."""

    count: int = 0  # lines; a file that cannot be read to its end counts as one
    places: list[str] = field(default_factory=list)  # the first of them, as `FILE: WHY`

    def note(self, path: Path, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.places) < _MOST_NAMED:
            self.places.append(f"{path.name}: {why}")


type Predicate = Callable[[Record], bool]


class Reader:
    """The records of a directory."""

    def __init__(
        self,
        directory: Path,
        stems: Sequence[str] = STEMS,
        sift: Callable[[bytes], bool] | None = None,
        *,
        checkpoints: bool = False,
    ) -> None:
        """*stems* are the kinds of chains to read; *sift* says of a raw line whether it is worth parsing
        (`Query.may_match`). The seal's own records are left out unless *checkpoints* are wanted too: nothing happened.
        """
        self._checkpoints = checkpoints
        self.directory = directory
        self.stems = tuple(stems)
        self._sift = sift
        self.broken = Broken()

    def entries(self, matches: Predicate | None = None, since: datetime | None = None) -> Iterator[Entry]:
        """All records that *matches* takes, by time; files wholly before *since* are not opened.

        Raises OSError where the directory cannot be listed.
        """
        with ExitStack() as opened:
            chains = [self._chain(chain, matches) for chain in self._chains(since, opened)]
            yield from heapq.merge(*chains, key=lambda entry: entry.record.time)

    def newest(self, count: int, matches: Predicate | None = None, since: datetime | None = None) -> list[Entry]:
        """The newest *count* records that *matches* takes, by time, newest last. Raises OSError as `entries`.

        Reads each chain from its end and no further than it must.
        """
        found: list[Entry] = []
        with ExitStack() as opened:
            for chain in self._chains(since, opened):
                of_chain: list[Entry] = []
                for file in reversed(chain):
                    if len(of_chain) < count:
                        of_chain += self._newest_of(file, count - len(of_chain), matches, since)
                found += of_chain
        found.sort(key=lambda entry: entry.record.time)
        return found[max(0, len(found) - count) :]

    def files(self) -> list[LogFile]:
        """Every file to read, chain by chain, in each the oldest first. Raises OSError."""
        return [file for stem in self.stems for file in log_files(self.directory, stem)]

    def parsed(self, file: LogFile, lines: Iterator[bytes]) -> Iterator[Entry]:
        """The records of *lines*; what is none of ours is noted."""
        for line in lines:
            if not line.strip() or (self._sift is not None and not self._sift(line)):
                continue
            if MARK in line and not self._checkpoints:
                continue
            try:
                yield Entry(Record.parse(line), line.rstrip(b"\n"))
            except BrokenRecord as broken:
                self.broken.note(file.path, str(broken)[:200])

    def lines(self, file: LogFile) -> Iterator[bytes]:
        """The whole lines of a file; a last one still being written is left out."""
        try:
            with _opened(file) as source:
                yield from self._lines(file, source)
        except OSError as failure:
            if not isinstance(failure, FileNotFoundError):  # gone: it was too old, or somebody took it away
                self.broken.note(file.path, failure.strerror or str(failure))

    def _chains(self, since: datetime | None, opened: ExitStack) -> list[list["_Held"]]:
        """Each chain's files, oldest first, the live one already open.

        It is opened before the rotated ones are listed: so a rotation in between is seen twice and counted
        once, and never missed.
        """
        held = {}
        for file in self.files():
            if file.rotated is None:
                try:
                    held[file.chain] = _Held(file, opened.enter_context(open_regular(file.path)))
                except FileNotFoundError:
                    pass
                except OSError as failure:
                    self.broken.note(file.path, failure.strerror or str(failure))
        ours = {live.identity() for live in held.values()}
        chains: dict[tuple[str, int], list[_Held]] = {}
        for file in self.files():
            if file.rotated is None or (since is not None and file.rotated + _NAMED_TO < since):
                continue
            if (listed := _Held(file, None)).identity() not in ours:
                chains.setdefault(file.chain, []).append(listed)
        for chain, live in held.items():
            chains.setdefault(chain, []).append(live)
        return list(chains.values())

    def _chain(self, chain: list["_Held"], matches: Predicate | None) -> Iterator[Entry]:
        for held in chain:
            lines = self.lines(held.file) if held.source is None else self._lines(held.file, held.source)
            for entry in self.parsed(held.file, lines):
                if matches is None or matches(entry.record):
                    yield entry

    def _newest_of(self, held: "_Held", count: int, matches: Predicate | None, since: datetime | None) -> list[Entry]:
        """The newest *count* of one file, newest first."""
        if held.source is not None:
            return self._newest_plain(held.file, held.source, count, matches, since)
        try:
            with _opened(held.file) as source:
                if source.seekable():
                    return self._newest_plain(held.file, source, count, matches, since)
                lines = self._lines(held.file, source)
                matched = (entry for entry in self.parsed(held.file, lines) if matches is None or matches(entry.record))
                return list(reversed(deque(matched, maxlen=count)))
        except FileNotFoundError:
            return []
        except OSError as failure:
            self.broken.note(held.file.path, failure.strerror or str(failure))
            return []

    def _newest_plain(
        self, file: LogFile, source: IO[bytes], count: int, matches: Predicate | None, since: datetime | None
    ) -> list[Entry]:
        found: list[Entry] = []
        size = os.fstat(source.fileno()).st_size
        for entry in self.parsed(file, lines_backwards(source.fileno(), size)):
            if len(found) >= count or (since is not None and entry.record.time < since):
                break
            if matches is None or matches(entry.record):
                found.append(entry)
        return found

    def _lines(self, file: LogFile, source: IO[bytes]) -> Iterator[bytes]:
        try:
            for line in source:
                if line.endswith(b"\n"):
                    yield line
        except (OSError, zstandard.ZstdError) as failure:
            self.broken.note(file.path, f"unreadable from here on: {failure}")


@dataclass(frozen=True, slots=True)
class _Held:
    """A file to read; the live one of a chain is open."""

    file: LogFile
    source: IO[bytes] | None

    def identity(self) -> tuple[int, int] | None:
        """Device and inode; None where it is gone."""
        try:
            status = os.fstat(self.source.fileno()) if self.source is not None else self.file.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


@contextmanager
def _opened(file: LogFile) -> Iterator[IO[bytes]]:
    """A file's uncompressed bytes; of a plain rotated one that was compressed since it was listed, that one's."""
    path, compressed = file.path, file.compressed
    if file.rotated is not None and not compressed and not path.exists():
        path, compressed = path.with_name(path.name + ".zst"), True
    with open_regular(path) as plain:
        if not compressed:
            yield plain
            return
        reader = zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True)
        with io.BufferedReader(reader, 1 << 20) as buffered:
            yield buffered
