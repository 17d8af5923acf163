"""What a busy console costs the proxy beside it: the proxy's latency with fifty people at the console, and without.

Both in turns within one run, and a second turn without as the machine's own noise. The people's programs run on the
same machine, at the least priority; elsewhere they would take nothing of it.

python -m tests.bench console --records 200000 --rounds 10
"""

import argparse
import http.client
import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import clients
from tests.bench.subjects import ROOT, Subject, embargo_run
from tests.e2e.origin import make_certificate
from tests.generated_log import END, generate

from embargo.journal.store import Store
from embargo.priority import give_way

PEOPLE = 50
WORDS = ("without", "with", "without, again")
_REQUESTS = 200  # a turn: new connection, CONNECT, TLS, one request each
_PAUSE = 1.0  # seconds between two requests of one of them
_PATHS = (
    "/",
    "/?q=since:30d",
    "/log",
    "/log?q=client:10.0.0.1",
    "/log?q=host:*weixin*",
    "/log?q=class:blocked+since:7d",
    "/api/v1/records?q=app:wechat&limit=50",
)


@dataclass
class Turns:
    """What the turns of one kind found."""

    latencies: list[list[float]] = field(default_factory=list)  # milliseconds, by round
    cost: list[float] = field(default_factory=list)  # CPU µs of the proxy a request, by round

    def at(self, share: float) -> list[float]:
        """That percentile of each round."""
        return [sorted(each)[int(len(each) * share)] for each in self.latencies]


@dataclass(frozen=True)
class Beside:
    """All turns, and what the people got meanwhile."""

    turns: dict[str, Turns]
    answers: int
    failed: int
    slowest: float  # seconds


def measure(directory: Path, records: int, rounds: int) -> Beside:
    """Raises WrongOutcome where a request of the proxy's clients did not pass."""
    log = directory / "log"
    generate(log, records, days=max(1, records // 27_000))
    store = Store.open(log)
    store.catch_up()
    store.close()
    turns = {word: Turns() for word in WORDS}
    with _origin(directory) as (http_port, https_port), _people(directory, log) as crowd:
        subject = embargo_run(directory / "proxy", 10_000, "all").start(http_port, https_port)
        try:
            _turn(subject, Turns())  # warm
            for number in range(rounds):
                for word in (WORDS, (WORDS[1], WORDS[2], WORDS[0]), WORDS[::-1])[number % 3]:
                    crowd.ask(word == "with")
                    _turn(subject, turns[word])
        finally:
            subject.stop()
        return Beside(turns, *crowd.end())


def _turn(subject: Subject, turns: Turns) -> None:
    names = (f"site{number}.innocent.test" for number in itertools.count())
    took = []
    cpu = subject.cpu()
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        clients.https_new(subject.port, lambda: next(names), 1)
        took.append((time.perf_counter() - began) * 1000)
    turns.cost.append((subject.cpu() - cpu) / _REQUESTS * 1e6)
    turns.latencies.append(took)


class _Crowd:
    """The people's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, on: bool) -> None:
        """Let them ask, or rest; returns when they do."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("go\n" if on else "rest\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def end(self) -> tuple[int, int, float]:
        """Answers, failures, the slowest answer in seconds."""
        said, _ = self._process.communicate()
        answers, failed, slowest = said.split()
        return int(answers), int(failed), float(slowest)


@contextmanager
def _people(directory: Path, log: Path) -> Iterator[_Crowd]:
    server = [sys.executable, "-m", "tests.bench.console_server", str(directory / "console"), str(log), END.isoformat()]
    console = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert console.stdout is not None
        port, cookie = console.stdout.readline().split()
        command = [sys.executable, "-m", "tests.bench.consoling", port, cookie]
        people = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            yield _Crowd(people)
        finally:
            if people.poll() is None:
                people.communicate()
    finally:
        console.communicate()


@contextmanager
def _origin(directory: Path) -> Iterator[tuple[int, int]]:
    certificate, key = make_certificate(directory / "origin")
    command = [sys.executable, "-m", "tests.bench.origin", str(certificate), str(key)]
    origin = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert origin.stdout is not None
        http_port, https_port = map(int, origin.stdout.readline().split())
        yield http_port, https_port
    finally:
        origin.communicate("")


def people(port: int, cookie: str) -> None:
    """Fifty that ask the console while they are told to: "go" and "rest" on standard input, each answered when done."""
    give_way()  # people have machines of their own
    going, ended, idle = threading.Event(), threading.Event(), threading.Semaphore(0)
    found: list[tuple[bool, float]] = []

    def person(number: int) -> None:
        paths = itertools.cycle(_PATHS[number % len(_PATHS) :] + _PATHS[: number % len(_PATHS)])
        while not ended.is_set():
            if not going.is_set():
                idle.release()
                going.wait()
                continue
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", next(paths), headers={"Cookie": cookie})
                answer = connection.getresponse()
                answer.read()
                found.append((answer.status == 200, time.monotonic() - began))
                connection.close()
            except OSError:
                found.append((False, time.monotonic() - began))
            ended.wait(max(0.0, _PAUSE - (time.monotonic() - began)))

    threads = [threading.Thread(target=person, args=(number,), daemon=True) for number in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for _ in threads:
        idle.acquire()
    for line in sys.stdin:
        if line.strip() == "go":
            going.set()
        elif going.is_set():
            going.clear()
            for _ in threads:
                idle.acquire()
        print("done", flush=True)
    ended.set()
    going.set()
    times = [took for _, took in found]
    print(len(found), sum(not right for right, _ in found), max(times, default=0.0), flush=True)


def lines(beside: Beside, records: int) -> list[str]:
    """The figures as Markdown."""
    bare = beside.turns["without"]
    made = [
        f"### The proxy beside a busy console, {records:,} records",
        "",
        f"{PEOPLE} people, one request a second each where the console keeps up: {beside.answers:,} answers, "
        f"{beside.failed} failed, the slowest after {beside.slowest:.1f} s.",
        "",
        "| console | p50 | ratio | p99 | ratio | CPU of the proxy a request | ratio |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for word, turns in beside.turns.items():
        cells = []
        for mine, other, unit in (
            (turns.at(0.5), bare.at(0.5), "ms"),
            (turns.at(0.99), bare.at(0.99), "ms"),
            (turns.cost, bare.cost, "µs"),
        ):
            ratios = sorted(one / two for one, two in zip(mine, other, strict=True))
            middle = (
                f"{statistics.median(mine):.1f} {unit}" if unit == "ms" else f"{statistics.median(mine):.0f} {unit}"
            )
            low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
            cells += [middle, f"{statistics.median(ratios):.2f} ({low:.2f}–{high:.2f})" if turns is not bare else ""]
        made.append(f"| {word} | {' | '.join(cells)} |")
    return made


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embargo-console-") as place:
        print("\n".join(lines(measure(Path(place), chosen.records, chosen.rounds), chosen.records)))


if __name__ == "__main__":
    people(int(sys.argv[1]), sys.argv[2])
