"""A heartbeat's record read back: a stretch of a worker's life, and what held throughout. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embargo.journal.record import Record

ACTION = "heartbeat"
INTERVAL = 60.0  # seconds from one to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A stretch as its worker told it."""

    time: datetime  # its end; aware, UTC
    since: datetime  # its begin, by the clock of that time
    seconds: float  # how long it was by a clock that nobody sets
    host: str
    pid: int | None
    mode: str  # "enforce", "monitor", "refuse"
    worker: int | None = None
    policy: str | None = None
    break_glass: str | None = None
    flows: Mapping[str, int]
    uninspected: Mapping[str, int]
    lost: int = 0
    ca: str | None = None


def heartbeat_of(record: Record) -> Heartbeat | None:
    """The heartbeat that *record* is; None where it is another, or not in the form of ours."""
    if record.action != ACTION:
        return None
    document = record.document
    try:
        told = document["embargo"]["heartbeat"]
        return Heartbeat(
            time=record.time,
            since=datetime.fromisoformat(told["since"]),
            seconds=float(told["interval"]),
            host=str(document["observer"]["hostname"]),
            pid=process_of(document),
            mode=str(told["mode"]),
            worker=told.get("worker"),
            policy=told.get("policy"),
            break_glass=told.get("break_glass"),
            flows={str(name): int(count) for name, count in told["flows"].items()},
            uninspected={str(name): int(count) for name, count in told["uninspected"].items()},
            lost=int(told["lost"]),
            ca=told.get("ca"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def process_of(document: Mapping[str, Any]) -> int | None:
    """The process that a record is about."""
    pid = document.get("process", {}).get("pid")
    return pid if type(pid) is int else None
