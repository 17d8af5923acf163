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
    ours = record.document.get("embargo")
    told = ours.get("heartbeat") if isinstance(ours, dict) else None
    return told_of(record.time, host_of(record.document), process_of(record.document), told)


def told_of(time: datetime, host: str | None, pid: int | None, told: Any) -> Heartbeat | None:
    """The heartbeat of a record of *time* whose embargo.heartbeat is *told*; None where that has not the form of ours.

    *host* and *pid* are its observer.hostname and process.pid.
    """
    if host is None:
        return None
    try:
        return Heartbeat(
            time=time,
            since=datetime.fromisoformat(told["since"]),
            seconds=float(told["interval"]),
            host=host,
            pid=pid,
            mode=str(told["mode"]),
            worker=told.get("worker"),
            policy=told.get("policy"),
            break_glass=told.get("break_glass"),
            flows={str(name): int(count) for name, count in told["flows"].items()},
            uninspected={str(name): int(count) for name, count in told["uninspected"].items()},
            lost=int(told["lost"]),
            ca=told.get("ca"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def host_of(document: Mapping[str, Any]) -> str | None:
    """The name of the machine that wrote a record."""
    observer = document.get("observer")
    host = observer.get("hostname") if isinstance(observer, dict) else None
    return host if isinstance(host, str) else None


def process_of(document: Mapping[str, Any]) -> int | None:
    """The process that a record is about."""
    process = document.get("process")
    pid = process.get("pid") if isinstance(process, dict) else None
    return pid if type(pid) is int and abs(pid) < 1 << 62 else None
