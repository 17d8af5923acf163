"""`decide` alone, on the compiled policy that a proxy opens: microseconds of wall time in one process."""

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.subjects import POLICY, ROOT, banned_name

from embargo.core.decide import decide
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Policy
from embargo.core.url import parse_target
from embargo.policy.snapshot import open_snapshot

REQUESTS = 20_000
REPEATS = 5
SOURCES = (Source.CONNECT, Source.SNI, Source.HOST, Source.DIALLED)


@dataclass(frozen=True)
class Decided:
    """Microseconds for one request with all its names."""

    name: str
    fresh_mixed: float  # seven in ten pass, as matchers are usually compared
    fresh_pass: float
    fresh_block: float
    repeated_pass: float
    repeated_block: float


def measure(sizes: tuple[int, ...]) -> list[Decided]:
    """The figures for each number of listed domains."""
    return [_measure(size) for size in sizes]


def _measure(size: int) -> Decided:
    with tempfile.TemporaryDirectory(prefix="embargo-bench-") as place:
        home = Path(place)
        (home / "banned.txt").write_text("".join(banned_name(number) + "\n" for number in range(size)))
        (home / "domains.yaml").write_text(POLICY.format(decrypt="needed"))
        done = subprocess.run(
            [sys.executable, "-m", "embargo.policy.compile", "--state", str(home), str(home / "domains.yaml")],
            check=True,
            capture_output=True,
            env={"PYTHONPATH": str(ROOT / "addon")},
        )
        policy = open_snapshot(Path(json.loads(done.stdout)["snapshot"]))
        banned = [banned_name(number * max(1, size // REQUESTS) % size) for number in range(REQUESTS)]
        return Decided(
            f"{size:,} domains".replace(",", " "),
            _fresh(policy, lambda round: _mixed(banned, f"m{round}")),
            _fresh(policy, lambda round: [f"h{round}-{number}.innocent.test" for number in range(REQUESTS)]),
            _fresh(policy, lambda round: [f"r{round}.{name}" for name in banned]),
            _repeated(policy, "www.innocent.test"),
            _repeated(policy, f"www.{banned_name(3)}"),
        )


def _mixed(banned: list[str], prefix: str) -> list[str]:
    return [
        f"{prefix}.{name}" if number % 10 < 3 else f"{prefix}-{number}.innocent.test"
        for number, name in enumerate(banned)
    ]


def _requests(hosts: list[str]) -> list[Request]:
    target, now = parse_target("/path?key=value"), datetime.now(UTC)
    return [
        Request(
            surface=Surface.HTTP,
            time=now,
            names=tuple(Name.parse(source, host, 443) for source in SOURCES),
            target=target,
            user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        )
        for host in hosts
    ]


def _fresh(policy: Policy, hosts: Callable[[int], list[str]]) -> float:
    return min(_time(policy, _requests(hosts(round))) for round in range(REPEATS))


def _repeated(policy: Policy, host: str) -> float:
    requests = _requests([host]) * REQUESTS
    return min(_time(policy, requests) for _ in range(REPEATS))


def _time(policy: Policy, requests: list[Request]) -> float:
    gc.collect()
    gc.disable()
    begun = time.perf_counter()
    for request in requests:
        decide(policy, request)
    took = time.perf_counter() - begun
    gc.enable()
    return took / len(requests) * 1e6
