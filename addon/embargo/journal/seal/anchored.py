"""What an anchor has: checkpoints of the log that stand where the log's own host cannot change them.

    anchored = read_anchors(paths, Trust(keys))
    result = anchored.judged(verify(log, keys, heads=anchored.heads))

Read are files in which lines hold a checkpoint's record: those of a file or HTTP anchor as they are, and what a syslog
server wrote, with whatever stands before the record, or with the record inside a JSON text of its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import zstandard

from embargo.journal.event import SealCheckpoint
from embargo.journal.seal.checkpoint import ACTION, read
from embargo.journal.seal.finding import Finding, Kind
from embargo.journal.seal.result import Verification
from embargo.journal.seal.tally import Head
from embargo.journal.seal.trust import Trust

_LONGEST = 1 << 20  # bytes of a line that is looked at
_MOST_TRIED = 50  # places in a line at which an object may begin
_WRAPPED = 3  # JSON texts inside one another
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Claim:
    """That the record of this number had this seal."""

    sequence: int
    seal: str
    time: datetime  # of the checkpoint
    source: str  # name of the file that has it


@dataclass(slots=True)
class Source:
    """What one file has."""

    genuine: int = 0  # checkpoints of this log
    foreign: int = 0  # signed by other keys: other logs may have the same anchor
    forged: int = 0  # that say they are of this log, and whose signature does not hold


@dataclass(slots=True)
class Anchored:
    """The genuine checkpoints of one log, whichever anchors they were at, and how many others there were."""

    claims: dict[str, dict[int, Claim]] = field(default_factory=dict)  # by chain, then by number
    sources: dict[str, Source] = field(default_factory=dict)  # by name of the file
    contradictions: list[tuple[str, Claim, Claim]] = field(default_factory=list)  # two genuine ones: the log forked

    def newest(self, chain: str) -> Claim | None:
        """The one of the highest number."""
        found = self.claims.get(chain)
        return found[max(found)] if found else None

    @property
    def heads(self) -> list[Head]:
        """All that the anchors know, for verification."""
        return [
            Head(chain, claim.sequence, claim.seal, f"the anchor {claim.source} ({claim.time:%Y-%m-%d %H:%M:%S} UTC)")
            for chain, claims in self.claims.items()
            for claim in claims.values()
        ]

    def take(self, checkpoints: Iterable[SealCheckpoint], trust: Trust, source: str) -> None:
        """Add *checkpoints* of the file *source*, those of a log whose keys *trust* believes or comes to believe."""
        counts = self.sources.setdefault(source, Source())
        for found in checkpoints:
            trust.introduce(found)
            holds = trust.holds(found)
            if holds is None:
                counts.foreign += 1
            elif not holds:
                counts.forged += 1
            else:
                counts.genuine += 1
                self._claim(found, source)

    def judged(self, result: Verification) -> Verification:
        """*result*, with what is wrong with the anchors themselves."""
        wrong, notes = list(self._contradictions()), []
        for source, counts in self.sources.items():
            if counts.forged:
                why = f"{counts.forged} checkpoints in it are not signed by the key that they name; they do not count"
                notes.append(Finding(kind=Kind.UNPROVEN, message=why, file=source))
            if counts.genuine:
                continue
            if counts.foreign:
                why = (
                    f"none of its {counts.foreign} checkpoints is signed by a key of this log: it is another log's, "
                    "or the key was replaced"
                )
                wrong.append(Finding(kind=Kind.UNKNOWN_KEY, message=why, file=source))
            else:
                wrong.append(Finding(kind=Kind.UNREADABLE, message="the anchor holds no checkpoint", file=source))
        return replace(
            result,
            findings=(*wrong, *result.findings),
            notes=(*notes, *result.notes),
            found=result.found + len(wrong),
        )

    def _contradictions(self) -> Iterator[Finding]:
        for chain, one, other in self.contradictions:
            first, second = (f"{claim.source} of {claim.time:%Y-%m-%d %H:%M}" for claim in (one, other))
            yield Finding(
                kind=Kind.REWRITTEN,
                message=f"{{records}} was signed twice, with another seal each time ({first}, {second}): somebody with "
                "the key wrote the log anew",
                chain=chain,
                first=one.sequence,
                last=one.sequence,
            )

    def _claim(self, found: SealCheckpoint, source: str) -> None:
        claim = Claim(found.sequence, found.seal, found.time, source)
        before = self.claims.setdefault(found.chain, {}).setdefault(found.sequence, claim)
        if before.seal != claim.seal:
            self.contradictions.append((found.chain, before, claim))


def read_anchors(paths: Iterable[Path], trust: Trust) -> Anchored:
    """What the files *paths* have of the log whose keys *trust* believes. Raises OSError."""
    anchored = Anchored()
    for path in paths:
        anchored.take(checkpoints_in(path), trust, path.name)
    return anchored


def checkpoints_in(path: Path) -> Iterator[SealCheckpoint]:
    """Every checkpoint in the file *path*, plain or compressed by zstd; of nobody's signature yet. Raises OSError."""
    with path.open("rb") as plain:
        compressed = plain.peek(4)[:4] == b"\x28\xb5\x2f\xfd"  # it may be a pipe
        source = zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True) if compressed else plain
        held = b""
        try:
            while block := source.read(1 << 20):
                *lines, held = (held + block).split(b"\n")
                for line in lines:
                    yield from _in_line(line)
                held = held[:_LONGEST]
        except zstandard.ZstdError as damaged:
            raise OSError(5, f"is damaged: {damaged}", str(path)) from damaged
        yield from _in_line(held)


def _in_line(line: bytes) -> Iterator[SealCheckpoint]:
    if ACTION.encode() in line:
        yield from _in_text(line[:_LONGEST].decode("utf-8", "replace"), _WRAPPED)


def _in_text(text: str, depth: int) -> Iterator[SealCheckpoint]:
    """The checkpoints in *text*: JSON objects that stand in it somewhere, or inside texts of theirs."""
    start = text.find('{"')
    for _ in range(_MOST_TRIED if depth else 0):
        if start < 0:
            return
        try:
            document, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find('{"', start + 1)
            continue
        yield from _in_document(document, depth)
        start = text.find('{"', end)


def _in_document(document: Any, depth: int) -> Iterator[SealCheckpoint]:
    if not isinstance(document, Mapping):
        return
    if (found := read(document, _time(document))) is not None:
        yield found
        return
    for value in document.values():
        if isinstance(value, str) and ACTION in value:
            yield from _in_text(value, depth - 1)
        elif isinstance(value, Mapping):
            yield from _in_document(value, depth)


def _time(document: Mapping[str, Any]) -> datetime:
    try:
        found = datetime.fromisoformat(str(document["@timestamp"]))
    except (KeyError, ValueError):
        return _UNKNOWN
    return found if found.tzinfo is not None else _UNKNOWN


_UNKNOWN = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
