"""What one round measures: CPU of the proxy process per operation, as a ratio to its peer in the same round.

Subjects take turns within a round and the order rotates, so that a machine whose speed drifts drifts for all.
"""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.progress import Progress
from tests.bench import clients
from tests.bench.subjects import Subject, banned_name

FEW, MANY = 8, 2000


@dataclass(frozen=True)
class Operation:
    """One kind of traffic, done *count* times a round by each subject that it fits."""

    name: str
    count: int
    run: Callable[[Subject, int], None]
    fits: Callable[[Subject], bool]
    peer: str = "bare"  # the subject and operation that it is compared with
    peer_operation: str = ""  # the same operation where empty
    refused: bool = False


@dataclass
class Figures:
    """CPU microseconds per operation, a figure a round."""

    operation: Operation
    subject: str
    domains: int | None
    microseconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)


def _few() -> Callable[[], str]:
    names = itertools.cycle([f"site{number}.innocent.test" for number in range(FEW)])
    return lambda: next(names)


def _many() -> Callable[[], str]:
    numbers = itertools.cycle(range(MANY))
    return lambda: f"site{next(numbers)}.many{random.randrange(7)}.innocent.test"


def _banned(subject: Subject) -> Callable[[], str]:
    most = min(subject.domains or 10, 10_000)
    return lambda: banned_name(random.randrange(most))


def _intercepts(subject: Subject) -> bool:
    return subject.domains is None or subject.name.endswith("all")


def _is_embargo(subject: Subject) -> bool:
    return subject.domains is not None


def _tunnels(subject: Subject) -> bool:
    return subject.name == "bare" or subject.name.endswith("needed")


FEW_HOSTS, MANY_HOSTS = _few(), _many()

OPERATIONS = (
    Operation("http, kept connection", 60, lambda s, n: clients.http_kept(s.port, FEW_HOSTS, n), _intercepts),
    Operation("http, new connection", 30, lambda s, n: clients.http_new(s.port, FEW_HOSTS, n), _intercepts),
    Operation(
        "https intercepted, few hosts",
        16,
        lambda s, n: clients.https_new(s.port, FEW_HOSTS, n, issuer=b"mitmproxy"),
        _intercepts,
    ),
    Operation(
        "https intercepted, 2 000 hosts",
        16,
        lambda s, n: clients.https_new(s.port, MANY_HOSTS, n, issuer=b"mitmproxy"),
        _intercepts,
    ),
    Operation(
        "https tunnelled (decrypt: needed)",
        16,
        lambda s, n: clients.https_new(s.port, FEW_HOSTS, n, issuer=b"!mitmproxy" if s.domains else None),
        _tunnels,
    ),
    Operation(
        "refused CONNECT, logged",
        30,
        lambda s, n: clients.connect_refused(s.port, _banned(s), n),
        _is_embargo,
        peer_operation="https intercepted, few hosts",
        refused=True,
    ),
    Operation(
        "refused CONNECT by block_list (inside TLS)",
        16,
        lambda s, n: clients.connect_blocked_inside(s.port, _banned(s), n),
        lambda s: s.name == "block_list",
        peer_operation="https intercepted, few hosts",
    ),
    Operation(
        "refused http, kept connection, logged",
        60,
        lambda s, n: clients.http_kept(s.port, _banned(s), n, wanted=403),
        _is_embargo,
        peer_operation="http, kept connection",
        refused=True,
    ),
    Operation(
        "refused http by block_list",
        60,
        lambda s, n: clients.http_kept(s.port, _banned(s), n, wanted=403),
        lambda s: s.name == "block_list",
        peer_operation="http, kept connection",
    ),
)


def measure(
    subjects: list[Subject],
    operations: list[Operation],
    rounds: int,
    origin_connections: Callable[[], int],
    progress: Progress,
) -> list[Figures]:
    """The figures of every operation and subject over *rounds*, checked for leaks and missing records."""
    figures = {
        (operation.name, subject.name): Figures(operation, subject.name, subject.domains)
        for operation in operations
        for subject in subjects
        if operation.fits(subject)
    }
    refused = dict.fromkeys((subject.name for subject in subjects), 0)
    task = progress.add_task("measuring", total=(rounds + 1) * len(figures))
    for number in range(rounds + 1):  # the first warms up and does not count
        costs: dict[tuple[str, str], float] = {}
        order = subjects[number % len(subjects) :] + subjects[: number % len(subjects)]
        for operation in operations:
            for subject in order:
                if not operation.fits(subject):
                    continue
                before = origin_connections() if operation.refused else 0
                cpu = subject.cpu()
                operation.run(subject, operation.count)
                costs[operation.name, subject.name] = (subject.cpu() - cpu) / operation.count * 1e6
                if operation.refused:
                    refused[subject.name] += operation.count
                    leaked = origin_connections() - before
                    if leaked:
                        raise clients.WrongOutcome(f"{subject.name}: {leaked} connections leaked in {operation.name}")
                progress.advance(task)
        if number:
            for (name, subject_name), cost in costs.items():
                figure = figures[name, subject_name]
                figure.microseconds.append(cost)
                peer = costs.get((figure.operation.peer_operation or name, figure.operation.peer))
                if peer is not None:
                    figure.ratios.append(cost / peer)
    _check_records(subjects, refused)
    return list(figures.values())


def _check_records(subjects: list[Subject], refused: dict[str, int]) -> None:
    """Each refusal has its record. The writer flushes within 0.2 s; waiting for it is bounded."""
    for subject in subjects:
        if subject.domains is None:
            continue
        deadline = time.monotonic() + 10
        while (found := subject.records()) < refused[subject.name] and time.monotonic() < deadline:
            time.sleep(0.05)
        if found != refused[subject.name]:
            raise clients.WrongOutcome(f"{subject.name}: {refused[subject.name]} refusals, {found} records")
