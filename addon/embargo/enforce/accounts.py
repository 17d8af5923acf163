"""What the gate keeps account with: where records go, and what is counted."""

from dataclasses import dataclass
from typing import Any, Protocol

from embargo.core.decision import Decision, Verdict
from embargo.core.request import Surface
from embargo.enforce.uninspected import Uninspected
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


class Tallies:
    """Decisions by verdict, app, surface and whether they would have blocked; failures by surface; blind spots."""

    def __init__(self) -> None:
        self.passed = dict.fromkeys(Surface, 0)  # of what no app owns; apart, since it is nearly all there is
        self.errors = dict.fromkeys(Surface, 0)
        self.uninspected = dict.fromkeys(Uninspected, 0)
        self._owned: dict[tuple[Verdict, tuple[str, ...], Surface, bool], int] = {}

    def count(self, decision: Decision, surface: Surface) -> None:
        """Count one that did not pass, or that an app owns."""
        key = (decision.verdict, decision.apps[:1], surface, decision.would is Verdict.BLOCK)
        self._owned[key] = self._owned.get(key, 0) + 1

    def describe(self) -> dict[str, Any]:
        """What `embargo status` shows: counts since the start."""
        owned = [
            {"verdict": str(verdict), "app": "".join(apps), "surface": surface.value, "shadow": would, "count": count}
            for (verdict, apps, surface, would), count in self._owned.items()
        ]
        passed = [
            {"verdict": "pass", "app": "", "surface": surface.value, "shadow": False, "count": count}
            for surface, count in self.passed.items()
            if count
        ]
        return {
            "decisions": [*owned, *passed],
            "failures": [{"surface": surface.value, "count": count} for surface, count in self.errors.items()],
            "uninspected": [{"reason": reason.value, "count": count} for reason, count in self.uninspected.items()],
        }
