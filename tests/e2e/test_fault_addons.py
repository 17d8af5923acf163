"""Faults in code: whatever another script raises, whichever part of ours breaks, nothing banned goes upstream."""

import contextlib
import re
import socket
import ssl
from pathlib import Path

import pytest

from e2e.clients import Refused, connect, curl, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.crew import is_gapless, records
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy

SECRET = b"the-secret"
PLAIN = b"GET http://www.banned.test/the-secret HTTP/1.1\r\nHost: www.banned.test\r\n\r\n"
UPLOAD = b"POST http://banned.test/ HTTP/1.1\r\nHost: banned.test\r\nContent-Length: 10\r\n\r\n"
SHORT = 0.5  # seconds for a client that may get no answer, because of another's script

RAISES = """
import asyncio
import os
from mitmproxy.exceptions import AddonHalt, OptionsError

class Odd(BaseException):
    pass

def concerns(data):
    request = getattr(data, "request", None)
    server = getattr(data, "server", None) or getattr(data, "server_conn", None)
    names = [request.pretty_host, request.host] if request else [str(server and server.address)]
    return any("banned.test" in name for name in names)

class Raises:
    def http_connect(self, data):
        if concerns(data):
            raise EXCEPTION
    requestheaders = request = server_connect = error = http_connect_error = http_connect

addons = [Raises()]
"""
EXCEPTIONS = {
    "RuntimeError": "RuntimeError('fault')",
    "OptionsError": "OptionsError('fault')",
    "a BaseException of its own": "Odd()",
    "CancelledError": "asyncio.CancelledError()",
    "AddonHalt": "AddonHalt()",
}


def attempts(proxy: Proxy, origin: Origin) -> None:
    """Plain HTTP, CONNECT, SNI, Host and an upload to what is banned; the client need not get an answer."""
    with connect(proxy) as connection:
        connection.settimeout(SHORT)
        connection.sendall(PLAIN)
        read_until(connection, b"\r\n\r\n")
    with connect(proxy) as connection:
        connection.settimeout(SHORT)
        connection.sendall(UPLOAD + SECRET)
        read_until(connection, b"\r\n\r\n")
    with connect(proxy) as connection:
        connection.settimeout(SHORT)
        connection.sendall(b"CONNECT www.banned.test:443 HTTP/1.1\r\nHost: www.banned.test:443\r\n\r\n")
        if b" 200 " in read_until(connection, b"\r\n\r\n"):
            with contextlib.suppress(ssl.SSLError, OSError):
                inside = tls(connection, "www.banned.test")
                inside.sendall(b"GET /the-secret HTTP/1.1\r\nHost: www.banned.test\r\n\r\n")
                read_until(inside, b"\r\n\r\n")
    assert origin.connections == 0
    with contextlib.suppress(ssl.SSLError, OSError, Refused):
        inside = tls(tunnel(proxy, "innocent.test:443"), "www.banned.test")
        inside.settimeout(SHORT)
        inside.sendall(b"GET /the-secret HTTP/1.1\r\nHost: www.banned.test\r\n\r\n")
        read_until(inside, b"\r\n\r\n")
    with contextlib.suppress(ssl.SSLError, OSError, Refused):
        inside = tls(tunnel(proxy, "innocent.test:443"), "innocent.test")
        inside.settimeout(SHORT)
        inside.sendall(b"GET /the-secret HTTP/1.1\r\nHost: www.banned.test\r\n\r\n")
        read_until(inside, b"\r\n\r\n")
    assert SECRET not in origin.received


@pytest.mark.parametrize("exception", EXCEPTIONS.values(), ids=EXCEPTIONS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_another_script_raises(start: Start, origin: Origin, tmp_path: Path, exception: str, place: str) -> None:
    (tmp_path / "raises.py").write_text(RAISES.replace("EXCEPTION", exception))
    proxy = start(SMALL, **{place: [tmp_path / "raises.py"]})
    attempts(proxy, origin)
    proxy.wait_record(embargo__verdict="block", embargo__surface="connect")
    proxy.wait_record(embargo__verdict="block", embargo__surface="http")
    assert curl(proxy, "http://innocent.test/").status == 200
    assert curl(proxy, "https://innocent.test/").status == 200
    assert proxy.command("status").returncode == 0


@pytest.mark.parametrize("exception", ["SystemExit(3)", "KeyboardInterrupt()"])
def test_another_script_ends_the_process(start: Start, origin: Origin, tmp_path: Path, exception: str) -> None:
    """It ends, and with it what it let through: nothing. The log is whole."""
    (tmp_path / "raises.py").write_text(RAISES.replace("EXCEPTION", exception))
    proxy = start(SMALL, before=[tmp_path / "raises.py"])
    with connect(proxy) as connection:
        connection.sendall(PLAIN)
        read_until(connection, b"\r\n\r\n")
    assert proxy.process.wait(PATIENCE) is not None
    assert origin.connections == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=SHORT)
    assert is_gapless(records(proxy.log / "decisions.jsonl"))
    assert proxy.command("verify", str(proxy.log)).returncode == 0
    assert proxy.records(embargo__verdict="block")
    again = start(SMALL, directory=proxy.directory)
    assert curl(again, "http://banned.test/").status == 403


BREAKS = {  # case: what of ours raises
    "gathering names": "import embargo.enforce.http.requests as a\nimport embargo.enforce.http.connect as b\n"
    "a.http_request = b.connect_request = broken",
    "deciding": "import embargo.enforce.gate as a\na.decide = broken",
    "answering": "import embargo.enforce.refusals as a\na.http_answer = a.connect_answer = broken",
    "wording a refusal": "import embargo.enforce.refusals as a\na.refusal = broken",
    "an incident's number": "import embargo.enforce.gate as a\na.uuid7 = broken",
    "handing over a record": "from embargo.journal.writer import Journal\nJournal.offer = broken",
    "the clock": "import embargo.enforce.gate as a\nclass Clock:\n    now = broken\na.datetime = Clock",
    "all of it": "import embargo.enforce.gate as a\na.decide = a.uuid7 = a.Gate.record = a.Gate.connection = broken",
}
BROKEN = """
def broken(*args, **kwargs):
    raise ZeroDivisionError("a fault of ours")

"""


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
def test_a_part_of_ours_is_broken(start: Start, origin: Origin, tmp_path: Path, breaks: str) -> None:
    """The proxy goes on refusing, and says why: on standard error, in the count of errors or of lost records."""
    (tmp_path / "breaks.py").write_text(BROKEN + breaks)
    proxy = start(SMALL, after=[tmp_path / "breaks.py"], ready=False)
    proxy.wait(lambda: "listening at" in proxy.text(), "it to listen")
    proxy.wait(lambda: "in force" in proxy.text() or "a fault of ours" in proxy.text(), "the policy, or the fault")
    listening = re.search(r"listening at 127\.0\.0\.1:(\d+)", proxy.text())
    assert listening
    proxy.port = int(listening[1])
    attempts(proxy, origin)
    assert "a fault of ours" in proxy.text()
    assert proxy.process.poll() is None


def test_another_script_is_broken_and_lost(start: Start, origin: Origin, tmp_path: Path) -> None:
    """mitmproxy reloads scripts that change: one before ours, one after."""
    texts = RAISES.replace("EXCEPTION", "RuntimeError('fault')")
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(texts)
    after.write_text(texts.replace("Raises", "RaisesToo"))
    proxy = start(SMALL, before=[before], after=[after])
    for script in (before, after):
        script.write_text("this is no Python\n")
        proxy.wait(lambda script=script: f"error in script {script}" in proxy.text(), "it to fail")  # type: ignore[misc]
        attempts(proxy, origin)
        origin.reset()
        script.unlink()
        proxy.wait(lambda script=script: f"Removing script {script}" in proxy.text(), "it to go")  # type: ignore[misc]
        attempts(proxy, origin)
        origin.reset()
    assert curl(proxy, "http://banned.test/").status == 403
    assert curl(proxy, "http://innocent.test/").status == 200
