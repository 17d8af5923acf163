"""Workers that ended and should not have: counted, and kept until one that lives has recorded it."""

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

MOST = 100  # that wait to be recorded, while no worker runs to do so


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """How a worker ended that should not have."""

    id: int
    time: datetime  # aware, UTC
    pid: int
    reason: str

    def message(self) -> dict[str, Any]:
        """What a worker is told, to record it."""
        return {"died": {"id": self.id, "time": self.time.isoformat(), "pid": self.pid, "reason": self.reason}}


class Recorder(Protocol):
    """Who can record deaths."""

    def record(self, death: Death) -> None:
        """Record *death*; told once, however often this is asked."""


class Deaths:
    """Those of one crew."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: dict[int, Death] = {}
        self._ids = itertools.count(1)

    def add(self, time: datetime, pid: int, reason: str) -> None:
        """A worker has died; of too many at a time the later ones are counted alone."""
        self.count += 1
        if len(self._waiting) < MOST:
            death = Death(id=next(self._ids), time=time, pid=pid, reason=reason)
            self._waiting[death.id] = death

    def have_recorded(self, recorder: Recorder | None) -> None:
        """Have *recorder* record those that none has yet; None: there is nobody now."""
        if recorder is not None:
            for death in self._waiting.values():
                recorder.record(death)

    def recorded(self, identifier: int) -> None:
        """The death of that id is on the disk."""
        self._waiting.pop(identifier, None)
