"""What a probe found: counts by app and surface, each attempt that was not refused, what was not asked."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from embargo.core.request import Surface
from embargo.probe.outcome import FINE, Finding, Outcome
from embargo.probe.targets import Target, Unasked
from embargo.probe.ways import Way


@dataclass(frozen=True, slots=True)
class Result:
    """One attempt."""

    target: Target
    way: Way
    finding: Finding

    @property
    def document(self) -> dict[str, str]:
        """As `--json` has it."""
        return {
            "app": self.target.app,
            "endpoint": self.target.endpoint,
            "surface": self.way.surface.value,
            "way": self.way.name,
            "asked": self.target.host,
            "outcome": self.finding.outcome.value,
            "detail": self.finding.detail,
        }


@dataclass(frozen=True, slots=True)
class Control:
    """An innocent attempt, which must not be refused, or refusals prove nothing."""

    name: str
    passed: bool
    detail: str
    refused: bool = False  # answered, and not let through


@dataclass(slots=True, kw_only=True)
class Report:
    """All of it."""

    proxy: str  # HOST:PORT
    policy: str = ""  # digest of the policy whose endpoints were asked for
    enforced: tuple[str, ...] = ()  # digests that the running processes say they enforce
    mode: str | None = None  # of the running proxy; None where none says
    break_glass: str | None = None  # until when the proxy refuses nothing by break-glass, RFC 3339
    answers: bool = False  # whether a process with the addon answers on its status socket
    client: str | None = None
    controls: list[Control] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    unasked: list[Unasked] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mend: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Outcome]:
        """How many attempts came to what."""
        return Counter(result.finding.outcome for result in self.results)

    @property
    def asked(self) -> int:
        """Attempts that could be refused."""
        return sum(count for outcome, count in self.counts.items() if outcome is not Outcome.UNOPENED)

    @property
    def findings(self) -> list[Result]:
        """The attempts that were not refused, the worst first."""
        order = list(Outcome)
        found = [result for result in self.results if result.finding.outcome not in FINE]
        return sorted(found, key=lambda result: -order.index(result.finding.outcome))

    @property
    def exit(self) -> int:
        """0: all was refused; 1: something was not; 2: nothing could be asked, or what is innocent was refused."""
        if self.findings:
            return 1
        return 0 if self.asked and not self.refused_innocent else 2

    @property
    def refused_innocent(self) -> str | None:
        """What innocent attempt was refused, so that refusals prove nothing; None where all were let through."""
        return next((control.detail for control in self.controls if control.refused), None)

    def rows(self) -> Iterator[tuple[str, Surface, Counter[Outcome]]]:
        """App, surface, and how many attempts came to what."""
        table: dict[tuple[str, Surface], Counter[Outcome]] = {}
        for result in self.results:
            counts = table.setdefault((result.target.app, result.way.surface), Counter())
            counts[result.finding.outcome] += 1
        order = list(Surface)
        for (app, surface), counts in sorted(table.items(), key=lambda item: (item[0][0], order.index(item[0][1]))):
            yield app, surface, counts

    def document(self) -> dict[str, Any]:
        """The object that `probe --json` prints."""
        counts = self.counts
        return {
            "exit": self.exit,
            "proxy": self.proxy,
            "client": self.client,
            "mode": self.mode,
            "break_glass": self.break_glass,
            "policy": self.policy,
            "enforced": list(self.enforced),
            "controls": [{"name": c.name, "passed": c.passed, "detail": c.detail} for c in self.controls],
            "counts": {outcome.value: counts[outcome] for outcome in Outcome},
            "apps": [
                {"app": app, "surface": surface.value} | {outcome.value: found[outcome] for outcome in Outcome}
                for app, surface, found in self.rows()
            ],
            "findings": [result.document for result in self.findings],
            "unasked": [{"app": u.app, "what": u.what, "why": u.why, "count": u.count} for u in self.unasked],
            "warnings": self.warnings,
            "mend": self.mend,
        }
