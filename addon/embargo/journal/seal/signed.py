"""Up to where a chain is signed: its checkpoints as they come, and those that do not come though they were due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from embargo.core.rules import CheckpointSettings
from embargo.journal.event import SealCheckpoint
from embargo.journal.files import AUDIT_STEM
from embargo.journal.seal import checkpoint
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.line import Line
from embargo.journal.seal.trust import Trust

_SLACK_RECORDS, _SLACK_AGE = 10, 60.0  # by how much a checkpoint may be late: what a writer adds; its clocks

type Report = Callable[[Kind, Line, int | None, int | None, str], Finding]


@dataclass(frozen=True, slots=True)
class Proven:
    """Up to where a signature proves a chain."""

    sequence: int
    time: str  # of that record, as it stands there
    key: str  # id


class Signed:
    """What is signed of a chain that is walked along."""

    def __init__(self, chain: str, trust: Trust, report: Report) -> None:
        self.proven: Proven | None = None
        self.chained = 0  # records behind the last checkpoint
        self.checkpoints = 0  # that hold
        self.entered = False  # the walk began in the middle: what is signed before it is not known
        self.rotated_at = -1  # sequence of the last checkpoint that a rotation made
        self._chain = chain
        self._trust = trust
        self._report = report
        self._since = ""  # time of the first record behind the last checkpoint
        self._promised = CheckpointSettings()  # when the next is due
        self._unbelieved = False  # the last is by a key that is not known, or of another chain
        self._unknown: set[str] = set()  # keys that are told
        self._foreign: set[str] = set()  # chains that are told

    def take(self, count: int, stamp: str) -> None:
        """*count* records more, the first of the time *stamp*."""
        if not self.chained:
            self._since = stamp
        self.chained += count

    def back(self, count: int) -> None:
        """As many of the last ones do not hold."""
        self.chained = max(0, self.chained - count)

    def checkpoint(self, line: Line, sequence: int, previous: bytes | None, stamp: str) -> None:
        """*line*, the record *sequence*, is a checkpoint; *previous* and *stamp* are seal and time of that before it.

        Without *previous* that one is not there: the checkpoint then says what it was.
        """
        found = checkpoint.read(line.document or {}, datetime.min)
        if found is None:
            self._say(Kind.SIGNATURE, line, sequence, "a checkpoint that says too little")
            return
        if found.cause == "rotation":
            self.rotated_at = sequence
        if self._trust.introduce(found):
            why = f"from here on the key {found.key} signs, which {found.introduced_by} introduces"
            self._say(Kind.KEY_CHANGED, line, sequence, why)
        holds = self._trust.holds(found)
        if holds is None:
            self._unbelieved = True
            if found.key not in self._unknown:
                self._unknown.add(found.key)
                why = f"from here on the key {found.key} signs, which no known key introduces"
                self._say(Kind.UNKNOWN_KEY, line, sequence, why)
        elif not holds:
            self._say(Kind.SIGNATURE, line, sequence, "the checkpoint's signature is wrong")
        elif found.chain != self._chain:
            self._unbelieved = True
            if found.chain not in self._foreign:
                self._foreign.add(found.chain)
                why = f"from here on it is signed as records of the chain {found.chain}: a copy, or files renamed"
                self._say(Kind.DUPLICATE, line, sequence, why)
        elif not _about(found, line, sequence, previous):
            first = self.proven.sequence + 1 if self.proven is not None else 1
            why = "{records} not what was signed: the chain was computed anew, by somebody without the key"
            self._report(Kind.REWRITTEN, line, first, sequence - 1, why)
        else:
            self._holds(found, line, sequence, stamp)

    def missed(self, last: str) -> tuple[Kind, str] | None:
        """What there is to say of the records behind the last checkpoint; *last*: the time of the last of them."""
        if not self.chained or self._unbelieved:
            return None
        # commands write the audit chain, some perhaps without the key: what they leave waits for one that has it
        audit = self._chain.partition(".")[0] == AUDIT_STEM
        late = seconds(last, self._since) > self._promised.age + _SLACK_AGE
        never = self.proven is None and not self.entered  # a process signs its first records at once
        if (not audit and (late or never)) or self.chained > self._promised.records + _SLACK_RECORDS:
            return (
                Kind.UNSIGNED,
                "{records} not signed, though that was due: the key could not be used, or checkpoints were removed",
            )
        return Kind.UNPROVEN, "{records} chained, and not signed yet"

    def _holds(self, found: SealCheckpoint, line: Line, sequence: int, stamp: str) -> None:
        if found.cause == "found" and self.chained > 1:
            why = "{records} signed by a later process: the one that wrote them could not (a crash)"
            self._report(Kind.LATE, line, sequence - self.chained + 1, found.sequence, why)
        self.checkpoints += 1
        self.proven = Proven(found.sequence, stamp, found.key)
        self._promised = CheckpointSettings(records=found.records, age=found.age)
        self._unbelieved = False
        self.chained = 0

    def _say(self, kind: Kind, line: Line, sequence: int, why: str) -> None:
        self._report(kind, line, sequence, sequence, why)


def _about(found: SealCheckpoint, line: Line, sequence: int, previous: bytes | None) -> bool:
    """Whether the checkpoint *found* is about the record before it, as it stands there."""
    seal = found.seal.encode()
    return found.sequence == sequence - 1 and (seal == previous if previous is not None else line.after(seal))


def seconds(later: str, earlier: str) -> float:
    """From one time to another, as records write them; 0 where they cannot be read."""
    try:
        return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
