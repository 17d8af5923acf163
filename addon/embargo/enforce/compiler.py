"""Policies compiled in a process of their own, so that a large one never holds up traffic.

A subprocess rather than a fork: a fork would meet the event loop and its threads (facts of CPython), and
parsing a million domains in a thread stalls the loop for hundreds of milliseconds (measured).
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import embargo

TIMEOUT = 120.0  # seconds; a million domains take about three


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
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "embargo.policy.compile",
        "--state",
        str(state),
        "--store",
        str(store),
        *map(str, paths),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()  # reaped here, or it stays a zombie
        raise CompileFailed(f"compiling the policy took more than {TIMEOUT:.0f} seconds") from None
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    try:
        answer = json.loads(output)
    except ValueError:
        detail = errors.decode("utf-8", "replace").strip().splitlines()
        raise CompileFailed(
            f"the policy compiler ended with code {process.returncode}: {detail[-1] if detail else 'no output'}"
        ) from None
    return Compiled(
        snapshot=Path(answer["snapshot"]) if answer.get("snapshot") else None,
        digest=answer.get("digest"),
        watch=tuple(map(Path, answer.get("watch", ()))),
        problems=tuple(answer.get("problems", ())),
        failed_tests=tuple(answer.get("failed_tests", ())),
        warnings=tuple(answer.get("warnings", ())),
    )
