"""The compiler's process: `python -m embargo.policy.compile --state DIR [--store DIR] FILE…`.

Reads, checks and compiles the policy aside from the proxy, so that a large one stalls no traffic, and prints
one JSON object: `ok`, `digest`, `snapshot` (path, or null), `watch` (files whose change may change the
policy, existing or not), `problems` (as `embargo check` prints them), `details` (the same, field by field),
`failed_tests`, `warnings` (what of our own work failed), `reused`, `seconds` (by step). It exits with 0 where
`ok`, else 1. Where the compiler itself fails it prints no object, a line on stderr, and exits with 2.
"""

import argparse
import fcntl
import gc
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embargo.paths import private_directory
from embargo.policy.bundle import bundle
from embargo.policy.problem import PolicyError
from embargo.policy.reuse import Memory, find, remember
from embargo.policy.snapshot import is_whole, paths_key, prune, snapshot_directory, write_snapshot
from embargo.policy.texts import keep_text

if TYPE_CHECKING:
    from embargo.policy.load import Loaded


def compile_policy(paths: Sequence[Path], state: Path, store: Path | None, now: datetime) -> dict[str, Any]:
    """The answer to print for the policy that *paths* make; *now* is aware, UTC.

    Raises OSError where the snapshot cannot be written.
    """
    clock = _Clock()
    snapshots = private_directory(private_directory(state) / "snapshots")
    with _turn(snapshots / f".compiling-{paths_key(paths)}"):
        clock.lap("turn")
        return _compile(paths, state, store, now, clock)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait until nobody else compiles the same files: of several workers one does it, and the others find it done."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):  # a file system without locks costs a second compilation, no more
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _compile(paths: Sequence[Path], state: Path, store: Path | None, now: datetime, clock: "_Clock") -> dict[str, Any]:
    if (found := find(state, paths, now)) is not None:
        clock.lap("find")
        os.utime(found.snapshot)
        warnings = keep_text(store, found.memory.digest, bundle(found.sources, paths[-1].parent))
        return _answer(found.memory, found.snapshot, warnings, clock, reused=True)

    # pydantic and the YAML parser cost a tenth of a second to import, which a policy found again need not pay
    from embargo.policy.load import load

    try:
        loaded = load(paths)
    except PolicyError as refused:
        clock.lap("load")
        return {
            "ok": False,
            "digest": None,
            "snapshot": None,
            "watch": list(map(str, refused.watched)),
            "problems": list(map(str, refused.problems)),
            "details": [asdict(problem) for problem in refused.problems],
            "failed_tests": [],
            "warnings": [],
            "reused": False,
            "seconds": clock.laps,
        }
    clock.lap("load")
    snapshot = snapshot_directory(state, loaded.digest, paths)
    if is_whole(snapshot):
        os.utime(snapshot)
    else:
        write_snapshot(loaded.policy, [named.names for named in loaded.assembly.lists()], snapshot, loaded.bundle())
    clock.lap("snapshot")
    failed, until = _judge(loaded, now)
    clock.lap("tests")
    memory = Memory(
        digest=loaded.digest,
        files=tuple((str(source.path), os.path.realpath(source.path)) for source in loaded.files.sources),
        watch=tuple(map(str, loaded.watched)),
        failed_tests=failed,
        until=until.isoformat() if until is not None else None,
    )
    remember(state, paths, memory)
    prune(state)
    return _answer(memory, snapshot, keep_text(store, loaded.digest, loaded.bundle()), clock, reused=False)


def _judge(loaded: "Loaded", now: datetime) -> tuple[tuple[str, ...], datetime | None]:
    """The tests that fail at *now*, and when that may change by itself."""
    from embargo.core.horizon import next_change
    from embargo.policy.cases import cases_of, run

    cases = list(cases_of(loaded))
    failed = tuple(str(result) for result in run(loaded, cases, now) if not result.passed)
    timeless = {case.layer for case in cases if case.form.at is None}
    changes = [next_change(loaded.policy_of(layer), now) for layer in timeless]
    return failed, min((change for change in changes if change is not None), default=None)


def _answer(memory: Memory, snapshot: Path, warnings: list[str], clock: "_Clock", *, reused: bool) -> dict[str, Any]:
    clock.lap("store")
    return {
        "ok": True,
        "digest": memory.digest,
        "snapshot": str(snapshot),
        "watch": list(memory.watch),
        "problems": [],
        "details": [],
        "failed_tests": list(memory.failed_tests),
        "warnings": warnings,
        "reused": reused,
        "seconds": clock.laps,
    }


class _Clock:
    """Seconds that each step took."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """End *step*."""
        now = time.perf_counter()
        self.laps[step] = round(now - self._last, 4)
        self._last = now


def main() -> int:
    """Compile as the arguments say, print the answer; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m embargo.policy.compile")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where snapshots lie")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where the text of policies is kept, by digest")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="policy files, the earliest layer first")
    arguments = parser.parse_args()
    gc.disable()  # a short-lived process that makes a million small objects and no cycles
    now = datetime.now(UTC)
    try:
        answer = compile_policy(arguments.files, arguments.state, arguments.store, now)
    except OSError as failed:
        print(f"{arguments.state}: the compiled policy cannot be written: {failed}", file=sys.stderr)
        return 2
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
