"""The store's figures: how fast it is filled and built anew, and what its questions take.

python -m tests.bench storing --records 1000000          in a temporary directory
python -m tests.bench storing --records 10000000 --place /var/tmp/bench
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.progress import Progress
from tests.generated_log import END, written

from embargo.journal.query import Query, parse_query, split_terms
from embargo.journal.store import Dimension, Key, Store, filling
from embargo.journal.store.recent import Recent

_ROUNDS = 40
_PAUSE = 0.01  # seconds between two questions, in which the clock's other users come and go
GOAL = 200.0  # milliseconds, at the 95th percentile, of `MEASURED`
MEASURED = {  # of the goal: the question's name
    "overview": ("overview of all, by day", "overview of 7 days, by hour", "overview of what was blocked"),
    "filter by client": ("count and page, one client", "count and page, a network"),
    "search *weixin*": ("count and page, `host:*weixin*`",),
    "page 1,000": ("page 1,000",),
}
_LONGEST = 20_000.0  # milliseconds for one question's rounds
_MOST_FILLED = 2_000_000  # records; more are built at once
_YEAR = 10_000_000  # records: as dense are fewer


@dataclass(frozen=True)
class Stored:
    """Figures for one size."""

    records: int
    ingest: float  # records per second of CPU
    rebuild: float  # records per second of CPU
    size: int  # bytes of the database
    answers: dict[str, "Times"]


@dataclass(frozen=True)
class Times:
    """Of one question, milliseconds: wall time, and CPU of this process, which other programs do not lengthen."""

    median: float
    high: float  # 95th percentile
    cpu_median: float
    cpu_high: float


def measure(directory: Path, records: int, progress: Progress) -> Stored:
    """Fills a store under *directory* with *records* and asks it."""
    log = directory / "log"
    store = Store.open(log) if log.is_dir() else None
    if store is None:
        task = progress.add_task(f"writing {records:,} records", total=records // 200_000)
        for _ in written(log, records, days=max(1, round(365 * records / _YEAR))):
            progress.advance(task)
        store = Store.open(log)
    ingest = 0.0
    if records <= _MOST_FILLED:
        filling._BUILT_FROM = 1 << 60  # as it goes on, not as it is built
        task = progress.add_task("filling the store", total=None)
        began = time.process_time()
        caught = store.catch_up(lambda done, total: progress.update(task, completed=done, total=total))
        ingest = caught.records / (time.process_time() - began)
    task = progress.add_task("building it anew", total=None)
    began = time.process_time()
    again = store.rebuild(lambda done, total: progress.update(task, completed=done, total=total))
    rebuild = again.records / (time.process_time() - began)
    answers = {name: _timed(store, question, progress, name) for name, question in questions(store).items()}
    return Stored(again.records, ingest, rebuild, store.status().size, answers)


def questions(store: Store) -> dict[str, Callable[[], object]]:
    """What is asked of it, by name."""
    snapshot = store.snapshot()
    year = Query()
    week = parse_query(["since:7d"], END)
    blocked = parse_query(["class:blocked"], END)
    client = parse_query(["client:10.0.0.1"], END)
    network = parse_query(["client:10.0.1.0/24"], END)
    search = parse_query(split_terms("host:*weixin*"), END)
    rare = parse_query(["weixin", "client:10.0.9.7", "class:allowed"], END)
    deep = _key_of_page(store, year, snapshot, 1000, 50)

    def overview(query: Query, bucket: timedelta) -> None:
        store.series(query, snapshot, bucket)
        for dimension in (Dimension.APP, Dimension.CLIENT, Dimension.HOST, Dimension.RULE, Dimension.AUTHORITY):
            store.top(query, snapshot, dimension)

    def listing(query: Query, key: Key | None = None) -> None:
        store.count(query, snapshot)
        store.page(query, snapshot, after=key)

    return {
        "overview of all, by day": lambda: overview(year, timedelta(days=1)),
        "overview of 7 days, by hour": lambda: overview(week, timedelta(hours=1)),
        "overview of what was blocked": lambda: overview(blocked, timedelta(days=1)),
        "count and page, one client": lambda: listing(client),
        "count and page, a network": lambda: listing(network),
        "count and page, `host:*weixin*`": lambda: listing(search),
        "page, `host:*weixin*`": lambda: store.page(search, snapshot),
        "count and page, three terms": lambda: listing(rare),
        "page 1": lambda: store.page(year, snapshot),
        "page 1,000": lambda: store.page(year, snapshot, after=deep),
        "page 1, folded": lambda: store.page(year, snapshot, fold=True),
        "overview of one client": lambda: overview(client, timedelta(days=1)),
        "devices of 30 days": lambda: store.devices(parse_query(["since:30d"], END), snapshot),
        "devices of all": lambda: store.devices(year, snapshot),
        "one record's row": lambda: store.find(store.page(year, snapshot, limit=1).rows[0].id or ""),
    }


def _key_of_page(store: Store, query: Query, snapshot: int, page: int, limit: int) -> Key | None:
    key: Key | None = None
    for _ in range(page - 1):
        key = store.page(query, snapshot, after=key, limit=limit).next
        if key is None:
            break
    return key


def _timed(store: Store, question: Callable[[], object], progress: Progress, name: str) -> Times:
    task = progress.add_task(name, total=_ROUNDS)
    took, cpu = [], []
    for _ in range(_ROUNDS):
        store._recent = Recent()  # what was counted is forgotten, so that it is counted again
        time.sleep(_PAUSE)
        began, used = time.perf_counter(), time.process_time()
        question()
        took.append((time.perf_counter() - began) * 1000)
        cpu.append((time.process_time() - used) * 1000)
        progress.advance(task)
        if sum(took) > _LONGEST:
            break
    progress.remove_task(task)
    return Times(statistics.median(took), _high(took), statistics.median(cpu), _high(cpu))


def _high(took: list[float]) -> float:
    return sorted(took)[max(0, math.ceil(len(took) * 0.95) - 1)]


def lines(stored: Stored) -> list[str]:
    """The figures as Markdown."""
    filled = f"Filled at {stored.ingest:,.0f} records/s, b" if stored.ingest else "B"
    return [
        f"### The store, {stored.records:,} records",
        "",
        f"{filled}uilt anew at {stored.rebuild:,.0f} records/s of one core's CPU; {stored.size / 1e6:,.0f} MB.",
        "",
        "| question | median | 95th percentile | CPU, median | CPU, 95th percentile |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {each.median:.1f} ms | {each.high:.1f} ms "
            f"| {each.cpu_median:.1f} ms | {each.cpu_high:.1f} ms |"
            for name, each in stored.answers.items()
        ),
        "",
        *(
            f"{goal}: p95 {max(stored.answers[name].high for name in names):.0f} ms, "
            f"of it CPU {max(stored.answers[name].cpu_high for name in names):.0f} ms (goal {GOAL:.0f} ms)"
            for goal, names in MEASURED.items()
        ),
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--place", type=Path, help="directory for log and store; one that is there is asked again")
    chosen = parser.parse_args(arguments)
    with Progress() as progress, tempfile.TemporaryDirectory(prefix="embargo-store-") as place:
        stored = measure(chosen.place or Path(place), chosen.records, progress)
    print("\n".join(lines(stored)))


if __name__ == "__main__":
    main()
