import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from embargo.enforce.process.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        name = str(tmp_path / "notify") if request.param == "path" else f"@embargo-test-{os.getpid()}"
        end.bind(name.replace("@", "\0"))
        end.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield end


def test_what_is_told(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.status("starting")
    notifier.status("starting")  # no news
    notifier.ready("2 of 2 workers")
    notifier.alive()
    notifier.reloading()
    notifier.stopping()
    told = [manager.recv(4096).decode() for _ in range(5)]
    assert told[:3] == ["STATUS=starting", "READY=1\nSTATUS=2 of 2 workers", "WATCHDOG=1"]
    assert told[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert told[3].rpartition("=")[2].isdigit()
    assert told[4] == "STOPPING=1\nSTATUS=draining"


def test_a_manager_that_is_gone_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Notifier().ready("fine")


WATCHDOGS = {  # case: (WATCHDOG_USEC, WATCHDOG_PID, seconds)
    "of this process": ("30000000", str(os.getpid()), 30.0),
    "of whoever": ("500000", "", 0.5),
    "of another process": ("30000000", "1", None),
    "none": ("", "", None),
    "zero": ("0", "", None),
    "no number": ("soon", "", None),
}


@pytest.mark.parametrize(("period", "pid", "seconds"), WATCHDOGS.values(), ids=WATCHDOGS)
def test_watchdog(period: str, pid: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", period)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert Notifier().watchdog == seconds
