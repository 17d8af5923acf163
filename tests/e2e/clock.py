"""A proxy's wall clock that a test sets; its monotonic one goes on undisturbed, as on a machine whose clock is set."""

import datetime
from pathlib import Path

DAY = 86400.0  # seconds

# libfaketime would set the whole process's clock, but CPython 3.13 cannot read files under it (EINVAL, measured).
_SCRIPT = """
import datetime
import os
from pathlib import Path

import embargo.enforce.gate as gate

class Shifted(datetime.datetime):
    @classmethod
    def now(cls, zone=None):
        shift = float(Path(os.environ["EMBARGO_TEST_CLOCK"]).read_text())
        return datetime.datetime.now(zone) + datetime.timedelta(seconds=shift)

gate.datetime = Shifted
"""


class Clock:
    """`script` and `environment` are for the proxy's start."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "clock.txt"
        self.script = directory / "clock.py"
        self.script.write_text(_SCRIPT)
        self.environment = {"EMBARGO_TEST_CLOCK": str(self.file)}
        self.set(0)

    def set(self, shift: float) -> None:
        """Seconds that it is ahead of ours from now on."""
        beside = self.file.with_suffix(".new")
        beside.write_text(str(shift))
        beside.replace(self.file)


def in_days(days: float) -> str:
    """The instant so many days from now, as a policy has it."""
    return f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
