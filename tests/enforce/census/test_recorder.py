"""The census of a process: what counts once, when it is written, what a disk that fails costs."""

import gc
import re
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from mitmproxy.test import tflow

from embargo.core.decide import decide
from embargo.core.decision import PASS
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.seen import Seen
from embargo.enforce.census import recorder
from embargo.enforce.census.recorder import Census
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate
from embargo.traffic.census import FEWEST_CLIENTS, read
from sample import NOW, app, policy, request, rule

BEGIN = datetime(2026, 11, 24, 10, 20, tzinfo=UTC)
SEVERAL = 12  # clients: enough for a name, should the marks of a few of them meet


class Clock:
    """A time that is set."""

    def __init__(self) -> None:
        self.time = BEGIN

    def __call__(self) -> datetime:
        return self.time


def connection(number: int = 0) -> Connection:
    return Connection(tflow.tclient_conn(), ip_address(0x0A000000 + number))


def census(directory: Path, clock: Callable[[], datetime] | None = None) -> Census:
    made = Census(directory, now=clock or Clock())
    made.follow(True)
    return made


def found(directory: Path) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for seen in read(directory):
        assert isinstance(seen, Seen)
        counted[seen.request, f"{seen.time:%dT%H}" + (f" {seen.surface}" if seen.surface else "")] += seen.count
    return counted


def names(*pairs: tuple[Source, str], surface: Surface) -> Request:
    return Request(surface=surface, time=NOW, names=tuple(Name.parse(source, text, 443) for source, text in pairs))


CONNECT = names((Source.CONNECT, "www.example.com"), surface=Surface.CONNECT)
TLS = names((Source.CONNECT, "www.example.com"), surface=Surface.TLS)
HTTP = names((Source.CONNECT, "www.example.com"), surface=Surface.HTTP)
BY_ADDRESS = names((Source.CONNECT, "192.0.2.1"), surface=Surface.CONNECT)
SNI = names((Source.CONNECT, "192.0.2.1"), (Source.SNI, "www.example.com"), surface=Surface.TLS)
INSIDE = names((Source.CONNECT, "a.example"), (Source.HOST, "www.example.com"), surface=Surface.HTTP)
DNS = names((Source.QUESTION, "www.example.com"), surface=Surface.DNS)

COUNTS = {  # case: (requests of one connection, how often www.example.com counts)
    "a tunnel that stays closed": ([CONNECT, TLS], 1),
    "a tunnel that is opened, with one request": ([CONNECT, TLS, HTTP], 1),
    "with three requests": ([CONNECT, TLS, HTTP, HTTP, HTTP], 3),
    "a tunnel by address, with a server name": ([BY_ADDRESS, SNI], 1),
    "no tunnel": ([HTTP, HTTP], 2),
    "TLS without a tunnel": ([names((Source.SNI, "www.example.com"), surface=Surface.TLS), HTTP], 1),
    "QUIC looked at twice": ([names((Source.SNI, "www.example.com"), surface=Surface.QUIC)] * 2, 1),
    "a raw stream of many messages": (
        [CONNECT, *[names((Source.CONNECT, "www.example.com"), surface=Surface.TCP)] * 9],
        1,
    ),
    "another host inside": ([names((Source.CONNECT, "a.example"), surface=Surface.CONNECT), INSIDE, INSIDE], 2),
    "a WebSocket": ([CONNECT, names((Source.CONNECT, "www.example.com"), surface=Surface.WEBSOCKET)], 1),
    "nothing that is a host": ([names((Source.HOST, "a b"), surface=Surface.HTTP)], 0),
    "no name": ([names(surface=Surface.TCP)], 0),
}


@pytest.mark.parametrize(("flow", "times"), COUNTS.values(), ids=COUNTS)
def test_what_counts(tmp_path: Path, flow: list[Request], times: int) -> None:
    made = census(tmp_path)
    for number in range(SEVERAL):
        one = connection(number)
        for each in flow:
            made.passed(one, each)
    made.store()
    assert found(tmp_path)["www.example.com", "24T10"] == times * SEVERAL


def test_questions_of_dns_stand_apart_and_reverse_ones_nowhere(tmp_path: Path) -> None:
    made = census(tmp_path)
    for number in range(SEVERAL):
        one = connection(number)
        for each in (DNS, DNS, CONNECT, names((Source.QUESTION, "7.2.0.192.in-addr.arpa"), surface=Surface.DNS)):
            made.passed(one, each)
    made.store()
    assert found(tmp_path) == {
        ("www.example.com", "24T10 dns"): 2 * SEVERAL,
        ("www.example.com", "24T10"): SEVERAL,
    }


def test_clients_are_estimated_and_a_host_of_few_loses_its_name_and_hour(tmp_path: Path) -> None:
    made = census(tmp_path)
    for number in range(100):
        made.passed(connection(number), request("www.example.com"))
    for _ in range(3):
        made.passed(connection(1), request("alice.example.com"))
    made.store()
    rows = [seen for seen in read(tmp_path) if isinstance(seen, Seen)]
    assert [(row.request, row.count, row.time) for row in rows] == [
        ("www.example.com", 100, BEGIN.replace(minute=0)),
        ("example.com", 3, BEGIN.replace(hour=0, minute=0)),
    ]
    assert rows[0].clients is not None
    assert 70 <= rows[0].clients <= 130, "six standard errors"
    assert rows[1].clients is None
    assert b"alice" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_client_behind_a_front_proxy_is_its_own(tmp_path: Path) -> None:
    made, one = census(tmp_path), connection()
    for number in range(100):
        one.client = ip_address(0x0A000000 + number)
        made.passed(one, request("www.example.com"))
    made.store()
    (row,) = read(tmp_path)
    assert isinstance(row, Seen)
    assert row.clients is not None
    assert row.clients > 80


def test_hours_and_days(tmp_path: Path) -> None:
    clock = Clock()
    made = census(tmp_path, clock)

    def met() -> None:
        for number in range(SEVERAL):
            made.passed(connection(number), request("www.example.com"))
        made.passed(connection(), request("rare.example.org"))

    for step in (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=1), timedelta(days=1)):
        met()
        made.store()  # in the middle of an hour
        made.store()  # changes nothing
        clock.time += step
        made.store()
    assert found(tmp_path) == {
        ("www.example.com", "24T10"): 2 * SEVERAL,
        ("www.example.com", "24T11"): SEVERAL,
        ("www.example.com", "24T12"): SEVERAL,
        ("example.org", "24T00"): 4,
    }
    assert sorted(path.name[:12] for path in tmp_path.iterdir()) == [
        *("20261124T10Z", "20261124T11Z", "20261124T12Z"),
        min(path.name for path in tmp_path.iterdir() if "T" not in path.name)[:12],
    ]


def test_a_clock_that_is_set_back_overwrites_nothing(tmp_path: Path) -> None:
    clock = Clock()
    made = census(tmp_path, clock)
    for step in (2, -2, 1):
        for number in range(SEVERAL):
            made.passed(connection(number), request("www.example.com"))
        made.store()
        clock.time += timedelta(hours=step)
        made.store()
    assert sum(found(tmp_path).values()) == 3 * SEVERAL


def test_off_counts_nothing_drops_what_is_in_memory_and_deletes_what_is_old(tmp_path: Path) -> None:
    clock = Clock()
    made = census(tmp_path, clock)

    def met() -> None:
        for number in range(SEVERAL):
            made.passed(connection(number), request("www.example.com"))

    met()
    made.store()
    met()
    made.follow(False)
    met()
    made.store()
    assert made.state() is None
    assert found(tmp_path) == {("www.example.com", "24T10"): SEVERAL}
    made.follow(True)
    met()
    made.store()
    assert found(tmp_path) == {("www.example.com", "24T10"): 2 * SEVERAL}, "in a file of its own"
    made.follow(False)
    clock.time += timedelta(days=31)
    made.store()
    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_stays_open_keeps_nothing_of_an_hour_that_is_over(tmp_path: Path) -> None:
    """Neither the key by which clients were told apart nor the memory of what was counted."""
    clock = Clock()
    made = census(tmp_path, clock)
    long = connection()
    made.passed(long, request("www.example.com"))
    counted = weakref.ref(made._tally)
    clock.time += timedelta(hours=1)
    made.store()
    gc.collect()
    assert counted() is None
    made.passed(long, request("www.example.com"))
    assert long.marked is not None


def test_off_makes_no_directory(tmp_path: Path) -> None:
    made = Census(tmp_path / "census", now=Clock())
    made.passed(connection(), request("www.example.com"))
    made.store()
    assert not (tmp_path / "census").exists()


def test_what_is_counted_is_written_at_the_end(tmp_path: Path) -> None:
    made = census(tmp_path / "census")
    made.start()
    for number in range(SEVERAL):
        made.passed(connection(number), request("www.example.com"))
    assert made.close()
    assert sum(found(tmp_path / "census").values()) == SEVERAL
    assert (tmp_path / "census").stat().st_mode & 0o777 == 0o700


def test_it_is_written_before_the_hour_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = threading.Event()

    def write(*arguments: object) -> None:
        written.set()

    monkeypatch.setattr(recorder, "write", write)
    made = Census(tmp_path, now=Clock(), flush=0.01)
    made.follow(True)
    made.passed(connection(), request("www.example.com"))
    made.start()
    assert written.wait(10)
    made.close()


def test_a_log_directory_that_was_removed_is_made_for_us_alone(tmp_path: Path) -> None:
    made = census(tmp_path / "state" / "log" / "census")
    made.passed(connection(), request("www.example.com"))
    made.store()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state" / "log").rglob("*") if path.is_dir()} == {0o700}
    assert (tmp_path / "state" / "log").stat().st_mode & 0o777 == 0o700


def test_a_disk_that_fails_costs_the_census_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    made = census(tmp_path)
    for number in range(SEVERAL):
        made.passed(connection(number), request("www.example.com"))
    with monkeypatch.context() as failing:
        failing.setattr(recorder, "write", full)
        made.store()
        made.store()
        state = made.state()
        assert state is not None
        assert state.error == "No space left on device"
    assert len(caplog.records) == 1, "said once"
    made.store()
    assert made.state() is not None
    assert re.search("again", caplog.text)
    assert sum(found(tmp_path).values()) == SEVERAL, "what was still in memory is there"


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "census").write_text("a file")
    made = census(tmp_path / "census")
    made.passed(connection(), request("www.example.com"))
    made.store()
    state = made.state()
    assert state is not None
    assert state.error


def test_a_fault_in_counting_costs_no_flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    gate.census = made = census(tmp_path)

    def broken(*arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(made, "passed", broken)
    gate.passed(PASS, connection(), request("www.example.com"))
    assert (gate.counters.passed, gate.census) == (1, None)
    state = made.state()
    assert state is not None
    assert state.error == "counting failed and was given up: RuntimeError: no"


def test_a_fault_in_writing_is_no_busy_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the hour cannot be brought to an end, the next attempt waits as any does."""
    clock, tried = Clock(), threading.Semaphore(0)

    def broken(*arguments: object) -> None:
        tried.release()
        raise RuntimeError("no")

    monkeypatch.setattr(recorder, "told", broken)
    made = Census(tmp_path, now=clock, flush=60)
    made.follow(True)
    clock.time += timedelta(hours=1)
    made.start()
    assert tried.acquire(timeout=10)
    assert not tried.acquire(timeout=0.5)
    made.close()


def test_only_what_passes_counts(tmp_path: Path) -> None:
    rules = [rule("ban", "block", "bad"), rule("watch", "log", "seen"), rule("free", "allow", "fine")]
    gate = Gate()
    gate.policy = policy([app("bad", "bad.test"), app("seen", "seen.test"), app("fine", "fine.test")], rules)
    gate.census = made = census(tmp_path)
    for number in range(SEVERAL):
        for host in ("bad.test", "seen.test", "fine.test", "innocent.test"):
            asked = request(host, surface=Surface.CONNECT)
            gate.record(gate.decide(asked), Surface.CONNECT, connection(number), request=asked)
    made.store()
    assert found(tmp_path) == {("innocent.test", "24T10"): SEVERAL}


def test_counting_costs_a_fraction_of_deciding(tmp_path: Path) -> None:
    """Measured: some 0.5 µs a request (CPU time of the thread, a core to itself)."""
    rules = policy([app("bad", "bad.test")], [rule("ban", "block")])
    made = census(tmp_path)
    connections = [connection(number) for number in range(100)]
    requests = [request(f"www{number}.example.com") for number in range(1000)]

    def measured(call: Callable[[Connection, Request], object]) -> float:
        begun = time.perf_counter()
        for number, each in enumerate(requests):
            call(connections[number % 100], each)
        return time.perf_counter() - begun

    counting = min(measured(made.passed) for _ in range(20))
    deciding = min(measured(lambda _, each: decide(rules, each)) for _ in range(20))
    assert counting < deciding, f"{counting * 1000:.2f} µs to count, {deciding * 1000:.2f} µs to decide"


def test_the_bound_of_the_docs() -> None:
    assert FEWEST_CLIENTS == 5
    assert recorder.FLUSH == 300
