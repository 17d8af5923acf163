"""Start-up, memory and reload, each against bare mitmdump or against the same proxy left alone."""

import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress
from tests.bench import clients
from tests.bench.subjects import Subject, bare, embargo

REPEATS = 3
ADDED = "added-by-the-reload.test"
_IDLE = 4.0  # seconds of probing before the reload, as its peer


@dataclass(frozen=True)
class Start:
    """Seconds to ready and megabytes, and what bare took in the same round."""

    name: str
    cold: float  # seconds over bare, nothing compiled yet
    warm: float | None  # seconds over bare with the compiled policy of the start before
    pss: float  # MB over bare
    peak: float  # MB over bare


@dataclass(frozen=True)
class Reload:
    """What a reload costs others: the slowest request while it ran, over the slowest while nothing did."""

    name: str
    in_effect: float  # seconds from the save
    slowest_idle: float  # milliseconds
    slowest: float  # milliseconds
    median_idle: float
    median: float


def measure(directory: Path, sizes: tuple[int, ...], http: int, https: int, progress: Progress) -> list[Start]:
    """Start-up of bare and of each size, interleaved; medians."""
    found = []
    task = progress.add_task("starting", total=len(sizes) * REPEATS)
    for size in sizes:
        cold, warm, pss, peak = [], [], [], []
        for number in range(REPEATS):
            base = _started(bare(directory / f"{size}-{number}"), http, https)
            home = directory / f"{size}-{number}"
            first = _started(embargo(home, size, "needed"), http, https)
            again = _started(embargo(home, size, "needed"), http, https)
            cold.append(first[0] - base[0])
            warm.append(again[0] - base[0])
            pss.append(first[1]["pss"] - base[1]["pss"])
            peak.append(first[1]["peak"] - base[1]["peak"])
            progress.advance(task)
        found.append(
            Start(
                f"{size:,} domains".replace(",", " "),
                statistics.median(cold),
                statistics.median(warm),
                statistics.median(pss),
                statistics.median(peak),
            )
        )
    return found


def _started(subject: Subject, http: int, https: int) -> tuple[float, dict[str, float]]:
    subject.start(http, https)
    try:
        clients.http_new(subject.port, lambda: "site.innocent.test", 20)
        return subject.ready_after, subject.memory()
    finally:
        subject.stop()


def measure_reload(directory: Path, sizes: tuple[int, ...], http: int, https: int, progress: Progress) -> list[Reload]:
    """Requests go on, one after another, while a policy of each size is replaced."""
    found = []
    task = progress.add_task("reloading", total=len(sizes))
    for size in sizes:
        subject = embargo(directory, size, "needed").start(http, https)
        try:
            found.append(_reload(subject, size))
        finally:
            subject.stop()
        progress.advance(task)
    return found


def _reload(subject: Subject, size: int) -> Reload:
    probe = _Probe(subject.port)
    probe.start()
    time.sleep(_IDLE)
    idle = probe.take()
    lists = subject.directory / "banned.txt"
    with lists.open("a") as file:
        file.write(f"{ADDED}\n")
    saved = time.monotonic()
    while not _is_refused(subject.port, ADDED):
        if time.monotonic() - saved > 60:
            raise clients.WrongOutcome("the reload did not take effect")
        time.sleep(0.02)
    in_effect = time.monotonic() - saved
    time.sleep(1.0)  # what a swap leaves behind is the reload's too
    during = probe.take()
    probe.stop()
    return Reload(
        f"{size:,} domains".replace(",", " "),
        in_effect,
        max(idle) * 1e3,
        max(during) * 1e3,
        statistics.median(idle) * 1e3,
        statistics.median(during) * 1e3,
    )


def _is_refused(port: int, host: str) -> bool:
    """Whether a request is answered with 403, or cut off: one that is open when the policy changes is closed."""
    with clients.connect(port) as client:
        try:
            return clients.exchange(client, clients.REQUEST.format(target=f"http://{host}/", host=host)) == 403
        except clients.Closed:
            return True


class _Probe(threading.Thread):
    """One request after another on a kept connection, each timed."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._times, self._lock, self._stopped = port, [0.0], threading.Lock(), threading.Event()
        self._times.clear()

    def run(self) -> None:
        request = clients.REQUEST.format(target="http://probe.innocent.test/", host="probe.innocent.test")
        with clients.connect(self._port) as client:
            while not self._stopped.is_set():
                begun = time.perf_counter()
                clients.expect(clients.exchange(client, request), 200)
                took = time.perf_counter() - begun
                with self._lock:
                    self._times.append(took)

    def take(self) -> list[float]:
        with self._lock:
            times, self._times = self._times, []
        return times

    def stop(self) -> None:
        self._stopped.set()
        self.join(10)
