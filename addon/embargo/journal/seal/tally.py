"""What is counted of a chain that is verified, and what somebody else knows of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """What somebody else knows of a chain: that its record *sequence* has that seal. An anchor, an earlier proof."""

    chain: str
    sequence: int
    seal: str
    source: str  # where that is known from, in words


@dataclass(slots=True)
class Tally:
    """What was read of a chain."""

    files: int = 0
    bytes: int = 0  # uncompressed
    records: int = 0  # sealed ones, checkpoints included
    unsealed: int = 0  # of before sealing began
    checkpoints: int = 0  # whose signature holds
    first: int = 0  # sequence of the first sealed record; 0: none
    since: str = ""  # time of the first record
    torn: int = 0  # bytes of a last line
    findings: int = 0  # those included that are not named
