"""Several workers: one lost, a reload, the end, a start that fails; and nothing banned passes in any of it."""

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

from e2e.clients import BOUND, connect, curl, read_all, read_response
from e2e.conftest import SMALL, Start
from e2e.crew import Crew, is_gapless
from e2e.origin import Origin
from e2e.process import has_ended
from e2e.proxy import PATIENCE, Proxy, field
from ports import free_port

STRICTER = SMALL.replace("- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test")
FLUSH = 0.2  # seconds: settings.log.flush where a policy names none
APART = 2.0  # seconds between the first and the last worker that takes up a policy


@dataclass(frozen=True)
class Answered:
    """A request and what became of it."""

    path: str
    status: int  # 0: the connection failed
    at: float  # monotonic


class Load:
    """Clients that ask for *host*, each request on a connection of its own, for the time of a `with`."""

    def __init__(self, proxy: Proxy, host: str, clients: int = 3) -> None:
        self.answers: list[Answered] = []
        self._address = ("127.0.0.1", proxy.port)
        self._host = host
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def statuses(self) -> set[int]:
        return {answer.status for answer in self.answers}

    def more(self, wanted: int) -> bool:
        """Whether so many answers have come."""
        return len(self.answers) >= wanted

    def _ask(self, client: int) -> None:
        for number in count():
            if self._stop.is_set():
                return
            path, status = f"/the-secret-{client}-{number}", 0
            request = f"GET http://{self._host}{path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n"
            try:
                with socket.create_connection(self._address, timeout=BOUND) as connection:
                    connection.sendall(request.encode())
                    status = read_response(connection)[0]
            except OSError:
                self._stop.wait(0.01)
            self.answers.append(Answered(path, status, time.monotonic()))


TWO = ["--workers", "2", "--health", "0"]


@pytest.fixture(scope="module")
def shared(start_for_module: Start) -> Crew:
    """Two workers with the small policy, which the tests leave as they find them."""
    return Crew(start_for_module(SMALL, command="embargo", flags=TWO, ready=False))


@pytest.fixture
def two(start: Start, origin: Origin) -> Crew:
    """Two workers that the test may end."""
    return Crew(start(SMALL, command="embargo", flags=TWO, ready=False))


@pytest.mark.parametrize("lost", [1, 2])
def test_a_worker_is_killed_under_load(shared: Crew, origin: Origin, lost: int) -> None:
    proxy = shared.proxy
    before = shared.wait_whole()
    victim = before[lost - 1]
    with Load(proxy, "banned.test") as load:
        proxy.wait(lambda: load.more(100), "some load")
        os.kill(victim["pid"], signal.SIGKILL)
        killed = time.monotonic()
        proxy.wait(lambda: has_ended(victim["pid"]), "its end")
        assert curl(proxy, "http://innocent.test/").status == 200, "the other one serves"
        after = shared.wait_whole(without=[victim["pid"]])
        enough = len(load.answers) + 100
        proxy.wait(lambda: load.more(enough), "load on both again")
    assert load.statuses <= {0, 403}
    assert b"the-secret" not in origin.received
    assert origin.connections == 1, "the innocent one alone"
    assert after[2 - lost]["pid"] == before[2 - lost]["pid"], "the other one has been left alone"
    assert {answer["policy"]["digest"] for answer in after} == {victim["policy"]["digest"]}

    died = proxy.wait_record(event__action="died", process__pid=victim["pid"])
    assert field(died, "event.reason") == f"worker {lost} was ended by SIGKILL"
    assert field(died, "event.outcome") == "failure"
    assert f"worker {lost} was ended by SIGKILL (process {victim['pid']}); 1 other serves" in proxy.text()
    proxy.wait(lambda: all(answer["log"]["queue"] == 0 for answer in shared.statuses()), "the logs to be written")
    refused = [answer for answer in load.answers if answer.status == 403]

    def unrecorded() -> list[Answered]:
        paths = {field(record, "url.path") for record in proxy.records()}
        return [answer for answer in refused if answer.path not in paths]

    # What the killed one had not flushed is lost, and nothing else. Five times the bound, on a busy machine.
    proxy.wait(lambda: all(answer.at <= killed + FLUSH for answer in unrecorded()), "the records of both")
    assert all(answer.at > killed - 5 * FLUSH for answer in unrecorded())

    chains = shared.chains()
    assert sorted(chains) == ["decisions.2.jsonl", "decisions.jsonl"], "the new one goes on with the chain of the old"
    assert all(is_gapless(chain) for chain in chains.values())
    taken_over = chains[victim["log"]["file"]]
    starts = [field(record, "process.pid") for record in taken_over if field(record, "event.action") == "start"]
    assert starts[-2:] == [victim["pid"], after[lost - 1]["pid"]]


def test_a_reload_under_load(shared: Crew, origin: Origin) -> None:
    """No request fails for it; both enforce within two seconds of each other; one of them has compiled."""
    proxy = shared.proxy
    before = {answer["policy"]["digest"] for answer in shared.statuses()}
    with Load(proxy, "innocent.test", 2) as innocent, Load(proxy, "banned.test", 1) as banned:
        proxy.wait(lambda: innocent.more(20) and banned.more(20), "some load")
        proxy.policy.write_text(STRICTER)
        proxy.wait(
            lambda: not before & {answer["policy"]["digest"] for answer in shared.statuses()}, "both to take it up"
        )
        soon = [curl(proxy, "http://soon.test/the-secret").status for _ in range(8)]
        enough = len(innocent.answers) + 20
        proxy.wait(lambda: innocent.more(enough), "load after it")
    assert (innocent.statuses, banned.statuses, set(soon)) == ({200}, {403}, {403})
    loaded = [record for record in proxy.records(event__action="policy-load") if field(record, "embargo.policy.old")]
    proxy.policy.write_text(SMALL)
    assert len(loaded) == 2
    first, second = sorted(datetime.fromisoformat(record["@timestamp"]).timestamp() for record in loaded)
    assert second - first <= APART
    beats = [field(record, "embargo.heartbeat.worker") for record in proxy.records(event__action="heartbeat")]
    assert set(beats) == {1, 2}, "the first, too, says whose it is"
    shown = proxy.command("status")
    assert (shown.returncode, shown.stdout.splitlines()[-1].startswith("total of 2 workers")) == (0, True)


def test_sigterm_drains_both(two: Crew, origin: Origin) -> None:
    proxy = two.proxy
    assert health(two) == (200, "ok")
    uploads: list[socket.socket] = []

    def on_both() -> bool:
        uploads.append(connect(proxy))
        uploads[-1].sendall(
            b"POST http://innocent.test/up HTTP/1.1\r\nHost: innocent.test\r\nContent-Length: 10\r\n\r\nhello"
        )
        return len(uploads) >= 8 and all(answer["connections"] for answer in two.statuses())

    proxy.wait(on_both, "an upload in each worker")
    proxy.wait(
        lambda: sum(answer["flows"]["passed"] for answer in two.statuses()) >= len(uploads), "all uploads to be judged"
    )
    proxy.process.terminate()
    proxy.wait(lambda: not proxy.listens(), "the listeners to close")
    assert health(two) == (503, "draining")
    for upload in uploads:
        upload.sendall(b"world")
        status, body, _ = read_response(upload)
        assert (status, b"got 10 bytes" in body) == (200, True)
        upload.close()
    assert proxy.process.wait(PATIENCE) == 0
    chains = two.chains()
    assert len(chains) == 2
    ends = [[field(record, "event.action") for record in chain[-2:]] for chain in chains.values()]
    assert ends == [["stop", "seal-checkpoint"]] * len(chains), "what was written last is signed"
    assert "started again" not in proxy.text()
    assert "Traceback" not in proxy.text()


def test_balancers_are_warned_before_the_port_closes(start: Start, origin: Origin) -> None:
    flags = ["--workers", "2", "--health", "0", "--drain-delay", "600"]
    crew = Crew(start(SMALL, command="embargo", flags=flags, ready=False))
    proxy = crew.proxy
    assert health(crew) == (200, "ok")
    proxy.process.terminate()
    proxy.wait(lambda: health(crew) == (503, "draining"), "the warning")
    assert [curl(proxy, f"http://{host}.test/").status for host in ("innocent", "banned")] == [200, 403]
    proxy.process.terminate()
    assert proxy.process.wait(PATIENCE) == 0
    assert "drains in 600 s" in proxy.text()


def test_a_second_signal_ends_at_once(two: Crew, origin: Origin) -> None:
    """Whichever of them it is."""
    proxy = two.proxy
    download = connect(proxy)
    download.sendall(b"GET http://innocent.test/slow HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    proxy.wait(lambda: any(answer["flows"]["passed"] for answer in two.statuses()), "the download")
    proxy.process.send_signal(signal.SIGINT)
    proxy.wait(lambda: not proxy.listens(), "the listeners to close")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(PATIENCE) == 0
    assert "were cut" not in proxy.text(), "the drain was broken off"
    read_all(download)


def test_the_supervisor_is_killed(two: Crew, origin: Origin) -> None:
    """Its workers end by themselves, each with a whole log, and the port is free for the next."""
    proxy = two.proxy
    pids = two.pids()
    proxy.process.kill()
    proxy.process.wait(PATIENCE)
    until(lambda: all(has_ended(pid) for pid in pids))
    ends = [[field(record, "event.action") for record in chain[-2:]] for chain in two.chains().values()]
    assert ends == [["stop", "seal-checkpoint"]] * 2
    assert not proxy.listens()
    assert origin.connections == 0


def until(condition: Callable[[], bool]) -> None:
    """Wait, bounded, for what happens without the proxy's supervisor."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def health(crew: Crew) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*crew.health(), timeout=BOUND)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    return answer.status, answer.read().decode().strip()


def attempt(start: Start, *flags: str, options: tuple[str, ...] = ()) -> Proxy:
    """A start that comes to nothing."""
    return start(SMALL, command="embargo", flags=["--workers", "2", *flags], options=options, ready=False)


WRONG = {  # mitmproxy's options: what is said
    ("--no-such-option",): "unrecognized arguments: --no-such-option",
    ("--mode", "telepathy"): "Invalid proxy mode specification: telepathy",
    ("-s", "missing.py"): "missing.py",
}


def test_a_wrong_option_is_told_once(start: Start, origin: Origin) -> None:
    attempts = {told: attempt(start, options=options) for options, told in WRONG.items()}
    for told, proxy in attempts.items():
        assert proxy.process.wait(PATIENCE) == 1
        text = proxy.text()
        assert text.count(told) == 1, text
        assert "error: worker 1 could not start: it ended by itself with code 1" in text
        assert "[2]" not in text
        assert "Traceback" not in text


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of somebody who listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use(start: Start, shared: Crew, stranger: int) -> None:
    """By a stranger, by another crew of ours that would share it, and by a stranger at a mode's own port."""
    ours = shared.proxy.port
    attempts = {
        "stranger": attempt(start, "--port", str(stranger)),
        "ours": attempt(start, "--port", str(ours)),
        "mode": attempt(start, options=("--mode", f"regular@{stranger}")),
        "health": attempt(start, "--health", str(stranger)),
    }
    for proxy in attempts.values():
        assert proxy.process.wait(PATIENCE) == 1
        assert "address already in use" in proxy.text()
        assert "Traceback" not in proxy.text()
    for name, port in (("stranger", stranger), ("ours", ours)):
        assert attempts[name].text() == f"error: cannot listen on 127.0.0.1:{port}: address already in use\n"
    assert curl(shared.proxy, "http://banned.test/").status == 403


def test_what_cannot_be_shared(start: Start, origin: Origin) -> None:
    """Datagrams go to worker 1 alone, and all of it is said."""
    modes = ["--mode", "regular", "--mode", f"dns@{free_port()}", "--mode", "reverse:quic://innocent.test@0"]
    crew = Crew(start(SMALL, command="embargo", flags=["--workers", "2"], options=modes, ready=False))
    assert "worker 1 alone serves what cannot be shared: dns, reverse:quic" in crew.proxy.text()
    listeners = [{mode["mode"]: len(mode["listen"]) for mode in answer["modes"]} for answer in crew.statuses()]
    assert listeners == [{"regular": 1, "dns": 2, "reverse:quic": 1}, {"regular": 1, "dns": 1}]
    assert [curl(crew.proxy, "http://banned.test/").status for _ in range(6)] == [403] * 6


def test_systemd_is_told(start: Start, origin: Origin, tmp_path: Path) -> None:
    """Ready once all enforce a policy, which a service of `Type=notify` waits for; alive, reloading, stopping."""
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "600000"}
        proxy = start(SMALL, command="embargo", environment=environment, ready=False)  # supervised for it alone

        def told(first: str) -> str:
            while not (message := manager.recv(4096).decode()).startswith(first):
                pass
            return message

        ready = told("READY=1")
        crew = Crew(proxy, 1)
        (worker,) = crew.statuses()
        assert ready == f"READY=1\nSTATUS=1 of 1 workers, policy {worker['policy']['digest'][:12]}"
        told("WATCHDOG=1")
        proxy.process.send_signal(signal.SIGHUP)
        told("RELOADING=1\nMONOTONIC_USEC=")
        told("READY=1")
        assert crew.statuses()[0]["pid"] == worker["pid"]
        proxy.process.terminate()
        told("STOPPING=1")
        assert proxy.process.wait(PATIENCE) == 0
    assert "told to read the policy" in proxy.text()


def test_without_a_policy_everything_is_refused(start: Start, origin: Origin) -> None:
    """And the health endpoint says so."""
    proxy = start("apps: {bad: {}}\n", command="embargo", flags=["--health", "0"], ready=False)
    crew = Crew(proxy, 1, policy=False)
    assert curl(proxy, "http://innocent.test/").status == 503
    refused = (503, "worker 1 enforces no policy yet: everything is refused")
    proxy.wait(lambda: health(crew) == refused, "the reason")
    proxy.policy.write_text(SMALL)
    proxy.wait(lambda: health(crew) == (200, "ok"), "the policy")
    assert curl(proxy, "http://innocent.test/").status == 200
