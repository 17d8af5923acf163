"""What a second worker brings: requests a second of `embargo run --workers 2` over those of `--workers 1`.

The load generator and the origin share the cores with the workers, so both are programs in C that take little: wrk,
and an HAProxy that answers by itself. What they take all the same is missing from the figure, and shown beside it. So
is what other programs take: a round in which they took more than `QUIET` does not count.
"""

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress
from tests.bench.clients import WrongOutcome
from tests.bench.subjects import BIN, PATIENCE, REDIRECT, embargo, free_port

from embargo.journal.status import running

COUNTS = (1, 2)
ROUNDS = 24  # that count
MOST_ROUNDS = 40
SECONDS = 1  # a turn: short, since shared machines change speed from one second to the next
QUIET = 0.15  # cores
CLIENTS = 64  # connections at a time: the kernel spreads them by hash, and few are spread badly
GOAL = 1.75
HOST = "site.innocent.test"
REQUEST = f"""
request = function()
  return "GET http://{HOST}/ HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n"
end
"""
ORIGIN = """
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend origin
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string ok
"""


@dataclass(frozen=True)
class Turn:
    """What some workers did for `SECONDS`: requests that passed, each on a new connection."""

    rate: float  # requests a second
    cost: float  # CPU µs of the workers a request
    load: float  # cores that wrk and the origin took
    others: float  # cores that other programs took


@dataclass
class Throughput:
    """Rounds, each with a turn of every number of workers."""

    rounds: list[dict[int, Turn]] = field(default_factory=list)
    memory: dict[int, float] = field(default_factory=dict)  # MB (PSS) of workers and supervisor together

    @property
    def quiet(self) -> list[dict[int, Turn]]:
        """Those in which nobody else took much."""
        return [each for each in self.rounds if all(turn.others <= QUIET for turn in each.values())]


def measure(directory: Path, https: int, progress: Progress) -> Throughput:
    """Both in turns. Raises WrongOutcome where a worker got no share or a request did not pass."""
    found = Throughput()
    task = progress.add_task("two workers over one", total=ROUNDS)
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "request.lua"
    script.write_text(REQUEST)
    with contextlib.ExitStack() as stack:
        http, origin = stack.enter_context(_origin(directory))
        ports = {count: stack.enter_context(_crew(directory / str(count), count, http, https)) for count in COUNTS}
        pids = {count: _pids(directory / str(count)) for count in COUNTS}
        for port in ports.values():
            _ask(port, script)  # warm
        for number in range(MOST_ROUNDS):
            order = COUNTS if number % 2 else COUNTS[::-1]
            found.rounds.append({count: _turn(ports[count], pids[count], origin, script) for count in order})
            progress.update(task, completed=len(found.quiet))
            if len(found.quiet) == ROUNDS:
                break
        for count in COUNTS:
            passed = [status.part("flows")["passed"] for status in running(directory / str(count) / "run" / "embargo")]
            if len(passed) != count or min(passed) < sum(passed) / count / 3:
                raise WrongOutcome(f"{count} workers had unequal shares: {passed}")
            found.memory[count] = sum(map(_memory, pids[count]))
    return found


def _turn(port: int, pids: list[int], origin: int, script: Path) -> Turn:
    begun = time.perf_counter()
    workers, served, busy = _cpu(pids), _cpu([origin]), _busy()
    answered, asking = _ask(port, script)
    took = time.perf_counter() - begun
    workers, load, busy = _cpu(pids) - workers, _cpu([origin]) - served + asking, _busy() - busy
    return Turn(answered / took, workers / answered * 1e6, load / took, max(0.0, busy - workers - load) / took)


def _ask(port: int, script: Path) -> tuple[int, float]:
    """wrk for `SECONDS`: how many requests passed, and the CPU seconds that it took. Raises WrongOutcome."""
    command = [
        "wrk",
        "-t",
        "1",
        "-c",
        str(CLIENTS),
        "-d",
        f"{SECONDS}s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}/",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    answered = re.search(r"(\d+) requests in", printed)
    if process.returncode or answered is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise WrongOutcome(printed)
    return int(answered[1]), used.ru_utime + used.ru_stime


@contextlib.contextmanager
def _origin(directory: Path) -> Iterator[tuple[int, int]]:
    """Port and pid of an HAProxy that answers every request by itself."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("wrk") is None:
        raise RuntimeError("tools/install-test-tools wrk installs what this needs")
    port = free_port()
    configuration = directory / "origin.cfg"
    configuration.write_text(ORIGIN.format(port=port))
    process = subprocess.Popen([program, "-db", "-f", str(configuration)])
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _cpu(pids: list[int]) -> float:
    """CPU seconds of the processes."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def _busy() -> float:
    """CPU seconds of the whole machine, idle ones left out."""
    user, nice, system, _, _, interrupts, soft, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + interrupts + soft + steal) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _crew(home: Path, count: int, http: int, https: int) -> Iterator[int]:
    """The port of *count* workers that enforce a policy of ten domains."""
    subject = embargo(home, 10, "all")
    port = free_port()
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "EMBARGO_TEST_HTTP": str(http),
        "EMBARGO_TEST_HTTPS": str(https),
    }
    command = [
        str(BIN / "embargo"), "run", "--no-console", "--workers", str(count), "--port", str(port),
        "--policy", str(subject.directory / "domains.yaml"), "--log", str(home / "log"),
        "--", "-q", "--set", f"confdir={home / 'conf'}", "-s", str(REDIRECT),
    ]  # fmt: skip
    said = home / "output.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    (home / "pid").write_text(str(process.pid))
    try:
        begun = time.monotonic()
        while "embargo: ready" not in said.read_text():
            if process.poll() is not None or time.monotonic() - begun > PATIENCE:
                raise RuntimeError(f"{count} workers did not start:\n{said.read_text()}")
            time.sleep(0.02)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pids(home: Path) -> list[int]:
    """Of the supervisor and its workers."""
    workers = [status.pid for status in running(home / "run" / "embargo") if status.pid is not None]
    return [int((home / "pid").read_text()), *workers]


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def lines(found: Throughput) -> list[str]:
    """The section of the report, in Markdown."""
    quiet = found.quiet
    valid = len(quiet) >= ROUNDS // 2
    rounds = quiet if valid else found.rounds
    ratios = sorted(each[2].rate / each[1].rate for each in rounds)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    others = statistics.median(turn.others for each in rounds for turn in each.values())
    load = {count: statistics.median(each[count].load for each in rounds) for count in COUNTS}
    cost = statistics.median(each[2].cost / each[1].cost for each in found.rounds)
    ratio = statistics.median(ratios)
    verdict = f"meets the goal of {GOAL}" if ratio >= GOAL else f"**misses the goal of {GOAL}**"
    if not valid:
        verdict = f"**not valid against the goal of {GOAL}**"
    rows = [
        f"| {count} | {statistics.median(each[count].rate for each in rounds):.0f} "
        f"| {statistics.median(each[count].cost for each in rounds):.0f} | {load[count]:.2f} "
        f"| {found.memory[count]:.0f} MB |"
        for count in COUNTS
    ]
    return [
        "### Two workers over one",
        "",
        f"`embargo run --workers`, plain http on new connections, {CLIENTS} at a time. Load generator (wrk) and origin",
        "(HAProxy) run on the same cores.",
        "",
        "| workers | requests a second | CPU µs a request | cores of wrk, HAProxy | memory (PSS), supervisor too |",
        "| --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        f"Two over one in the same round, {len(ratios)} rounds: **{ratio:.2f}** "
        f"({low:.2f}–{high:.2f}), while other programs took {others:.2f} cores; {verdict}.",
        f"In {len(found.rounds)} rounds a request took {cost:.2f} times the CPU of one worker's: sharing costs that.",
    ]
