"""Faults of the machine: disk, memory, descriptors and clock give out; what is banned stays refused."""

import contextlib
import json
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.clients import connect, curl, read_all, read_response, read_until, tunnel
from e2e.clock import DAY, Clock, in_days
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.process import open_files
from e2e.proxy import Proxy, field

STRICTER = SMALL.replace("- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test")
QUIET = ("--set", "flow_detail=0", "--set", "termlog_verbosity=warn")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def refuse(proxy: Proxy) -> str:
    """A refused request's incident."""
    answer = curl(proxy, "http://banned.test/the-secret")
    assert answer.status == 403
    incident: str = json.loads(answer.body)["instance"].removeprefix("urn:uuid:")
    return incident


def lost(proxy: Proxy) -> int:
    return proxy.status()["log"]["lost"]  # type: ignore[index,no-any-return]


# -- disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte. Only root may mount one."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "embargo-test", where], check=True)
    yield where
    subprocess.run(["umount", "--lazy", where], check=True)


def fill(disk: Path, *files: Path) -> Path:
    """A file that takes all that is left; *files* are filled up to the end of their last block."""
    filler = disk / "filler"
    for path in (filler, *files):
        with path.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\n" * size):
                        pass
    return filler


@pytest.mark.parametrize("command", ["embargo", "mitmdump"])
def test_a_full_disk(start: Start, origin: Origin, disk: Path, command: str) -> None:
    """Log and state lie on it. Refusals go on; an edit is refused; all is told, and made up for afterwards."""
    environment = {"XDG_STATE_HOME": str(disk / "state")}
    proxy = start(SMALL, command=command, log=disk / "log", environment=environment, options=QUIET)
    proxy.wait_record(event__id=refuse(proxy))
    filler = fill(disk)
    while not lost(proxy):
        refuse(proxy)
    assert curl(proxy, "http://innocent.test/").status == 200
    assert curl(proxy, "https://banned.test/").connect == 403
    origin.reset()

    proxy.policy.write_text(STRICTER)
    proxy.wait(lambda: proxy.status()["refused"], "the edit to be refused")  # type: ignore[index]
    refuse(proxy)
    shown = proxy.command("status")
    assert shown.returncode == 1
    for text in ("of the decision log", "cannot write the decision log: No space left on device", "cannot be written"):
        assert text in shown.stdout

    filler.unlink()
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] == 2, "the edit")  # type: ignore[index]
    assert curl(proxy, "http://soon.test/").status == 403
    proxy.wait_record(event__id=refuse(proxy))
    proxy.settled()
    said = proxy.records(event__action="log-loss")
    assert sum(field(record, "embargo.lost.count") for record in said) == lost(proxy)
    assert origin.connections == 0


def test_a_start_on_a_full_disk(start: Start, origin: Origin, disk: Path) -> None:
    """There is nowhere to compile the policy to and no last known good: everything is refused until there is."""
    filler = fill(disk)
    environment = {"XDG_STATE_HOME": str(disk / "state")}
    proxy = start(SMALL, log=disk / "log", environment=environment, ready=False).wait_ready(policy=False)
    proxy.wait(lambda: proxy.status()["refused"], "the refusal")  # type: ignore[index]
    assert curl(proxy, "http://innocent.test/the-secret").status == 503
    assert curl(proxy, "http://banned.test/the-secret").status == 503
    assert origin.connections == 0
    assert "everything is refused" in proxy.command("status").stdout
    filler.unlink()
    proxy.wait(lambda: proxy.status()["policy"], "the policy")  # type: ignore[index]
    refuse(proxy)
    assert curl(proxy, "http://innocent.test/").status == 200


def test_standard_output_that_is_full(start: Start, origin: Origin, disk: Path) -> None:
    """`embargo run` goes on, counts the lines and says so; mitmdump by itself would end."""
    output = disk / "output.txt"
    output.touch()
    proxy = start(SMALL, command="embargo", output=output)
    filler = fill(disk, output)
    for text in (STRICTER, "apps: [", SMALL, "apps: {"):
        before = proxy.status()["reloads"]  # type: ignore[index]
        proxy.policy.write_text(text)
        proxy.wait(lambda before=before: proxy.status()["reloads"] != before, "the edit")  # type: ignore[index,misc]
        refuse(proxy)
    assert "in force; 0 open" not in proxy.text(), "it could still print"
    filler.unlink()
    proxy.policy.write_text(STRICTER)
    proxy.wait(lambda: "lines could not be printed" in proxy.text(), "the loss to be said")
    assert origin.connections == 0


# -- memory and descriptors


def test_no_memory_for_the_compiler(start: Start, origin: Origin) -> None:
    """The proxy's own limit, which its children inherit: an edit is refused as a fault of ours, and tried again."""
    proxy = start(SMALL, options=QUIET)
    size = int(Path(f"/proc/{proxy.process.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(proxy.process.pid, resource.RLIMIT_AS, (24 * 1024**2, resource.RLIM_INFINITY))
    assert size > 24 * 1024**2, "the proxy itself can take no more either"
    proxy.policy.write_text(STRICTER)
    for _ in range(20):
        connection = connect(proxy)
        connection.sendall(b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        answer = read_until(connection, b"\r\n\r\n")
        assert answer == b"" or b" 403 " in answer or b" 503 " in answer
    proxy.wait(lambda: (proxy.status() or {}).get("refused"), "the refusal")
    assert origin.connections == 0
    resource.prlimit(proxy.process.pid, resource.RLIMIT_AS, UNLIMITED)
    proxy.wait(lambda: (proxy.status() or {}).get("reloads", {}).get("ok") == 2, "the edit")
    assert proxy.records(event__action="policy-load", event__outcome="failure")
    assert curl(proxy, "http://soon.test/").status == 403


MEMORY_ERROR = """
import embargo.enforce.gate as gate

judge = gate.decide

def fails(policy, request):
    if any("hungry" in name.text for name in request.names):
        bytearray(1 << 62)
    return judge(policy, request)

gate.decide = fails
"""


def test_no_memory_for_a_decision(start: Start, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "hungry.py").write_text(MEMORY_ERROR)
    proxy = start(SMALL, after=[tmp_path / "hungry.py"])
    assert curl(proxy, "http://hungry.test/the-secret").status == 503
    record = proxy.wait_record(embargo__reason="error")
    assert field(record, "error.type") == "MemoryError"
    assert proxy.status()["flows"]["errors"] >= 1  # type: ignore[index]
    assert origin.connections == 0
    refuse(proxy)


def test_no_descriptors_left(start: Start, origin: Origin) -> None:
    """Who is connected is refused as ever, innocents get an error, new connections wait; then all goes on."""
    proxy = start(SMALL, options=QUIET)
    old = connect(proxy)
    old.sendall(b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n")
    assert read_response(old)[0] == 403
    used = open_files(proxy.process.pid)
    limits = resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (used, limits[1]))
    waiting = [connect(proxy) for _ in range(20)]
    for connection in waiting:
        connection.sendall(b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
    old.sendall(b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
    assert read_response(old)[0] == 403
    proxy.policy.write_text(STRICTER)
    old.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    assert read_response(old)[0] == 502
    assert origin.connections == 0
    assert proxy.process.poll() is None
    resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, limits)
    assert [read_response(connection)[0] for connection in waiting] == [403] * 20
    proxy.wait(lambda: (proxy.status() or {}).get("reloads", {}).get("ok") == 2, "the edit")
    assert curl(proxy, "http://soon.test/").status == 403


# -- the clock


def test_a_clock_that_steps_forth_and_back(start: Start, origin: Origin, tmp_path: Path) -> None:
    """Rules follow it at once, and what is open is judged again though no timer was set for that moment."""
    clock = Clock(tmp_path)
    rules = (
        f"rules:\n  - {{id: grace, apps: bad, action: log, until: {in_days(10)}}}\n"
        f"  - {{id: later, apps: watched, action: block, from: {in_days(20)}, until: {in_days(30)}}}\n"
    )
    policy = SMALL.replace("rules:\n", rules)
    proxy = start(policy, after=[clock.script], environment=clock.environment)

    def opened(name: str) -> socket.socket:
        connection = tunnel(proxy, f"{name}:{origin.greeter_port}")
        assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
        return connection

    innocent = opened("innocent.test")
    proxy.wait(lambda: proxy.status()["next_change"], "the dates to be known")  # type: ignore[index]
    first = proxy.status()["next_change"]  # type: ignore[index]
    in_grace = opened("raw.banned.test")
    assert curl(proxy, "http://banned.test/").status == 200
    clock.set(15 * DAY)  # the grace period is over
    assert curl(proxy, "http://banned.test/").status == 403
    assert ends(in_grace)
    proxy.wait_record(embargo__verdict="block", rule__id="ban", destination__domain="raw.banned.test")

    watched = opened("raw.watched.test")
    clock.set(25 * DAY)
    assert ends(watched)
    proxy.wait_record(embargo__verdict="block", rule__id="later", destination__domain="raw.watched.test")
    clock.set(35 * DAY)
    proxy.wait(lambda: proxy.status()["next_change"] is None, "the step to be noticed")  # type: ignore[index]
    late = opened("late.watched.test")
    clock.set(25 * DAY)  # back into the time of a block
    assert ends(late)
    proxy.wait_record(embargo__verdict="block", rule__id="later", destination__domain="late.watched.test")
    clock.set(0)  # and before it all: the grace period holds again
    proxy.wait(lambda: (proxy.status() or {})["next_change"] == first, "the step to be noticed")
    assert curl(proxy, "http://banned.test/").status == 200
    again = opened("again.banned.test")
    clock.set(15 * DAY)
    assert ends(again)
    innocent.sendall(b"still here\r\n")
    assert read_until(innocent, b"\r\n") == b"250 still here\r\n"


def ends(connection: socket.socket) -> bool:
    """Whether *connection* is closed by the peer; fails where it stays open."""
    return read_all(connection) == b""
