"""Signals: SIGTERM drains, SIGHUP reads the policy at once, SIGKILL opens nothing."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from e2e.clients import Http2, connect, curl, read_all, read_response, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy, field

STRICTER = SMALL.replace("- {domain: banned.test, role: api}", "- {domain: banned.test, role: api}\n      - soon.test")
UPLOAD = b"POST http://innocent.test/up HTTP/1.1\r\nHost: innocent.test\r\nContent-Length: 10\r\n\r\nhello"


def ended(proxy: Proxy) -> int:
    return proxy.process.wait(PATIENCE)


def test_sigterm_lets_requests_finish_and_the_log_be_written(start: Start, origin: Origin) -> None:
    """An upload, a download and an HTTP/2 stream are under way; idle connections and new ones are not waited for."""
    proxy = start(SMALL, command="embargo")
    upload, idle, banned = connect(proxy), connect(proxy), connect(proxy)
    upload.sendall(UPLOAD)
    idle.sendall(b"GET http://innocent.test/ HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    assert read_response(idle)[0] == 200
    with tls(tunnel(proxy, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        stream = http.request("innocent.test", "/up", ("content-length", "10"), method="POST", body=b"hello", end=False)
        proxy.wait(lambda: proxy.status()["flows"]["passed"] >= 4, "the requests")  # type: ignore[index]
        banned.sendall(b"GET http://banned.test/the-secret HTTP/1.1\r\nHost: banned.test\r\n\r\n")
        assert read_response(banned)[0] == 403

        proxy.process.send_signal(signal.SIGTERM)
        proxy.wait(lambda: not proxy.listens(), "the listener to close")
        assert read_all(idle) == b""
        assert read_all(banned) == b""
        upload.sendall(b"world")
        status, body, _ = read_response(upload)
        assert (status, b"got 10 bytes" in body) == (200, True)
        http.connection.send_data(1, b"world", end_stream=True)
        http.flush()
        http.finish(stream)
        assert (stream.status, b"got 10 bytes" in stream.body) == (200, True)
    assert ended(proxy) == 0
    assert b"the-secret" not in origin.received
    (*_, last) = proxy.records()
    assert field(last, "event.action") == "stop"
    assert proxy.records(url__domain="banned.test", embargo__verdict="block")
    assert "Traceback" not in proxy.text()


def test_a_drain_has_an_end(start: Start, origin: Origin) -> None:
    """What never ends is cut, and the operator is told."""
    proxy = start(SMALL, command="embargo")
    download = connect(proxy)
    download.sendall(b"GET http://innocent.test/slow HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    proxy.wait(lambda: proxy.status()["flows"]["passed"] >= 1, "the download")  # type: ignore[index]
    proxy.process.send_signal(signal.SIGTERM)
    assert ended(proxy) == 0
    assert "1 connections were cut" in proxy.text()
    read_all(download)
    assert field(proxy.records()[-1], "event.action") == "stop"


def test_what_is_banned_stays_refused_during_a_drain(start: Start, origin: Origin) -> None:
    """On a connection that is kept open by an upload, and on a tunnel beside it."""
    proxy = start(SMALL, command="embargo")
    with tls(tunnel(proxy, "innocent.test:443"), "innocent.test", "h2") as inside:
        http = Http2(inside)
        upload = http.request("innocent.test", "/up", ("content-length", "9"), method="POST", body=b"hello", end=False)
        proxy.wait(lambda: proxy.status()["flows"]["passed"] >= 2, "the upload")  # type: ignore[index]
        proxy.process.send_signal(signal.SIGTERM)
        proxy.wait(lambda: not proxy.listens(), "the listener to close")
        refused = http.request("banned.test", "/the-secret")
        http.finish(refused)
        assert refused.status == 403
        http.connection.send_data(1, b"more", end_stream=True)
        http.flush()
        http.finish(upload)
        assert upload.status == 200
    assert ended(proxy) == 0
    assert b"the-secret" not in origin.received
    assert proxy.records(url__domain="banned.test", embargo__verdict="block")


def test_a_second_signal_ends_at_once(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, command="embargo")
    download = connect(proxy)
    download.sendall(b"GET http://innocent.test/slow HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
    proxy.wait(lambda: proxy.status()["flows"]["passed"] >= 1, "the download")  # type: ignore[index]
    proxy.process.send_signal(signal.SIGTERM)
    proxy.wait(lambda: not proxy.listens(), "the listener to close")
    proxy.process.send_signal(signal.SIGTERM)
    assert ended(proxy) == 0
    assert "were cut" not in proxy.text(), "the drain was broken off"
    assert field(proxy.records()[-1], "event.action") == "stop"


def test_as_a_script_the_end_is_at_once(start: Start, origin: Origin) -> None:
    """mitmdump's own way: what is under way is cut; the log is whole all the same."""
    proxy = start(SMALL)
    assert curl(proxy, "http://banned.test/").status == 403
    upload = connect(proxy)
    upload.sendall(UPLOAD)
    proxy.wait(lambda: proxy.status()["flows"]["passed"] >= 1, "the upload")  # type: ignore[index]
    proxy.process.send_signal(signal.SIGTERM)
    assert ended(proxy) == 0
    assert read_all(upload) == b""
    assert field(proxy.records()[-1], "event.action") == "stop"


@pytest.mark.parametrize("command", ["embargo", "mitmdump"])
def test_sighup_reads_the_policy(start: Start, origin: Origin, command: str) -> None:
    """Even where nothing shows that the file changed: same size, same time, same inode."""
    proxy = start(SMALL.replace("banned.test", "xanned.test"), command=command)
    digest = proxy.status()["policy"]["digest"]  # type: ignore[index]
    before = proxy.policy.stat()
    with proxy.policy.open("r+") as file:
        file.write(SMALL)
    os.utime(proxy.policy, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = proxy.policy.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait(lambda: proxy.status()["policy"]["digest"] != digest, "the policy")  # type: ignore[index]
    assert curl(proxy, "http://banned.test/").status == 403
    assert "told to read the policy" in proxy.text()


def test_sighup_on_a_broken_policy_is_refused_each_time(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    proxy.policy.write_text("apps: [")
    proxy.wait(lambda: proxy.status()["refused"], "the refusal")  # type: ignore[index]
    before = proxy.status()["reloads"]["refused"]  # type: ignore[index]
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait(lambda: proxy.status()["reloads"]["refused"] > before, "the refusal to be said again")  # type: ignore[index]
    assert curl(proxy, "http://banned.test/").status == 403
    proxy.policy.write_text(SMALL)
    proxy.process.send_signal(signal.SIGHUP)
    proxy.wait(lambda: not proxy.status()["refused"], "the mended policy")  # type: ignore[index]


def test_many_sighups_while_requests_run(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, options=["--set", "flow_detail=0"])
    stop, statuses = threading.Event(), set()

    def load() -> None:
        with connect(proxy) as connection:
            while not stop.is_set():
                connection.sendall(b"GET http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\n\r\n")
                statuses.add(read_response(connection)[0])

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for number in range(5):
            before = proxy.status()["reloads"]["ok"]  # type: ignore[index]
            proxy.policy.write_text(STRICTER if number % 2 == 0 else SMALL)
            for _ in range(20):
                proxy.process.send_signal(signal.SIGHUP)
            proxy.wait(lambda before=before: proxy.status()["reloads"]["ok"] > before, "a reload")  # type: ignore[index,misc]
    finally:
        stop.set()
        thread.join()
    assert statuses == {403}
    assert origin.connections == 0


@pytest.mark.parametrize("kept", ["terminal kept", "terminal lost"])
def test_sighup_on_a_terminal(start: Start, origin: Origin, tmp_path: Path, kept: str) -> None:
    """A shell's job ends when its terminal is closed, as ever; `kill -HUP` reads the policy there too."""
    ours, its = pty.openpty()
    policy = tmp_path / "domains.yaml"
    policy.write_text(SMALL)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    leads = (  # a session of its own with the terminal as its controlling one, as a login has
        "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [
        str(Path(sys.executable).parent / "embargo"),
        "run",
        "--no-console",
        "--port",
        "0",
        "--policy",
        str(policy),
    ]
    output = tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", leads, *command, "--", "--set", f"confdir={tmp_path / 'conf'}"],
            stdin=its, stdout=file, stderr=file, env=environment, cwd=tmp_path,
        )  # fmt: skip
    os.close(its)
    try:
        said(output, "in force", process)
        if kept == "terminal kept":
            process.send_signal(signal.SIGHUP)
            said(output, "told to read the policy", process)
            assert process.poll() is None
            process.terminate()
        else:
            os.close(ours)
        assert process.wait(PATIENCE) == 0
    finally:
        with contextlib.suppress(OSError):
            os.close(ours)
        if process.poll() is None:
            process.kill()
            process.wait()


def said(output: Path, what: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while what not in output.read_text(errors="replace"):
        assert process.poll() is None, output.read_text(errors="replace")
        assert time.monotonic() < deadline, output.read_text(errors="replace")
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["embargo", "mitmdump"])
def test_kill_9_opens_nothing_and_a_restart_refuses_from_the_first_request(
    start: Start, origin: Origin, command: str
) -> None:
    proxy = start(SMALL, command=command)
    assert curl(proxy, "http://banned.test/").status == 403
    open_tunnel = tunnel(proxy, f"innocent.test:{origin.greeter_port}")
    assert read_until(open_tunnel, b"\r\n") == b"220 greeter ready\r\n"
    origin.reset()
    proxy.process.kill()
    assert ended(proxy) == -signal.SIGKILL
    assert read_all(open_tunnel) == b""
    assert not proxy.listens()
    shown = proxy.command("status")
    assert (shown.returncode, "no proxy is running" in shown.stderr) == (1, True)
    assert origin.connections == 0

    again = start(SMALL, directory=proxy.directory, command=command)
    assert curl(again, "http://banned.test/the-secret").status == 403
    assert origin.connections == 0
