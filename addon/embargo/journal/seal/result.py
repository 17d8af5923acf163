"""What a verification says, as values: for the command, the console's Health page and the report."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from embargo.journal.seal.finding import Finding
from embargo.journal.seal.signed import Proven
from embargo.journal.seal.tally import Tally
from embargo.journal.seal.walk import Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """How a chain fares."""

    chain: str
    tally: Tally
    last: int  # sequence of the last record; 0: none
    until: str  # its time, as it stands there
    seal: str | None  # its seal: an anchor, where it is kept elsewhere
    proven: Proven | None  # up to where a signature proves it; None: nothing is signed
    chained: int  # records behind the last checkpoint: in order among themselves, and no more is known

    @classmethod
    def of(cls, walk: Walk) -> "ChainResult":
        """That of *walk*, which has come to an end."""
        return cls(
            chain=walk.chain,
            tally=replace(walk.tally, checkpoints=walk.signed.checkpoints),
            last=walk.sequence,
            until=walk.stamp.decode("ascii", "replace"),
            seal=walk.seal.decode("ascii", "replace") if walk.seal is not None else None,
            proven=walk.signed.proven,
            chained=walk.signed.chained,
        )

    def document(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "chain": self.chain,
            **asdict(self.tally),
            "last": self.last,
            "until": self.until or None,
            "seal": self.seal,
            "proven": asdict(self.proven) if self.proven is not None else None,
            "chained": self.chained,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was verified, and what was found."""

    log: str  # directory
    chains: tuple[ChainResult, ...]
    findings: tuple[Finding, ...]  # what is wrong, chain by chain in the order of the files
    notes: tuple[Finding, ...]
    found: int  # what is wrong in all: more may have been counted than are named
    keys: tuple[str, ...]  # ids of the keys that are believed
    own_key: bool  # the key was taken from the log directory, where whoever can change the log can change it too
    anchors: int  # facts from elsewhere that were compared; 0: whether an end was cut off cannot be known
    policies: int  # texts of policies that are there and unchanged
    limited: bool  # only a part was read: from a time on, or up to one
    bytes: int  # read, uncompressed
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.found

    def document(self) -> Mapping[str, Any]:
        """It as JSON values."""
        return {
            "log": self.log,
            "whole": self.whole,
            "found": self.found,
            "findings": [finding.document() for finding in self.findings],
            "notes": [finding.document() for finding in self.notes],
            "chains": [chain.document() for chain in self.chains],
            "keys": list(self.keys),
            "own_key": self.own_key,
            "anchors": self.anchors,
            "policies": self.policies,
            "limited": self.limited,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }
