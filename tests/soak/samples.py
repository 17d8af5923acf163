"""What the processes of a crew hold, once a second."""

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from e2e.crew import Crew
from e2e.process import Watch, open_files, own_memory

EVERY = 1.0  # seconds


@dataclass
class Life:
    """One worker process over time."""

    worker: int
    pid: int
    times: list[float] = field(default_factory=list)  # monotonic seconds
    memory: list[int] = field(default_factory=list)  # bytes of its own
    files: list[int] = field(default_factory=list)  # descriptors
    connections: list[int] = field(default_factory=list)
    blocked: list[int] = field(default_factory=list)


class Samples(Watch):
    """Samples *crew* for the time of a `with`."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(EVERY)
        self.lives: list[Life] = []
        self._crew = crew

    def look(self) -> None:
        """One sample of each worker."""
        for answer in self._crew.statuses():
            with contextlib.suppress(OSError, AssertionError):  # it has just been killed
                self._take(answer)

    def _take(self, answer: dict[str, Any]) -> None:
        pid, number = answer["pid"], answer["worker"]["number"]
        life = next((each for each in self.lives if each.pid == pid), None)
        if life is None:
            life = Life(number, pid)
            self.lives.append(life)
        memory, files = own_memory(pid), open_files(pid)
        life.times.append(time.monotonic())
        life.memory.append(memory)
        life.files.append(files)
        life.connections.append(answer["connections"])
        life.blocked.append(answer["flows"]["blocked"])
