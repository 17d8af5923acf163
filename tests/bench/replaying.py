"""`embargo replay` of a million lines: requests a second of CPU time, and what memory grows by between a tenth and all.

The mix: seven in ten requests are for hosts of no app, two hundred thousand of them different, the popular ones often;
the rest for the shipped catalogue's, below some thousands of names. Every line has a path and query of its own.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.subjects import ROOT

LINES = 1_000_000
_HOSTS = 200_000
_BELOW = 12  # names below each domain of the catalogue
_MEASURE = """\
import sys
sys.path.insert(0, sys.argv[1])
import gc, re, time
from datetime import UTC, datetime
from pathlib import Path
from embargo.policy.load import load
from embargo.review.judge import Assumed, Judge
from embargo.review.replay import Replay
from embargo.review.sources import open_source

replay = Replay(Judge(load((Path(sys.argv[2]),)).policy, Assumed(time=datetime.now(UTC))))
gc.freeze()
begun = time.process_time()
replay.take_all(open_source(sys.argv[3]))
took = time.process_time() - begun
summary = replay.summary()
# not ru_maxrss, which a process inherits from the one that started it (getrusage(2) does not say so)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
print(summary.requests / took, peak / 1024, sum(summary.counts[:4]), summary.requests)
"""


@dataclass(frozen=True)
class Replayed:
    """What a replay of a list took."""

    lines: int
    per_second: float  # requests a second of CPU time
    peak: float  # MB of resident memory, Python and the policy included
    touched: float  # share of the requests that an app owns


def measure(directory: Path) -> list[Replayed]:
    """A tenth of the lines, and all."""
    directory.mkdir(parents=True, exist_ok=True)
    return [_measure(directory / f"{lines}.txt", lines) for lines in (LINES // 10, LINES)]


def _measure(file: Path, lines: int) -> Replayed:
    with file.open("w", encoding="ascii") as written:
        written.writelines(_lines(lines))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(ROOT / "addon"), str(ROOT / "domains.yaml"), str(file)],
        check=True,
        capture_output=True,
        text=True,
    )
    file.unlink()
    per_second, peak, touched, requests = map(float, done.stdout.split())
    assert requests == lines, "every line was judged"
    return Replayed(lines, per_second, peak, touched / requests)


def _lines(count: int) -> Iterator[str]:
    sys.path.insert(0, str(ROOT / "addon"))
    from embargo.core.pattern import Kind
    from embargo.policy.load import load

    policy = load((ROOT / "domains.yaml",)).policy
    owned = [
        endpoint.pattern.text
        for app in policy.apps.values()
        for endpoint in app.endpoints
        if endpoint.pattern.kind is Kind.DOMAIN
    ]
    drawn = random.Random(7)
    for number in range(count):
        if drawn.random() < 0.3:
            host = f"h{drawn.randrange(_BELOW)}.{drawn.choice(owned)}"
        else:
            popular = int(_HOSTS ** drawn.random())  # as requests fall off with the rank of a host (Zipf)
            host = f"www.site{popular}.example"
        yield f"https://{host}/path/{drawn.randrange(10**6)}?q={number}\n"


def lines(replayed: list[Replayed]) -> list[str]:
    """The table, in Markdown."""
    growth = replayed[-1].peak - replayed[0].peak
    return [
        "### Replay of a list (one process, CPU time)",
        "",
        "| lines | requests a second | peak memory |",
        "| ---: | ---: | ---: |",
        *(f"| {row.lines:,} | {row.per_second:,.0f} | {row.peak:.0f} MB |".replace(",", " ") for row in replayed),
        "",
        f"{replayed[-1].touched:.0%} of the requests are of an app. Ten times the lines take {growth:+.0f} MB.",
    ]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="embargo-bench-") as place:
        print("\n".join(lines(measure(Path(place)))))
