"""What the law says when: the states of an authority, each from an instant on."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """The state of an order, statute or ruling."""

    ISSUED = "issued"  # signed or published, not yet effective
    IN_FORCE = "in-force"
    STAYED = "stayed"  # a court or the executive suspends it
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Timeline:
    """States by the instant (aware, UTC) from which each holds, in order of time."""

    changes: tuple[tuple[datetime, State], ...] = ()

    def state_at(self, instant: datetime) -> State | None:
        """The state at *instant*; None before the first change. A change's own instant counts."""
        index = bisect_right(self.changes, instant, key=lambda change: change[0])
        return self.changes[index - 1][1] if index else None

    def since(self, instant: datetime) -> datetime | None:
        """The instant from which the state at *instant* holds; None before the first change."""
        index = bisect_right(self.changes, instant, key=lambda change: change[0])
        return self.changes[index - 1][0] if index else None


NO_TIMELINE = Timeline()
