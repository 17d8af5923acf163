"""Finding a policy's snapshot again without parsing it: the files that made it, and what they made.

Which files a policy has is known only from their text; but where every file of the last time is the same,
the text that names them is the same too. So the digest of those files, read anew, decides.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from embargo.policy.bundle import bundle, digest
from embargo.policy.problem import Mistake
from embargo.policy.reading import LARGEST_LIST, Source, read
from embargo.policy.snapshot import is_whole, paths_key, snapshot_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the compiler made of a policy's files the last time."""

    digest: str
    files: tuple[tuple[str, str], ...]  # path as the policy names it, and real path; layers before lists
    watch: tuple[str, ...]
    failed_tests: tuple[str, ...]
    until: str | None  # from this instant on a test may end otherwise; None: never

    def holds(self, now: datetime) -> bool:
        """Whether the tests would still end the same at *now*."""
        return self.until is None or now < datetime.fromisoformat(self.until)


@dataclass(frozen=True, slots=True)
class Found:
    """A snapshot that is still right."""

    memory: Memory
    snapshot: Path
    sources: tuple[Source, ...]


def remember(state: Path, paths: Sequence[Path], memory: Memory) -> None:
    """Keep *memory* for the policy that *paths* make. Raises OSError."""
    target = _file(state, paths)
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    beside.write_text(json.dumps(asdict(memory)))
    beside.replace(target)


def find(state: Path, paths: Sequence[Path], now: datetime) -> Found | None:
    """The snapshot of the policy that *paths* make, if its files are what they were; None: compile."""
    try:
        kept = json.loads(_file(state, paths).read_text())
        files = tuple((str(path), str(real)) for path, real in kept["files"])
        memory = Memory(
            digest=kept["digest"],
            files=files,
            watch=tuple(kept["watch"]),
            failed_tests=tuple(kept["failed_tests"]),
            until=kept["until"],
        )
        if not memory.holds(now):
            return None
        known = {str(Path(path).absolute()) for path, _ in files}
        if any(os.path.lexists(path) for path in memory.watch if path not in known):
            return None
        if any(os.path.realpath(path) != real for path, real in files):
            return None
        sources = tuple(read(path, Path(path), LARGEST_LIST) for path, _ in files)
    except (OSError, ValueError, KeyError, TypeError, Mistake):
        return None  # whatever it is, compiling says it better
    snapshot = snapshot_directory(state, memory.digest, paths)
    same = digest(bundle(sources, paths[-1].parent)) == memory.digest
    return Found(memory, snapshot, sources) if same and is_whole(snapshot) else None


def _file(state: Path, paths: Sequence[Path]) -> Path:
    return state / "snapshots" / f".files-{paths_key(paths)}.json"
