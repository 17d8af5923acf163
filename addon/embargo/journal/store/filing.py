"""The log's files that the store knows, and which of them are there: found again under another name or compressed."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, select, update

from embargo.journal.files import LogFile
from embargo.journal.store import schema
from embargo.journal.store.sources import Source, fingerprint, listed, opened, sequence


@dataclass(slots=True)
class Filed:
    """A file that the store knows: the columns of its row."""

    id: int
    stem: str
    number: int
    fingerprint: bytes
    name: str
    first: int
    inode: int
    size: int
    position: int = 0
    whole: int = 0
    first_row: int = 0
    last_row: int = 0
    lines: int = 0

    def write(self, connection: Connection) -> None:
        """Put it into the store as it is now."""
        values = {name: getattr(self, name) for name in self.__slots__}
        if not connection.execute(update(schema.file).where(schema.file.c.id == self.id).values(values)).rowcount:
            connection.execute(schema.file.insert().values(values))


@dataclass(frozen=True, slots=True)
class Present:
    """What a look at the directory found."""

    sources: list[tuple[Filed, Source]]  # to be read, within a chain the oldest first
    shorter: list[Filed]  # of them, as they were known: what they hold now is not what was read
    missing: list[Filed]  # known, and gone


class Filing:
    """The files known of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.files: dict[int, Filed] = {}

    def load(self, connection: Connection) -> None:
        """Learn anew what the store knows."""
        columns = [schema.file.c[name] for name in Filed.__slots__]
        self.files = {row[0]: Filed(*row) for row in connection.execute(select(*columns))}

    def present(self, stack: ExitStack) -> Present:
        """What is there, opened for *stack* to close. Raises OSError.

        The live files are opened before the rotated ones are listed: so a rotation in between is seen twice and
        counted once, and never missed.
        """
        live = [source for file in listed(self._directory) if file.rotated is None and (source := _open(file, stack))]
        held = {file.inode for file in live}
        unchanged = {(file.name, file.inode, file.size): file for file in self.files.values() if file.whole}
        seen: set[int] = set()
        present = Present([], [], [])
        for log_file in [file for file in listed(self._directory) if file.rotated is not None]:
            try:
                status = log_file.path.stat()
            except OSError:
                status = None
            if status is not None and status.st_ino in held:
                continue
            if status is not None and (known := unchanged.get((log_file.path.name, status.st_ino, status.st_size))):
                seen.add(known.id)
                continue
            if (source := _open(log_file, stack)) is not None:
                self._file(source, present, seen)
        for file in live:
            self._file(file, present, seen)
        present.sources.sort(key=lambda pair: (pair[0].stem, pair[0].number))  # stable
        present.missing.extend(known for known in self.files.values() if known.id not in seen)
        return present

    def _file(self, source: Source, found: Present, seen: set[int]) -> None:
        """Files *source* under what is known of it, or as new."""
        if (line := source.first_line()) is None:
            return  # empty yet
        mark, log_file = fingerprint(line), source.file
        known = next(
            (
                file
                for file in self.files.values()
                if file.fingerprint == mark and (file.stem, file.number) == log_file.chain
            ),
            None,
        )
        if known is not None and known.id in seen:
            return  # under two names at once
        if known is None:
            known = Filed(
                id=max(self.files, default=0) + 1,
                stem=log_file.stem,
                number=log_file.number,
                fingerprint=mark,
                name=log_file.path.name,
                first=sequence(line),
                inode=source.inode,
                size=0,
            )
            self.files[known.id] = known
        elif not log_file.compressed and source.size < known.position:
            found.shorter.append(known)
            known = replace(known, position=0, whole=0, first_row=0, last_row=0, lines=0)
            self.files[known.id] = known
        known.name, known.inode = log_file.path.name, source.inode
        seen.add(known.id)
        found.sources.append((known, source))


def _open(file: LogFile, stack: ExitStack) -> Source | None:
    try:
        source = opened(file)
    except OSError as failure:
        raise OSError(failure.errno, failure.strerror, str(file.path)) from failure
    if source is not None:
        stack.callback(source.opened.close)
    return source
