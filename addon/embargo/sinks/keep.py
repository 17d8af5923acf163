"""What a sink keeps beside the log, in `LOG/sinks/`: its place in each chain, and its counts.

`NAME.cursor.json` is replaced by rename after each batch that is done; so a crash repeats a batch at most.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from embargo.formats.members import encoded
from embargo.journal.spool import Chain, Place
from embargo.paths import private_directory

DIRECTORY = "sinks"  # below the log
_VERSION = 1  # of a cursor file
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


class BrokenCursor(ValueError):
    """A cursor file that cannot be read; says which and how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since the sink was set up, in records."""

    delivered: int = 0
    filtered: int = 0  # that its filter does not take
    dead: int = 0  # set aside: the receiver will never take them
    missing: int = 0  # deleted from the log, or lost there, before they were delivered
    broken: int = 0  # lines of the log that are no record


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a sink is."""

    places: Mapping[Chain, Place] = field(default_factory=dict)
    counts: Counts = Counts()
    newest: str | None = None  # @timestamp of the newest record that is done with


def directory_of(log: Path) -> Path:
    """Where sinks keep theirs, made where it is missing (mode 700). Raises OSError."""
    return private_directory(log / DIRECTORY)


def load(log: Path, name: str) -> Cursor:
    """The cursor of the sink *name*; at the beginning of all chains where there is none.

    Raises BrokenCursor, OSError: a sink that lost its place must not begin anew unasked.
    """
    path = log / DIRECTORY / f"{name}.cursor.json"
    try:
        return _cursor(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Cursor()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
        raise BrokenCursor(
            f"{path} is no cursor ({broken}); without it the sink begins at the oldest record"
        ) from broken


def _cursor(found: dict[str, Any]) -> Cursor:
    """Raises ValueError, KeyError, TypeError, AttributeError for what is none: a wrong place would lose records."""
    if found["version"] != _VERSION:
        raise ValueError(f"version {found['version']!r} is not known")
    places = {
        (_text(entry["stem"]), _count(entry["number"])): Place(
            first=_count(entry["first"]), offset=_count(entry["offset"]), sequence=_count(entry["sequence"])
        )
        for entry in found["chains"]
    }
    counts = Counts(**{name: _count(number) for name, number in found["counts"].items()})
    newest = found["newest"]
    return Cursor(places=places, counts=counts, newest=None if newest is None else _text(newest))


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def save(log: Path, name: str, cursor: Cursor) -> None:
    """Replace the cursor of the sink *name*, confirmed by the disk. Raises OSError."""
    document = {
        "version": _VERSION,
        "chains": [
            {"stem": stem, "number": number, "first": place.first, "offset": place.offset, "sequence": place.sequence}
            for (stem, number), place in sorted(cursor.places.items())
        ],
        "counts": {name: getattr(cursor.counts, name) for name in Counts.__dataclass_fields__},
        "newest": cursor.newest,
    }
    replace_file(directory_of(log) / f"{name}.cursor.json", document)


def replace_file(path: Path, document: Mapping[str, Any]) -> None:
    """Put *document* in place of *path* (mode 600), whole or not at all. Raises OSError.

    For the one process that delivers: a kill leaves a file beside it, which the next one takes.
    """
    fresh = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(fresh, _FLAGS, 0o600), "w", encoding="ascii") as target:
        target.write(encoded(document) + "\n")
        target.flush()
        os.fsync(target.fileno())
    fresh.rename(path)


def more(counts: Counts, **by: int) -> Counts:
    """*counts*, raised."""
    return replace(counts, **{name: getattr(counts, name) + number for name, number in by.items()})
