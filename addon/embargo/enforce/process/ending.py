"""Processes that a supervisor starts: what of its surroundings they get, and how they ended."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading

_OF_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")  # meant for the supervisor alone


def inherited_environment() -> dict[str, str]:
    """The environment of a process of ours."""
    return {name: value for name, value in os.environ.items() if name not in _OF_SYSTEMD}


async def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of *process*, once it has ended; minus the signal that ended it.

    By a thread, since asyncio's own subprocess is not found to have ended while another holds its output (3.13.0).
    """
    loop = asyncio.get_running_loop()
    code: asyncio.Future[int] = loop.create_future()

    def wait() -> None:
        found = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(code.set_result, found)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()
    return await code


def in_words(code: int) -> str:
    """How a process with that code has ended."""
    if code >= 0:
        return f"ended by itself with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
