"""Faults around the policy: its file, the state directory, the status socket. What was enforced stays enforced."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.clients import curl, read_until, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, ROOT, Proxy, field

STRICTER = SMALL.replace("- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test")
TWO_GIGABYTES = 2 * 1024**3
MEMORY = 256 * 1024**2  # bytes of address space in which the compiler has to refuse a file that is too large


def still_enforced(proxy: Proxy, origin: Origin) -> None:
    """Banned: refused, nothing upstream. Innocent: served. The process is the same one."""
    origin.reset()
    assert curl(proxy, "http://banned.test/the-secret").status == 403
    assert curl(proxy, "https://banned.test/the-secret").connect == 403
    assert origin.connections == 0
    assert curl(proxy, "http://innocent.test/").status == 200
    assert proxy.process.poll() is None


def removed(policy: Path) -> None:
    policy.unlink()


def fifo(policy: Path) -> None:
    policy.unlink()
    os.mkfifo(policy)


def directory(policy: Path) -> None:
    policy.unlink()
    policy.mkdir()


def symlink_loop(policy: Path) -> None:
    policy.unlink()
    policy.symlink_to(policy.name)


def endless_device(policy: Path) -> None:
    policy.unlink()
    policy.symlink_to("/dev/zero")


def file_of_proc(policy: Path) -> None:
    """It says that it is empty, and is not; reading it as root is allowed, as of anything."""
    policy.unlink()
    policy.symlink_to("/proc/self/maps")


def unix_socket(policy: Path) -> None:
    policy.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(policy))


def two_gigabytes(policy: Path) -> None:
    os.truncate(policy, TWO_GIGABYTES)


def a_list_of_two_gigabytes(policy: Path) -> None:
    with (policy.parent / "names.txt").open("w") as file:
        file.truncate(TWO_GIGABYTES)
    policy.write_text(SMALL.replace("  watched:\n", "  more: {endpoints_from: [names.txt]}\n  watched:\n"))


def cut(policy: Path) -> None:
    """A copy that broke off in the middle of a line."""
    os.truncate(policy, len(SMALL) // 2 + 3)


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {  # case: what happens to the file, what is said of it
    "removed": (removed, "missing-file"),
    "a FIFO": (fifo, "not-a-file"),
    "a directory": (directory, "directory"),
    "a symlink loop": (symlink_loop, "unreadable-file"),
    "an endless device": (endless_device, "not-a-file"),
    "a file of /proc": (file_of_proc, "unstable-file"),
    "a socket": (unix_socket, "not-a-file"),
    "a sparse file of 2 GB": (two_gigabytes, "too-large"),
    "a list of 2 GB": (a_list_of_two_gigabytes, "too-large"),
    "cut in its middle": (cut, "domains.yaml:"),
}


@pytest.fixture(scope="module")
def life(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL)


@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS)
def test_a_policy_file_that_is(life: Proxy, origin: Origin, fault: Callable[[Path], None], code: str) -> None:
    before = life.status()["reloads"]["refused"]  # type: ignore[index]
    digest = life.status()["policy"]["digest"]  # type: ignore[index]
    known = len(life.records(event__action="policy-load", event__outcome="failure"))
    fault(life.policy)
    try:
        life.wait(lambda: life.status()["reloads"]["refused"] > before, "the refusal")  # type: ignore[index]
        assert life.status()["policy"]["digest"] == digest  # type: ignore[index]
        still_enforced(life, origin)
        life.wait(
            lambda: len(life.records(event__action="policy-load", event__outcome="failure")) > known, "its record"
        )
        shown = life.command("status")
        assert shown.returncode == 1
        assert "refused the newest policy" in shown.stdout
        assert code in shown.stdout
        assert code in life.text()
    finally:
        life.policy.rmdir() if life.policy.is_dir() else life.policy.unlink(missing_ok=True)
        life.policy.write_text(SMALL)
    life.wait(lambda: not life.status()["refused"], "the mended policy")  # type: ignore[index]
    assert life.command("status").returncode == 0


@pytest.mark.parametrize("fault", [two_gigabytes, a_list_of_two_gigabytes, endless_device])
def test_a_large_file_is_refused_in_little_memory(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    """The compiler's process has less address space than the file has bytes."""
    policy = tmp_path / "domains.yaml"
    policy.write_text(SMALL)
    fault(policy)
    limited = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2);"
    limited += "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    done = subprocess.run(
        [sys.executable, "-c", limited, str(MEMORY), "-m", "embargo.policy.compile", "--state", tmp_path / "s", policy],
        capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ, "PYTHONPATH": ROOT / "addon"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search("too-large|not-a-file", done.stdout)


def test_a_file_that_is_written_slowly_takes_effect_once_and_whole(start: Start, origin: Origin) -> None:
    """Cut at a line end, the file is valid with fewer endpoints: such a state must never be in force."""
    proxy = start(SMALL)
    old = proxy.status()["policy"]["digest"]  # type: ignore[index]
    many = "".join(f"      - {{domain: more{number}.test}}\n" for number in range(40))
    text = SMALL.replace("      - {cidr", many + "      - {cidr", 1)
    written = threading.Event()

    def write() -> None:
        with proxy.policy.open("w") as file:
            for line in text.splitlines(keepends=True):
                file.write(line)
                file.flush()
                time.sleep(0.05)  # an editor over a slow network: some three seconds in all
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not written.is_set():
        assert proxy.status()["policy"]["digest"] == old  # type: ignore[index]
        assert curl(proxy, "http://banned.test/").status == 403
    writer.join()
    proxy.wait(lambda: proxy.status()["policy"]["digest"] != old, "the new policy")  # type: ignore[index]
    assert curl(proxy, "http://more39.test/").status == 403
    proxy.wait(lambda: len(proxy.records(event__action="policy-load")) == 2, "two records of a load")
    assert proxy.status()["reloads"] == {"ok": 2, "refused": 0}  # type: ignore[index]
    assert origin.connections == 0


def test_a_state_directory_that_cannot_be_made(start: Start, origin: Origin, tmp_path: Path) -> None:
    """A plain file stands in its place, which stops root as well. Edits are followed all the same."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "embargo").write_text("in the way")
    proxy = start(SMALL, directory=tmp_path)
    assert "no compiled policy is kept for the next start" in proxy.text()
    still_enforced(proxy, origin)
    proxy.policy.write_text(STRICTER)
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] == 2, "the edit")  # type: ignore[index]
    assert curl(proxy, "http://soon.test/").status == 403
    proxy.wait(lambda: len(proxy.records(event__action="policy-load")) == 2, "two records of a load")


def test_a_state_directory_that_becomes_unwritable(start: Start, origin: Origin) -> None:
    """An edit cannot be compiled: what was in force stays, the operator is told, and it is tried again."""
    proxy = start(SMALL)
    state = proxy.directory / "state" / "embargo"
    state.rename(state.with_name("moved"))
    state.write_text("in the way")
    proxy.policy.write_text(STRICTER)
    proxy.wait(lambda: proxy.status()["refused"], "the refusal")  # type: ignore[index]
    still_enforced(proxy, origin)
    assert curl(proxy, "http://soon.test/").status == 200
    shown = proxy.command("status")
    assert (shown.returncode, "cannot be written" in shown.stdout) == (1, True)
    proxy.wait_record(event__action="policy-load", event__outcome="failure")
    state.unlink()
    state.with_name("moved").rename(state)
    proxy.process.send_signal(signal.SIGHUP)  # at once; by itself within five seconds
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] == 2, "the edit")  # type: ignore[index]
    assert curl(proxy, "http://soon.test/").status == 403
    assert proxy.command("status").returncode == 0


def test_a_status_socket_that_cannot_be_made(start: Start, origin: Origin, tmp_path: Path) -> None:
    """The operator is told on standard error; nothing else suffers, and it is made as soon as it can be."""
    (tmp_path / "run").write_text("in the way")
    proxy = start(SMALL, directory=tmp_path, ready=False)
    proxy.wait(lambda: "in force" in proxy.text(), "the policy")
    assert "embargo status will not find this process" in proxy.text()
    match = re.search(r"listening at 127\.0\.0\.1:(\d+)", proxy.text())
    assert match
    proxy.port = int(match[1])
    still_enforced(proxy, origin)
    assert proxy.command("status").returncode == 2
    (tmp_path / "run").unlink()
    proxy.wait(lambda: proxy.status(), "the socket")
    assert "embargo status finds this process again" in proxy.text()
    shown = proxy.command("status")
    assert (shown.returncode, str(proxy.process.pid) in shown.stdout) == (0, True)


def test_a_status_socket_that_is_removed(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    (proxy.directory / "run" / "embargo" / f"{proxy.process.pid}.sock").unlink()
    proxy.wait(lambda: proxy.status(), "the socket")
    still_enforced(proxy, origin)


def test_askers_that_never_read_hold_up_nothing(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    path = str(proxy.directory / "run" / "embargo" / f"{proxy.process.pid}.sock")
    askers = []
    for _ in range(100):
        asker = socket.socket(socket.AF_UNIX)
        asker.connect(path)
        askers.append(asker)
    with tunnel(proxy, f"innocent.test:{origin.greeter_port}") as connection:
        assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
    still_enforced(proxy, origin)
    assert proxy.command("status").returncode == 0
    for asker in askers:
        asker.close()
    assert field(proxy.records()[0], "event.action") == "start"
