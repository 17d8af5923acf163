"""The sealed log: what a writer does in a second, and how fast `verify` reads, each beside its peer in one run.

The writer's peer encodes the same events and writes them in the same batches, without a seal and without a thread. The
peer of `verify` is the least that a check by JSON could do: parse each line, and hash it.
"""

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.bench.subjects import ROOT

RECORDS = 100_000
ROUNDS = 5
_BATCH = 1000  # records a write call, as the writer has them at most


@dataclass(frozen=True)
class Sealed:
    """Medians of the rounds."""

    written: float  # records a second of CPU time, by the journal: sealed, signed, and confirmed by the disk
    bare: float  # records a second of CPU time, encoded and written alone
    verified: float  # MB a second of CPU time
    parsed: float  # MB a second of CPU time, by json and SHA-256
    compressed: float  # MB a second of CPU time, uncompressed ones of a .zst file
    size: float  # bytes a record


def measure(directory: Path) -> Sealed:
    """Rounds of each in turns."""
    sys.path[:0] = [str(ROOT / "addon"), str(ROOT / "tests")]
    from embargo.core.rules import LogSettings
    from embargo.journal.record import Encoder
    from embargo.journal.rotation import compress
    from embargo.journal.seal.keys import public_key
    from embargo.journal.seal.verification import verify
    from embargo.journal.writer import Journal
    from recorded import OBSERVER, judged

    directory.mkdir(parents=True, exist_ok=True)
    events = [judged(id=f"id-{number}") for number in range(RECORDS)]
    rounds: list[tuple[float, ...]] = []
    for number in range(ROUNDS):
        log = directory / str(number)
        journal = Journal(log, LogSettings(rotate_age=1e12), observer=OBSERVER, bound=RECORDS + 1)
        for event in events:
            journal.offer(event)
        begun = time.process_time()
        journal.start()
        assert journal.close(600)
        written = RECORDS / (time.process_time() - begun)
        assert (journal.state().written, journal.state().lost) == (RECORDS, 0)

        encoder = Encoder(OBSERVER)
        begun = time.process_time()
        with (directory / "bare").open("wb", buffering=0) as file:
            for first in range(0, RECORDS, _BATCH):
                batch = enumerate(events[first : first + _BATCH], first + 1)
                file.write(b"".join(encoder.line(event, sequence=sequence) for sequence, event in batch))
            os.fdatasync(file.fileno())
        bare = RECORDS / (time.process_time() - begun)

        plain = log / "decisions.jsonl"
        size = plain.stat().st_size
        begun = time.process_time()
        result = verify(log, [public_key(log)])
        verified = size / (time.process_time() - begun) / 1e6
        assert result.chains[0].last == result.chains[0].tally.records > RECORDS
        begun = time.process_time()
        with plain.open("rb") as lines:
            for line in lines:
                json.loads(line)
                sha256(line).hexdigest()
        parsed = size / (time.process_time() - begun) / 1e6
        rotated = plain.rename(log / "decisions-20261124T101500Z-1.jsonl")
        compress(rotated)
        begun = time.process_time()
        verify(log, [public_key(log)])
        compressed = size / (time.process_time() - begun) / 1e6
        rounds.append((written, bare, verified, parsed, compressed, size / RECORDS))
    return Sealed(*(statistics.median(column) for column in zip(*rounds, strict=True)))


def lines(sealed: Sealed) -> list[str]:
    """The table, in Markdown."""
    return [
        "### The sealed log (CPU time of one process)",
        "",
        "| what | speed | ratio to | ratio |",
        "| --- | ---: | --- | ---: |",
        f"| records encoded and written | {_count(sealed.bare)} a second | – | 1 |",
        f"| the same by the log's writer, sealed and signed | {_count(sealed.written)} a second | encoded and written "
        f"| **{sealed.written / sealed.bare:.2f}** |",
        f"| each line parsed as JSON and hashed | {sealed.parsed:.0f} MB/s | – | 1 |",
        f"| `embargo verify`, plain files | {sealed.verified:.0f} MB/s | parsed and hashed "
        f"| **{sealed.verified / sealed.parsed:.2f}** |",
        f"| `embargo verify`, compressed files | {sealed.compressed:.0f} MB/s | parsed and hashed "
        f"| **{sealed.compressed / sealed.parsed:.2f}** |",
        "",
        f"A record has {sealed.size:.0f} bytes here, its seal 76 of them.",
    ]


def _count(number: float) -> str:
    return f"{number:,.0f}".replace(",", " ")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="embargo-bench-") as place:
        print("\n".join(lines(measure(Path(place)))))
