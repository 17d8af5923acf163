"""What the gate keeps account with: where records go, and what is counted."""

from dataclasses import dataclass
from typing import Protocol

from embargo.journal.event import Event


class Sink(Protocol):
    """Where records go: the journal."""

    def offer(self, event: Event) -> bool:
        """Take *event* if there is room, at once."""
        ...

    async def put(self, event: Event) -> bool:
        """Take *event*, waiting for room; False where it was lost."""
        ...

    def submit(self, event: Event) -> bool:
        """Take *event* if there is room, else count it as lost: for those who cannot wait."""
        ...


@dataclass(slots=True)
class Counters:
    """What was decided since the process started."""

    judged: int = 0
    blocked: int = 0
    logged: int = 0
    allowed: int = 0
    passed: int = 0
    nameless: int = 0  # connections that went on with nothing but an address known: a blind spot
    errors: int = 0
