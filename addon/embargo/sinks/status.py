"""What the process that delivers says of its sinks: `LOG/sinks/status.json`, replaced each second something changed.

    {"pid": 4711, "time": RFC 3339, "sinks": [{
        "name", "to", "format", "state", "delivered", "filtered", "dead_letters", "missing", "broken",
        "failures", "error", "last_error", "last_error_time", "lag_records", "lag_seconds"}, …]}

`lag_records` counts the records of the log behind the sink's place, its filter's too; `lag_seconds` is the age of the
oldest of them. `missing` were deleted from the log, or lost there, before they were delivered.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from embargo.core.sink import Sink
from embargo.journal.backwards import lines_backwards
from embargo.journal.files import STEMS, LogFile, log_files
from embargo.journal.regular import open_regular
from embargo.journal.spool import Chain, Place, sequence_of
from embargo.sinks import keep
from embargo.sinks.courier import Progress

FILE = "status.json"
LOCK = "lock"
_NUMBERS = ("delivered", "filtered", "dead_letters", "missing", "broken", "failures")


def document_of(sink: Sink, progress: Progress, log: Path, now: datetime) -> dict[str, Any]:
    """What is told of one sink."""
    counts = progress.cursor.counts
    lag = lag_records(log, progress.cursor.places)
    since = progress.oldest or (progress.cursor.newest if lag else None)
    return {
        "name": sink.id,
        "to": str(sink.to),
        "format": sink.format.value,
        "state": progress.state,
        "delivered": counts.delivered,
        "filtered": counts.filtered,
        "dead_letters": counts.dead,
        "missing": counts.missing,
        "broken": counts.broken,
        "failures": progress.failures,
        "error": progress.error,
        "last_error": progress.last_error,
        "last_error_time": progress.last_error_time.isoformat() if progress.last_error_time else None,
        "lag_records": lag,
        "lag_seconds": _age(since, now) if lag else 0.0,
    }


def refused_document(sink: Sink, why: str) -> dict[str, Any]:
    """What is told of one that cannot be delivered to."""
    return {
        "name": sink.id,
        "to": str(sink.to),
        "format": sink.format.value,
        "state": "refused",
        **dict.fromkeys(_NUMBERS, 0),
        "error": why,
        "last_error": why,
        "last_error_time": None,
        "lag_records": 0,
        "lag_seconds": 0.0,
    }


def publish(log: Path, sinks: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Replace the status file. Raises OSError."""
    document = {"pid": os.getpid(), "time": now.isoformat(), "sinks": list(sinks)}
    keep.replace_file(keep.directory_of(log) / FILE, document)


def read(log: Path) -> dict[str, Any] | None:
    """What the process that delivers said last; None where none ever did, or what is there is none of ours."""
    try:
        found = json.loads((log / keep.DIRECTORY / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    told = found.get("sinks") if isinstance(found, dict) else None
    return found if isinstance(told, list) and all(map(_is_ours, told)) else None


def _is_ours(told: object) -> bool:
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in ("name", "to", "state")):
        return False
    return all(isinstance(told.get(name), int | float) for name in (*_NUMBERS, "lag_records", "lag_seconds"))


def running(log: Path) -> bool:
    """Whether a process delivers now: it holds a lock that its end gives up, however it ends."""
    try:
        descriptor = os.open(log / keep.DIRECTORY / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def lag_records(log: Path, places: Mapping[Chain, Place]) -> int:
    """How many records of the log lie behind *places*."""
    newest: dict[Chain, int] = {}
    try:
        for stem in STEMS:
            for file in log_files(log, stem):
                newest[file.chain] = max(newest.get(file.chain, 0), _last_sequence(file))
    except OSError:
        return 0
    behind = 0
    for chain, last in newest.items():
        place = places.get(chain)
        behind += max(0, last - place.sequence) if place is not None else last
    return behind


def _last_sequence(file: LogFile) -> int:
    """Of a live file its last record's; of a rotated one its first, for the file after it tells the last."""
    if file.rotated is not None:
        return max(0, file.first - 1)
    try:
        with open_regular(file.path) as source:
            for line in lines_backwards(source.fileno(), os.fstat(source.fileno()).st_size):
                if (sequence := sequence_of(line)) is not None:
                    return sequence
    except OSError:
        pass
    return 0


def _age(since: str | None, now: datetime) -> float:
    if since is None:
        return 0.0
    try:
        return max(0.0, round((now - datetime.fromisoformat(since)).total_seconds(), 3))
    except (ValueError, TypeError):
        return 0.0
