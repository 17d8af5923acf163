"""Runs the whole bench and writes its tables to docs/performance.md.

make bench                      everything, some ten minutes
python -m tests.bench --rounds 4 --no-write    a quick look

Those that take long, or a disk, are run by name, and print: `storing`, `console`, `browsing`, each with --records.
python -m tests.bench storing --records 10000000
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.progress import Progress
from tests.bench import browsing, clients, consoling, deciding, replaying, sealing, start, storing, workers
from tests.bench.operations import OPERATIONS, Figures, measure
from tests.bench.report import write
from tests.bench.subjects import ROOT, Subject, bare, block_list, embargo, embargo_run
from tests.e2e.origin import make_certificate

SIZES = (10, 10_000, 1_000_000)
_NAMED = {"storing": storing.main, "console": consoling.main, "browsing": browsing.main}
CONTROL = "bare, again"  # what the machine's own noise makes of one thing against itself


def main() -> None:
    if len(sys.argv) > 1 and (named := _NAMED.get(sys.argv[1])) is not None:
        return named(sys.argv[2:])
    return _all()


def _all() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=14, help="rounds of interleaved measurement (default 14)")
    parser.add_argument("--only", default="", help="operations whose name contains this")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="domains, by commas")
    parser.add_argument("--no-write", action="store_true", help="print only; leave docs/performance.md alone")
    arguments = parser.parse_args()
    sizes = tuple(int(size) for size in arguments.sizes.split(","))
    with tempfile.TemporaryDirectory(prefix="embargo-bench-") as place, Progress() as progress:
        directory = Path(place)
        certificate, key = make_certificate(directory / "origin")
        origin = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.origin", str(certificate), str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert origin.stdout is not None
        http, https = map(int, origin.stdout.readline().split())
        try:
            decided = deciding.measure(sizes)
            replayed = replaying.measure(directory / "replay")
            sealed = sealing.measure(directory / "seal")
            started = start.measure(directory / "start", sizes, http, https, progress)
            reloaded = start.measure_reload(directory / "reload", sizes, http, https, progress)
            shared = workers.measure(directory / "workers", https, progress)
            figures = _operations(directory / "run", sizes, http, https, arguments, progress)
        finally:
            origin.communicate("")
    text = write(
        figures, decided, replayed, sealed, started, reloaded, shared, rounds=arguments.rounds, keep=arguments.no_write
    )
    print(text)


def _operations(
    directory: Path, sizes: tuple[int, ...], http: int, https: int, arguments: argparse.Namespace, progress: Progress
) -> list[Figures]:
    subjects = [bare(directory), bare(directory, CONTROL), block_list(directory)]
    subjects += [embargo(directory, size, "all") for size in sizes]
    subjects += [embargo(directory, size, "needed") for size in sizes]
    subjects += [embargo_run(directory, size, "all") for size in sizes]
    operations = [operation for operation in OPERATIONS if arguments.only in operation.name]
    started: list[Subject] = []
    try:
        for subject in subjects:
            started.append(subject.start(http, https))
        return measure(started, operations, arguments.rounds, origin_connections(http), progress)
    finally:
        for subject in started:
            subject.stop()


def origin_connections(http: int) -> Callable[[], int]:
    """How many connections the origin has seen, this question's own left out."""
    asked = itertools.count(1)

    def count() -> int:
        with clients.connect(http) as client:
            client.sendall(b"GET /connections HTTP/1.1\r\nHost: origin\r\n\r\n")
            body = client.recv(65536).partition(b"\r\n\r\n")[2]
        return int(body) - next(asked)

    return count


if __name__ == "__main__":
    main()
