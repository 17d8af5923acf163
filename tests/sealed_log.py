"""A log as processes write it, sealed and signed, for tests to spoil; and what `verify` says of it."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from embargo.core.rules import CheckpointSettings
from embargo.journal.identifier import uuid7
from embargo.journal.livefile import LiveFile
from embargo.journal.record import Encoder
from embargo.journal.rotation import compress
from embargo.journal.seal import keys
from embargo.journal.seal.chain import content_of, seal_of, sealed
from embargo.journal.seal.finding import Finding
from embargo.journal.seal.result import Verification
from embargo.journal.seal.sealer import Sealer
from embargo.journal.seal.verification import verify
from recorded import OBSERVER, TIME, judged

POLICY = b"version: 1\n"
DIGEST = sha256(POLICY).hexdigest()
EVERY = CheckpointSettings(records=5, age=60.0)


class Process:
    """A process that writes a chain: one record a second."""

    def __init__(self, log: Path, stem: str = "decisions", settings: CheckpointSettings = EVERY) -> None:
        self.log = log
        log.mkdir(exist_ok=True)
        (log / "policies").mkdir(exist_ok=True)
        (log / "policies" / DIGEST).write_bytes(POLICY)
        self.file = LiveFile.open(log, stem)
        self.time = TIME + timedelta(seconds=self.file.sequence)
        self.encoder = Encoder(OBSERVER)
        self.sealer = Sealer(log, self.encoder, settings=lambda: settings, now=lambda: self.time)
        self.sealer.opened(self.file)

    def write(self, count: int, cause: str | None = None) -> "Process":
        """Writes *count* records, each by a batch of its own."""
        for _ in range(count):
            self._append(1, None)
        if cause is not None:
            self._append(0, cause)
        return self

    def rotate(self, *, zst: bool = False) -> "Process":
        """Begins a new file."""
        self.write(0, "rotation")
        before = set(self.log.iterdir())
        self.file = self.file.rotated(self.time)
        self.sealer.rotated(self.file)
        if zst:
            (aside,) = (path for path in self.log.iterdir() if path not in before)
            compress(aside)
        return self

    def close(self) -> None:
        """Ends as a process should."""
        if self.sealer.unsigned:
            self._append(0, "close")
        self.crash()

    def crash(self, torn: bytes = b"") -> None:
        """Ends as a process should not."""
        self.file.close()
        if torn:
            with self.file.path.open("ab") as file:
                file.write(torn)

    def _append(self, count: int, cause: str | None) -> None:
        self.time += timedelta(seconds=count)
        event = judged(id=uuid7(), time=self.time, policy=DIGEST)

        def encode(before: int) -> list[bytes]:
            return [self.encoder.line(event, sequence=before + number) for number in range(1, count + 1)]

        batch = self.sealer.batch(encode, some=bool(count), cause=cause)
        self.file.append(batch.lines)
        self.sealer.wrote(batch, len(batch.lines))


def usual(log: Path) -> None:
    """Three files of a chain, the first compressed; a restart; a second chain; an audit chain. All closed."""
    Process(log).write(12).rotate(zst=True).write(12).rotate().write(3).close()
    Process(log).write(9).close()
    first, second = Process(log), Process(log)
    second.write(4).close()
    first.write(2).close()
    Process(log, "audit").write(2).close()


def verified(log: Path, **options: object) -> Verification:
    """What `verify` says, by the key that lies in the log."""
    return verify(log, [keys.public_key(log)], **options)  # type: ignore[arg-type]


def said(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Kind and place of each."""
    return [(str(finding.kind), finding.place) for finding in findings]


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Has *change* make other lines of those in a plain file."""
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def resealed(lines: list[bytes], start: int) -> list[bytes]:
    """*lines* with the chain computed anew from *start* on: what anybody can do who has no key."""
    bare = [content_of(line) + b"}}\n" if seal_of(line) else line for line in lines[start:]]
    previous = seal_of(lines[start - 1])
    assert previous is not None
    return lines[:start] + sealed(bare, previous)
