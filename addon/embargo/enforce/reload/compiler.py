"""Policies compiled in a process of their own, so that a large one never holds up traffic.

A subprocess rather than a fork: a fork would meet the event loop and its threads, and
parsing a million domains in a thread stalls the loop for hundreds of milliseconds (measured).
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import embargo

TIMEOUT = 120.0  # seconds; a million domains take about three
_LOOK = 0.1  # seconds between looks at whether it is still wanted


class CompileFailed(RuntimeError):
    """The compiler itself failed: no verdict on the policy's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What the compiler made of the policy files."""

    snapshot: Path | None  # None where the policy was refused
    digest: str | None = None
    watch: tuple[Path, ...] = ()  # every file that the policy depends on, existing or not
    problems: tuple[str, ...] = ()  # errors, as `embargo check` prints them
    failed_tests: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())  # faults of ours, such as a text that could not be stored


async def compile_policy(paths: Sequence[Path], state: Path, store: Path) -> Compiled:
    """Compile the layers *paths*; snapshots go below *state*, the policy's text into *store*.

    Raises CompileFailed.
    """
    source_root = str(Path(embargo.__file__).parent.parent)
    search = os.pathsep.join(filter(None, (source_root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "embargo.policy.compile", "--state", str(state), "--store", str(store)]
    stop = threading.Event()
    try:
        code, output, errors = await asyncio.to_thread(
            _run, [*command, *map(str, paths)], {**os.environ, "PYTHONPATH": search}, stop
        )
    finally:
        stop.set()
    try:
        answer = json.loads(output)
    except ValueError:
        detail = errors.decode("utf-8", "replace").strip().splitlines()
        raise CompileFailed(
            f"the policy compiler ended with code {code}: {detail[-1] if detail else 'no output'}"
        ) from None
    return Compiled(
        snapshot=Path(answer["snapshot"]) if answer.get("snapshot") else None,
        digest=answer.get("digest"),
        watch=tuple(map(Path, answer.get("watch", ()))),
        problems=tuple(answer.get("problems", ())),
        failed_tests=tuple(answer.get("failed_tests", ())),
        warnings=tuple(answer.get("warnings", ())),
    )


def _run(command: Sequence[str], environment: Mapping[str, str], stop: threading.Event) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of *command*, which is killed after `TIMEOUT` or once *stop* is set.

    In a thread, since asyncio's own subprocess never returns where the loop ends while it starts (CPython 3.13,
    measured): its pipes are then never connected, and it waits for them to close.
    """
    deadline = time.monotonic() + TIMEOUT
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        while True:
            try:
                output, errors = process.communicate(timeout=min(_LOOK, max(deadline - time.monotonic(), 0)))
            except subprocess.TimeoutExpired:
                late = time.monotonic() >= deadline
                if late or stop.is_set():
                    process.kill()  # and reaped as the block ends
                if late:
                    raise CompileFailed(f"compiling the policy took more than {TIMEOUT:.0f} seconds") from None
            else:
                return process.returncode, output, errors
