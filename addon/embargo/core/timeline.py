"""What the law says when: the states of an authority, each from an instant on."""

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
        change = self._latest(instant)
        return change[1] if change is not None else None

    def since(self, instant: datetime) -> datetime | None:
        """The instant from which the state at *instant* holds; None before the first change."""
        change = self._latest(instant)
        return change[0] if change is not None else None

    def _latest(self, instant: datetime) -> tuple[datetime, State] | None:
        for change in reversed(self.changes):  # a handful, and what is asked is mostly the last
            if change[0] <= instant:
                return change
        return None
