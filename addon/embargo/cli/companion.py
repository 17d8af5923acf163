"""An `embargo` command as a companion of the proxy: niced, its lines marked, and ended when the supervisor is.

`python -m embargo.cli.companion NAME FD COMMAND [OPTION…]`, started by `enforce.process.companions` alone. FD is the
reading end of a pipe that nobody writes to: its end is the supervisor's, however that came about.
"""

import io
import os
import signal
import sys
import threading
import time
from typing import TextIO

from embargo.priority import give_way

PATIENCE = 5.0  # seconds for an orderly end


class Marked(io.TextIOBase):
    """An output whose lines begin with a name, each written whole: several processes share it."""

    def __init__(self, output: TextIO, name: str) -> None:
        self._output = output
        self._mark = f"[{name}] "
        self._held = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        """Keep *text* until its line ends."""
        with self._lock:
            *lines, self._held = (self._held + text).split("\n")
            for line in lines:
                self._put(line)
        return len(text)

    def flush(self) -> None:
        """Nothing: a line is written when it ends."""

    def finish(self) -> None:
        """Write what is left of a line that never ended."""
        with self._lock:
            if self._held:
                self._put(self._held)
            self._held = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Never: colours and progress bars are for people who watch one command."""
        return False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the output behind it."""
        return self._output.encoding or "utf-8"

    def _put(self, line: str) -> None:
        try:
            self._output.write(f"{self._mark}{line}\n")
            self._output.flush()
        except OSError:
            pass  # nobody reads any more: it is the line that is lost


def end_with(supervisor: int) -> None:
    """End this process, orderly at first, once the pipe *supervisor* (a descriptor) is closed at its other end."""

    def watch() -> None:
        while os.read(supervisor, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)
        os._exit(1)

    threading.Thread(target=watch, name="embargo-supervisor", daemon=True).start()


def main() -> None:
    """Run the command that the arguments name."""
    name, descriptor, *arguments = sys.argv[1:]
    out, err = Marked(sys.stdout, name), Marked(sys.stderr, name)
    sys.stdout, sys.stderr = out, err
    os.set_inheritable(int(descriptor), False)
    end_with(int(descriptor))
    give_way()
    sys.argv = ["embargo", *arguments]
    from embargo.cli.main import main as embargo

    try:
        embargo(arguments, prog_name="embargo")
    finally:
        out.finish()
        err.finish()


if __name__ == "__main__":
    main()
