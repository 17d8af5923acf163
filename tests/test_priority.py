"""How a process beside the proxy gives way to it."""

import os
import subprocess
import sys

from embargo.priority import NICENESS


def test_it_gives_way_and_doing_so_twice_changes_nothing() -> None:
    text = (
        "import os; from embargo.priority import give_way; give_way(); give_way();"
        "print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE if hasattr(os, 'SCHED_IDLE') else True)"
    )
    told = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()
    assert told == [str(max(NICENESS, os.nice(0))), "True"]
