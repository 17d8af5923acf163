"""Other people's servers, which a test starts for itself: found, started on a port, awaited, ended."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from e2e.proxy import PATIENCE


def program(name: str) -> str:
    """Where *name* is; many systems keep servers off the path of users."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin:/usr/libexec")
    assert found is not None, f"tools/install-test-tools installs {name}"
    return found


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], port: int, output: Path, environment: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """*command* runs, and what listens on *port* answers; what it prints goes to *output*."""
    with output.open("wb") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=printed, env=dict(environment))
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
