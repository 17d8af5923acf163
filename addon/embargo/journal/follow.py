"""Follows a log directory as it grows: over rotations, and processes that come and go.

By polling what files are there: no notification interface of one operating system, and network disks have none.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embargo.journal.backwards import whole_lines_end
from embargo.journal.files import LogFile
from embargo.journal.reader import Entry, Reader

_READ = 1 << 20  # bytes


@dataclass(slots=True)
class _Place:
    """Where a chain has been read to."""

    file: LogFile
    descriptor: int
    identity: tuple[int, int]
    position: int  # bytes; behind a line feed
    sequence: int = 0  # of the last record read; 0: none


class Follower:
    """What is written to a directory from now on. `poll` is to be called again and again; `close` at the end."""

    def __init__(self, reader: Reader) -> None:
        """Begins at the end of what is there. A directory that is missing may come later."""
        self._reader = reader
        self._places: dict[tuple[str, int], _Place] = {}
        for file in self._files():
            if file.rotated is None and (place := _opened(file)) is not None:
                place.position = whole_lines_end(place.descriptor, os.fstat(place.descriptor).st_size)
                self._places[file.chain] = place

    def poll(self) -> list[Entry]:
        """The records that came since the last call, by time. Raises OSError."""
        entries: list[Entry] = []
        files = self._files()
        for file in files:
            if file.rotated is None:
                entries += self._grown(file, [other for other in files if other.chain == file.chain])
        return sorted(entries, key=lambda entry: entry.record.time)

    def close(self) -> None:
        """Gives the files up."""
        for place in self._places.values():
            os.close(place.descriptor)
        self._places.clear()

    def _files(self) -> list[LogFile]:
        try:
            return self._reader.files()
        except FileNotFoundError:
            return []

    def _grown(self, live: LogFile, chain: list[LogFile]) -> Iterator[Entry]:
        place = self._places.get(live.chain)
        if place is not None and place.identity == _identity(live.path):
            yield from self._read(place)
            return
        if place is not None:
            # Rotated or replaced: first the rest of what we hold, then whatever came and went in between.
            yield from self._read(place)
            os.close(place.descriptor)
            del self._places[live.chain]
            if place.sequence:
                for file in chain:
                    if file.rotated is not None and file.first > place.sequence:
                        yield from self._reader.parsed(file, self._reader.lines(file))
        if (fresh := _opened(live)) is not None:
            fresh.sequence = place.sequence if place is not None else 0
            self._places[live.chain] = fresh
            yield from self._read(fresh)

    def _read(self, place: _Place) -> Iterator[Entry]:
        size = os.fstat(place.descriptor).st_size
        if size < place.position:
            place.position = 0  # emptied in place
        held = b""
        while block := os.pread(place.descriptor, _READ, place.position + len(held)):
            held += block
            whole, feed, rest = held.rpartition(b"\n")
            if not feed:
                continue
            place.position += len(whole) + 1
            held = rest
            for entry in self._reader.parsed(place.file, iter(whole.split(b"\n"))):
                place.sequence = entry.record.sequence
                yield entry


def _opened(file: LogFile) -> _Place | None:
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # rotated in this moment, or not ours to read; the next poll tries again
    status = os.fstat(descriptor)
    return _Place(file, descriptor, (status.st_dev, status.st_ino), 0)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
