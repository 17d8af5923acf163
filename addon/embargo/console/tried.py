"""Has a policy text tried by a process of its own, one at a time, and takes what that says."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

LARGEST = 4 * 1024 * 1024  # bytes of an uploaded text
_LIMIT = 120.0  # seconds that a trial takes at most
_turn = BoundedSemaphore(1)


class NotTried(ValueError):
    """The trial came to nothing: says why."""


def tried(
    policy: Sequence[Path],
    log: Path,
    moment: datetime,
    days: int,
    *,
    text: bytes = b"",
    file: Path | None = None,
    revision: str | None = None,
    limit: float = _LIMIT,
) -> dict[str, Any]:
    """What *text* in place of *file*, or a *revision* of git, would change of *policy*, in `trying.answer`'s words.

    *days*: of past requests that are judged by both. Raises NotTried.
    """
    if not _turn.acquire(blocking=False):
        raise NotTried("somebody else is trying a policy just now; try again in a minute")
    try:
        return _asked(
            {
                "policy": [str(path.absolute()) for path in policy],
                "log": str(log),
                "now": moment.isoformat(),
                "days": days,
                "text": base64.b64encode(text).decode("ascii"),
                "file": str(file.absolute()) if file is not None else None,
                "revision": revision,
            },
            limit,
        )
    finally:
        _turn.release()


def _asked(question: dict[str, Any], limit: float) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "embargo.console.trying"],  # -P: nothing in the working directory is imported
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # what it starts itself, git, ends with it
    )
    try:
        told, said = process.communicate(json.dumps(question).encode(), timeout=limit)
    except subprocess.TimeoutExpired as late:
        raise NotTried(f"it took longer than {limit:.0f} seconds, and was ended") from late
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
    if process.returncode:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:]
        why = "it took more memory or time than there is for it" if process.returncode < 0 or _memory(last) else ""
        raise NotTried(why or f"the trial failed: {last[0][:300] if last else 'it said nothing'}")
    try:
        found = json.loads(told)
    except ValueError as broken:
        raise NotTried("the trial said nothing that can be read") from broken
    if not isinstance(found, dict):
        raise NotTried("the trial said nothing that can be read")
    return found


def _memory(last: list[str]) -> bool:
    return bool(last) and "MemoryError" in last[0]
