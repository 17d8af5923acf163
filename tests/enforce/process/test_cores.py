"""The number of workers that `auto` starts."""

import os
from pathlib import Path

import pytest

from embargo.enforce.process.cores import usable_cores

CORES = len(os.sched_getaffinity(0))
GRANTED: dict[str, tuple[dict[str, str], int]] = {  # case: (files of the controller, cores)
    "none": ({}, CORES),
    "version 2, no limit": ({"cpu.max": "max 100000\n"}, CORES),
    "version 2, one": ({"cpu.max": "100000 100000\n"}, 1),
    "version 2, a half": ({"cpu.max": "50000 100000\n"}, 1),
    "version 2, one and a bit": ({"cpu.max": "110000 100000\n"}, min(2, CORES)),
    "version 2, more than there are": ({"cpu.max": "99900000 100000\n"}, CORES),
    "version 1, no limit": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, CORES),
    "version 1, one": ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    "nothing that can be read": ({"cpu.max": "many"}, CORES),
}


@pytest.mark.parametrize(("files", "cores"), GRANTED.values(), ids=GRANTED)
def test_a_containers_quota_counts(files: dict[str, str], cores: int, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores
