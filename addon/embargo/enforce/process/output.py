"""What is printed, where printing may fail: a full disk behind standard output costs lines, not the proxy."""

import logging

from mitmproxy.addons.termlog import TermLog, TermLogHandler


class PatientHandler(TermLogHandler):
    """Prints what is logged, and counts the lines that it cannot print. mitmproxy's own ends the process there."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0  # lines

    def emit(self, record: logging.LogRecord) -> None:
        """Print *record*, behind the number of lines that were lost before it."""
        try:
            if self._lost:
                print(f"embargo: {self._lost} lines could not be printed", file=self.file, flush=True)
                self._lost = 0
            print(self.format(record), file=self.file, flush=True)
        except OSError:
            self._lost += 1


class PatientOutput(TermLog):
    """In the place of mitmproxy's addon, under its name and with its options."""

    name = "termlog"

    def __init__(self) -> None:
        self.logger = PatientHandler()
        self.logger.install()
