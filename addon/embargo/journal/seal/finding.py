"""What `verify` finds: each way in which a log can be wrong has a word, a place, and a sentence."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong, or worth knowing."""

    CHANGED = "changed"  # a line is not what was sealed
    REMOVED = "removed"  # lines within a file are missing
    INSERTED = "inserted"  # a line that the chain does not hold
    REORDERED = "reordered"  # a line stands in another place
    TRUNCATED = "truncated"  # the end of a file, or of a chain, was cut off
    FILE_MISSING = "file-missing"
    FILE_DAMAGED = "file-damaged"  # cannot be read or decompressed to its end
    DUPLICATE = "duplicate"  # the same records stand in two places
    UNSEALED = "unsealed"  # a line without a seal, though sealing had begun
    BEGUN_ANEW = "begun-anew"  # a chain that does not go on from what stands before it
    RENAMED = "renamed"  # the name of a file says another time or number than its records
    REWRITTEN = "rewritten"  # the chain holds, and is not the one that was signed
    SIGNATURE = "signature"  # a checkpoint's signature is wrong
    UNKNOWN_KEY = "unknown-key"  # signed by a key that is not known, nor introduced by one that is
    UNSIGNED = "unsigned"  # checkpoints are missing that were due
    POLICY_MISSING = "policy-missing"
    POLICY_CHANGED = "policy-changed"
    UNREADABLE = "unreadable"  # a file that cannot be opened
    # notes: nothing is wrong
    TORN = "torn"  # a last line that a crash left unfinished, or that is being written
    BEFORE = "before-sealing"  # lines of a release that did not seal
    DELETED = "deleted"  # a gap that a tombstone explains
    CLOCK = "clock"  # it was set back
    LATE = "signed-late"  # records that another process signed, after the one that wrote them had gone
    KEY_CHANGED = "key-changed"  # to one that the old key introduces
    KEY_UNUSABLE = "key-unusable"  # a process could not sign, and said so
    POLICY_UNKNOWN = "policy-unknown"  # a text that only a command named
    UNPROVEN = "unproven"  # records that are not signed yet

    @property
    def tampering(self) -> bool:
        """Whether the log is not what was written; else it is a note."""
        return self not in _NOTES


_NOTES = frozenset(
    (
        *(Kind.TORN, Kind.BEFORE, Kind.DELETED, Kind.CLOCK, Kind.LATE, Kind.KEY_CHANGED, Kind.POLICY_UNKNOWN),
        *(Kind.UNPROVEN, Kind.KEY_UNUSABLE),
    )
)


@dataclass(slots=True, kw_only=True)
class Finding:
    """Something wrong, or a note. Changed only while its chain is walked."""

    kind: Kind
    message: str  # `{records}` stands for the records from `first` to `last`
    chain: str | None = None
    file: str | None = None  # name
    line: int | None = None  # from 1, in the uncompressed file
    first: int | None = None  # sequence of the first record that it is about
    last: int | None = None  # of the last

    @property
    def place(self) -> str:
        """Where, as far as it is known: `FILE:LINE`."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or self.chain or "the log"

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.text}"

    @property
    def text(self) -> str:
        """What it is, in words."""
        if self.first is None or self.last is None:
            return self.message
        return self.message.replace("{records}", records(self.first, self.last))

    def document(self) -> dict[str, str | int | bool | None]:
        """It as JSON values."""
        members = ("chain", "file", "line", "first", "last")
        found = {name: getattr(self, name) for name in members}
        return {"kind": self.kind.value, "tampering": self.kind.tampering} | found | {"message": self.text}


def records(first: int, last: int) -> str:
    """*first* to *last* in words."""
    return f"record {first}" if first == last else f"records {first} to {last}"
