"""What the processes say of where they listen, and how an address is read."""

import socket
from pathlib import Path
from typing import Any

import pytest

from embargo.journal.status import Liveness, Status
from embargo.probe.attempts import Listener
from embargo.probe.proxies import address, running


def process(pid: int, digest: str, *modes: tuple[str, str], mode: str = "enforce", file: str = "/etc/a.yaml") -> Status:
    return Status(
        path=f"/run/{pid}.sock",
        liveness=Liveness.RUNNING,
        answer={
            "pid": pid,
            "mode": mode,
            "modes": [{"mode": name, "listen": [listen]} for name, listen in modes],
            "policy": {"digest": digest, "files": [file]},
        },
    )


def test_nothing_runs() -> None:
    found = running([Status(path="/run/1.sock", liveness=Liveness.STALE)])
    assert (found.answers, found.listeners, found.digests, found.mode) == (False, {}, (), None)


def test_modes() -> None:
    found = running(
        [
            process(
                1, "aa", ("regular", "0.0.0.0:8080"), ("dns", "127.0.0.3:53"), ("tun", ":0"), ("reverse:quic", ":::443")
            )
        ]
    )
    assert found.listeners == {
        Listener.PROXY: ("127.0.0.1", 8080), Listener.DNS: ("127.0.0.3", 53), Listener.QUIC: ("::1", 443),
    }  # fmt: skip
    assert [warning.partition(" ")[0] for warning in found.warnings] == ["tun"]
    assert found.files == (Path("/etc/a.yaml"),)


def test_workers_that_disagree() -> None:
    found = running(
        [
            process(1, "aa", ("regular", "127.0.0.1:8080")),
            process(2, "bb", ("regular", "127.0.0.1:8080"), mode="monitor"),
        ]
    )
    assert found.digests == ("aa", "bb")
    assert found.mode == "monitor"
    assert found.warnings == ("the processes of this machine enforce different policies",)


def test_a_second_port_is_told() -> None:
    found = running([process(1, "aa", ("regular", "127.0.0.1:8080"), ("upstream", "127.0.0.1:8081"))])
    assert found.listeners == {Listener.PROXY: ("127.0.0.1", 8080)}
    assert found.warnings == ("upstream on 127.0.0.1:8081 is not asked this time; name it with --proxy",)


def test_relative_files_lie_in_the_directory_of_the_process() -> None:
    assert running([process(7, "aa", file="a.yaml")]).files == (Path("/proc/7/cwd/a.yaml"),)


GIVEN = {  # what is given with --proxy, whether it is the one that runs here
    ("127.0.0.1", 8080): True,
    ("localhost", 8080): True,
    ("127.0.0.9", 8080): True,  # any address of this machine
    ("192.0.2.1", 8080): False,
    ("127.0.0.1", 8081): False,
    ("127.0.0.3", 1080): True,
    ("127.0.0.1", 1080): False,  # it listens on one address alone
    ("no-such-host.test", 8080): False,
}


@pytest.mark.parametrize(("given", "here"), GIVEN.items(), ids=map(str, GIVEN))
def test_which_proxy_is_meant(given: tuple[str, int], here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **wanted: Any) -> Any:
        if host.endswith(".test"):
            raise socket.gaierror
        return resolve(host, port, **wanted)

    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = running([process(1, "aa", ("regular", "0.0.0.0:8080"), ("socks5", "127.0.0.3:1080"))])
    assert found.listens_on(given) is here
    assert found.everywhere == {("127.0.0.1", 8080)}


ADDRESSES = {
    "host and port": ("proxy.test:3128", ("proxy.test", 3128)),
    "a host alone": ("proxy.test", ("proxy.test", 8080)),
    "IPv6": ("[2001:db8::1]:3128", ("2001:db8::1", 3128)),
    "IPv6 alone": ("[2001:db8::1]", ("2001:db8::1", 8080)),
    "a name in another script": ("bücher.example", ("xn--bcher-kva.example", 8080)),
    "localhost": ("localhost:3128", ("127.0.0.1", 3128)),
}


@pytest.mark.parametrize(("text", "read"), ADDRESSES.values(), ids=ADDRESSES)
def test_address(text: str, read: tuple[str, int]) -> None:
    assert address(text, 8080) == read


@pytest.mark.parametrize("text", ["", ":80", "a:", "a:b", "a:0", "a:65536", "a:²", "a b:80", f"{'a' * 64}.test"])
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        address(text, 8080)


def test_break_glass_is_told() -> None:
    calm = process(1, "aa", ("regular", "127.0.0.1:8080"))
    assert running([calm]).break_glass is None
    glass = {"id": "x", "until": "2026-11-24T14:42:10+00:00", "author": "alice", "reason": "payroll"}
    broken = Status(path=calm.path, liveness=calm.liveness, answer={**calm.answer, "break_glass": glass})
    found = running([calm, broken])
    assert found.break_glass == "2026-11-24T14:42:10+00:00"
    assert any("refuses nothing: break-glass" in warning for warning in found.warnings)
