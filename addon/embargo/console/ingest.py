"""Keeps the store filled while the console runs, by a process of its own: `embargo store follow`.

Where something else does so already, as `embargo run` does, the console is started with `--no-store`. Two would do no
harm: they take turns, and what one has read the other skips.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

_PAUSE = 30.0  # seconds before one that ended is started again


class Ingest:
    """The process that follows the log directory *log*."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="ingest", daemon=True)

    def start(self) -> None:
        """Start it, and start it again when it ends."""
        self._thread.start()

    def stop(self) -> None:
        """End it, in good order."""
        self._stopped.set()
        if (process := self._process) is not None and process.poll() is None:
            process.terminate()
        self._thread.join(10)

    def _keep(self) -> None:
        while not self._stopped.is_set():
            theirs, ours = os.pipe()
            try:
                self._process = subprocess.Popen(
                    # -P: nothing in the working directory is imported
                    [sys.executable, "-P", "-m", "embargo.cli.companion", "store", str(theirs), *self._arguments()],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs,),
                    start_new_session=True,  # a terminal's Ctrl-C is ours, and ends it in turn
                )
                os.close(theirs)
                if self._stopped.is_set():
                    self._process.terminate()
                self._process.wait()
            finally:
                os.close(ours)  # the end of which ends it, however we ended
            self._stopped.wait(_PAUSE)

    def _arguments(self) -> list[str]:
        return ["store", "follow", "--log", str(self._log)]
