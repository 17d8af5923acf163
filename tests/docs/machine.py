"""A machine of its own for the manual's shell examples, so that each is run as it is written.

Mounts, network and processes are a namespace's: the file system is this one with a layer on top that nobody else sees
and that is gone at the end, the network a loopback that leads nowhere. Needs root and overlayfs.
"""

import json
import subprocess
import sys
from pathlib import Path

from docs.pages import ROOT

BOUND = 300  # seconds for a page: a bound on waiting, never a measure

_ALONE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
_SET_UP = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root" "$1/checkout-upper" "$1/checkout-work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
if ! mountpoint -q / || [ ! -e "$1/root$2/Makefile" ]; then  # the checkout lies on another file system
    mkdir -p "$1/root$2"
    mount -t overlay overlay \
        -o "lowerdir=$2,upperdir=$1/checkout-upper,workdir=$1/checkout-work" "$1/root$2"
fi
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount -t tmpfs tmpfs "$1/root/run"
ip link set lo up
shift 2
exec chroot "$MACHINE/root" "$@"
"""


def run_page(page: Path, directory: Path) -> list[dict[str, object]]:
    """What became of each command of *page*, in order, in a machine whose layer lies in *directory*.

    Members: line (of the block), command, code (exit), output, expected (exit codes that are right).
    """
    layer = directory / "machine"
    layer.mkdir()
    done = subprocess.run(
        [*_ALONE, "sh", "-c", _SET_UP, "machine", layer, ROOT, sys.executable, ROOT / "tests/docs/session.py", page],
        env={
            "MACHINE": str(layer),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": f"{ROOT}/tests:{ROOT}/addon:{ROOT}",
            "LANG": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, f"the machine for {page.name} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    results: list[dict[str, object]] = json.loads(done.stdout.rstrip().rpartition("\n")[2])
    return results
