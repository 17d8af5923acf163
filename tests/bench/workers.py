"""What a second worker brings: requests a second of `embargo run --workers 2` over those of `--workers 1`.

The load generator and the origin share the cores with the workers, so both are made to cost little: one thread that
asks without blocking, and answers of three bytes. What they take all the same is missing from the figure. So is what
other programs take: a round in which they took more than `QUIET` does not count.
"""

import contextlib
import errno
import os
import selectors
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress
from tests.bench.clients import REQUEST, WrongOutcome
from tests.bench.subjects import BIN, PATIENCE, REDIRECT, embargo, free_port

from embargo.journal.status import running

COUNTS = (1, 2)
ROUNDS = 9  # that count
MOST_ROUNDS = 16
SECONDS = 1.5  # a turn
QUIET = 0.15  # cores
CLIENTS = 32  # connections at a time: the kernel spreads them by hash, and few are spread badly
GOAL = 1.75


@dataclass(frozen=True)
class Turn:
    """What some workers did for `SECONDS`: requests that passed, each on a new connection."""

    rate: float  # requests a second
    cost: float  # CPU µs of the workers a request
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


def measure(directory: Path, http: int, https: int, origin: int, progress: Progress) -> Throughput:
    """Both in turns; *origin* is the pid of the origin's process. Raises WrongOutcome where a worker got no share."""
    found = Throughput()
    task = progress.add_task("two workers over one", total=ROUNDS)
    with contextlib.ExitStack() as stack:
        ports = {count: stack.enter_context(_crew(directory / str(count), count, http, https)) for count in COUNTS}
        pids = {count: _pids(directory / str(count)) for count in COUNTS}
        for port in ports.values():
            _rate(port, SECONDS)  # warm
        for number in range(MOST_ROUNDS):
            order = COUNTS if number % 2 else COUNTS[::-1]
            found.rounds.append({count: _turn(ports[count], pids[count], origin) for count in order})
            progress.update(task, completed=len(found.quiet))
            if len(found.quiet) == ROUNDS:
                break
        for count in COUNTS:
            passed = [status.part("flows")["passed"] for status in running(directory / str(count) / "run" / "embargo")]
            if len(passed) != count or min(passed) < sum(passed) / count / 3:
                raise WrongOutcome(f"{count} workers had unequal shares: {passed}")
            found.memory[count] = sum(map(_memory, pids[count]))
    return found


def _turn(port: int, pids: list[int], origin: int) -> Turn:
    workers, ours, busy = _cpu(pids), _cpu([os.getpid(), origin]), _busy()
    begun = time.perf_counter()
    rate = _rate(port, SECONDS)
    took = time.perf_counter() - begun
    workers, ours, busy = _cpu(pids) - workers, _cpu([os.getpid(), origin]) - ours, _busy() - busy
    return Turn(rate, workers / (rate * took) * 1e6, max(0.0, busy - workers - ours) / took)


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
        str(BIN / "embargo"), "run", "--workers", str(count), "--port", str(port),
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


def _rate(port: int, seconds: float) -> float:
    """Answers a second over *seconds*, each to a request on a connection of its own."""
    host = "site.innocent.test"
    request = REQUEST.format(target=f"http://{host}/", host=host).encode()
    answered = 0
    begun = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            _ask(selector, port)
        while (now := time.perf_counter()) < begun + seconds:
            for key, _ in selector.select(1.0):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                if key.events & selectors.EVENT_WRITE:
                    client.sendall(request)
                    selector.modify(client, selectors.EVENT_READ, b"")
                    continue
                piece = client.recv(65536)
                answer = key.data + piece
                if not answer.endswith(b"\r\n\r\nok\n"):
                    if not piece or not answer.startswith(b"HTTP/1.1 200 "):
                        raise WrongOutcome(f"{answer[:80]!r}")
                    selector.modify(client, selectors.EVENT_READ, answer)
                    continue
                selector.unregister(client)
                client.close()
                answered += 1
                _ask(selector, port)
        for key in list(selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
    return answered / (now - begun)


def _ask(selector: selectors.BaseSelector, port: int) -> None:
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if (code := client.connect_ex(("127.0.0.1", port))) not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))
    selector.register(client, selectors.EVENT_WRITE)


def lines(found: Throughput) -> list[str]:
    """The section of the report, in Markdown."""
    quiet = found.quiet
    valid = len(quiet) >= ROUNDS // 2
    rounds = quiet if valid else found.rounds
    ratios = sorted(each[2].rate / each[1].rate for each in rounds)
    low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
    others = statistics.median(turn.others for each in rounds for turn in each.values())
    cost = statistics.median(each[2].cost / each[1].cost for each in found.rounds)
    ratio = statistics.median(ratios)
    verdict = f"meets the goal of {GOAL}" if ratio >= GOAL else f"**misses the goal of {GOAL}**"
    if not valid:
        verdict = f"**not valid against the goal of {GOAL}**"
    rows = [
        f"| {count} | {statistics.median(each[count].rate for each in rounds):.0f} "
        f"| {statistics.median(each[count].cost for each in rounds):.0f} | {found.memory[count]:.0f} MB |"
        for count in COUNTS
    ]
    return [
        "### Two workers over one",
        "",
        f"`embargo run --workers`, plain http on new connections, {CLIENTS} at a time. Load generator and origin run",
        "on the same cores.",
        "",
        "| workers | requests a second | CPU µs a request | memory (PSS), supervisor included |",
        "| --- | ---: | ---: | ---: |",
        *rows,
        "",
        f"Two over one in the same round, {len(ratios)} rounds: **{ratio:.2f}** "
        f"({low:.2f}–{high:.2f}), while other programs took {others:.2f} cores; {verdict}.",
        f"In {len(found.rounds)} rounds a request took {cost:.2f} times the CPU of one worker's: sharing costs that.",
    ]
