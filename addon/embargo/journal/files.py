"""The names of a log directory's files, and which of them hold what (DESIGN 7).

A chain is what one process after another wrote under one name: `decisions.jsonl` and what was rotated from it,
`decisions-20261124T101500Z-1.jsonl.zst`, by the instant of rotation and the sequence of its first record; the
second process writes `decisions.2.jsonl`. A rotated file is plain until it is compressed: where both are there,
a crash came between the two, and the compressed one, renamed only when whole, counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

STEM = "decisions"
AUDIT_STEM = "audit"  # what commands and the console record
STEMS = (STEM, AUDIT_STEM)
_NAME = re.compile(
    r"(?P<stem>[a-z]+)(?:\.(?P<number>[1-9][0-9]{0,5}))?"
    r"(?:-(?P<rotated>[0-9]{8}T[0-9]{6}Z)-(?P<first>[0-9]{1,18}))?\.jsonl(?P<compressed>\.zst)?"
)
_ROTATED = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """A file of a chain."""

    path: Path
    number: int  # of the chain, from 1
    stem: str = STEM  # of the chain
    rotated: datetime | None = None  # aware, UTC; None: the live file
    first: int = 0  # sequence of its first record, where it was rotated
    compressed: bool = False

    @property
    def chain(self) -> tuple[str, int]:
        """What tells its chain from all others."""
        return self.stem, self.number


def live_name(stem: str, number: int) -> str:
    """The name of chain *number*'s live file."""
    return f"{stem}.jsonl" if number == 1 else f"{stem}.{number}.jsonl"


def rotated_name(live: str, instant: datetime, first: int) -> str:
    """The name that the live file *live* gets when it is rotated at *instant* (UTC)."""
    return f"{live.removesuffix('.jsonl')}-{instant.strftime(_ROTATED)}-{first}.jsonl"


def log_file(path: Path, stem: str = STEM) -> LogFile | None:
    """What *path* is by its name; None where it is no file of *stem*'s chains."""
    matched = _NAME.fullmatch(path.name)
    if matched is None or matched["stem"] != stem:
        return None
    number = int(matched["number"] or 1)
    if matched["rotated"] is None:
        return None if matched["compressed"] else LogFile(path=path, number=number, stem=stem)
    try:
        rotated = datetime.strptime(matched["rotated"], _ROTATED).replace(tzinfo=UTC)
    except ValueError:
        return None
    return LogFile(
        path=path,
        number=number,
        stem=stem,
        rotated=rotated,
        first=int(matched["first"]),
        compressed=matched["compressed"] is not None,
    )


def log_files(directory: Path, stem: str = STEM) -> list[LogFile]:
    """Every file that holds records, each record in one of them: by chain, then oldest first, the live one last.

    Raises OSError where the directory cannot be listed.
    """
    named = sorted(_named(directory, stem), key=lambda file: file.path.name)
    live = {identity for file in named if file.rotated is None and (identity := _identity(file.path))}
    whole = {file.path for file in named if file.compressed}
    return sorted(
        (
            file
            for file in named
            if file.rotated is None
            or file.compressed
            # a rotation under way: the live file under its new name already
            or (file.path.with_name(file.path.name + ".zst") not in whole and _identity(file.path) not in live)
        ),
        key=lambda file: (
            file.number,
            file.rotated is None,
            file.first,  # records count up, while a clock may be set back between two rotations
            file.rotated or datetime.min.replace(tzinfo=UTC),
        ),
    )


def _named(directory: Path, stem: str) -> Iterator[LogFile]:
    for path in directory.iterdir():
        if (file := log_file(path, stem)) is not None:
            yield file


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
