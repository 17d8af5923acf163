"""Hours of a company's traffic in a few minutes: nothing fails that should not, nothing gets out, nothing grows.

`make test` takes the shortest run that can show it; `make soak` as long a one as it is told, and draws it.
"""

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.clock import Clock
from e2e.crew import Crew, is_gapless
from e2e.flood import allow_many_files
from e2e.origin import Origin
from e2e.process import open_files
from e2e.proxy import Proxy, field
from soak.report import write
from soak.samples import Life, Samples
from soak.story import POLICY, Story
from soak.traffic import BANNED, Traffic

SECONDS = float(os.environ.get("EMBARGO_SOAK_SECONDS", 60))
LONG = 300.0  # seconds from which on growth can be told from warming up
GROWTH = 1.10  # of a worker's memory, from the second fifth of its life to the last
QUIET = ("--set", "flow_detail=0", "--set", "termlog_verbosity=warn")
DYING = 2.0  # seconds after a kill in which clients may still learn of it
IDLE = 1000


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    origin = Origin(tmp_path / "origin").start()
    yield origin
    origin.stop()


@pytest.fixture
def crew(tmp_path: Path, origin: Origin, clock: Clock) -> Iterator[Crew]:
    """Two workers."""
    allow_many_files(16_384)
    proxy = Proxy(
        tmp_path / "proxy", POLICY, http=origin.http_port, https=origin.https_port, command="embargo",
        flags=["--workers", "2"], options=QUIET, after=[clock.script], environment=clock.environment,
    )  # fmt: skip
    yield Crew(proxy)
    proxy.stop()


def test_soak(crew: Crew, origin: Origin, clock: Clock) -> None:
    base = max(open_files(pid) for pid in crew.pids())
    story = Story(crew, clock, SECONDS)
    with Samples(crew) as samples:
        with Traffic(crew.proxy.port, each=1 if SECONDS < LONG else 2, idle=IDLE) as traffic:
            story.tell()
        crew.proxy.wait(lambda: all(not answer["connections"] for answer in crew.statuses()), "all to be closed")
        crew.proxy.wait(lambda: all(open_files(pid) <= base + 16 for pid in crew.pids()), "all files to be closed")
    seen = traffic.seen
    if "EMBARGO_SOAK_REPORT" in os.environ:
        write(Path(os.environ["EMBARGO_SOAK_REPORT"]), seen, samples.lives, story.events)

    assert seen.wrong == []
    kills = [event for event in story.events if "killed" in event.what]
    unexplained = [cut for cut in seen.cut if not any(kill.began <= cut[0] <= kill.ended + DYING for kill in kills)]
    assert unexplained == [], "no connection ends but those of the workers that were killed"
    assert BANNED not in origin.hosts
    assert {kind for _, kind, _, _ in seen.answers} >= {"HTTP/2", "WebSocket", "upload", "curl", "block page"}

    crew.proxy.wait(lambda: all(answer["log"]["queue"] == 0 for answer in crew.statuses()), "the logs to be written")
    assert all(answer["log"]["lost"] == 0 for answer in crew.statuses())
    assert all(is_gapless(chain) for chain in crew.chains().values())
    blocked = sum(field(record, "embargo.verdict") == "block" for record in crew.proxy.records())
    refused = [when for when, _, _, refused in seen.answers if refused]
    in_doubt = sum(any(kill.began - 1 <= when <= kill.ended for kill in kills) for when in refused)
    assert blocked >= len(refused) - in_doubt, "each refusal has its record"
    if SECONDS >= LONG:
        assert [life for life in samples.lives if grows(life)] == []


def grows(life: Life) -> bool:
    """Whether the memory of a worker that lived long enough to tell rose for good."""
    fifth = len(life.memory) // 5
    if life.times[-1] - life.times[0] < LONG / 2:
        return False
    return statistics.median(life.memory[-fifth:]) > GROWTH * statistics.median(life.memory[fifth : 2 * fifth])
