"""No client gets through the proxy to the console, the metrics or the health of embargo itself, in any mode."""

import re
import socket
import threading
from collections.abc import Iterator

import pytest

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field
from ports import free_port

MONITOR = SMALL.replace("settings:\n", "settings:\n  mode: monitor\n")


class Console:
    """Stands for the console: keeps all that it is sent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                try:
                    data = connection.recv(4096)
                except OSError:
                    continue
                if data:
                    self.got.append(data)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")


@pytest.fixture(scope="module")
def console() -> Console:
    return Console()


@pytest.fixture(scope="module")
def socks() -> int:
    return free_port()


@pytest.fixture(scope="module")
def proxy(start_for_module: Start, console: Console, socks: int) -> Iterator[Proxy]:
    return start_for_module(
        MONITOR,
        command="embargo",
        flags=["--workers", "1", "--metrics", "0", "--health", "0"],
        options=["--mode", "regular", "--mode", f"socks5@{socks}", "--set", f"embargo_services={console.port}"],
        ready=False,
    )


@pytest.fixture
def crew(proxy: Proxy) -> Proxy:
    proxy.wait(lambda: "embargo: ready" in proxy.text(), "the workers to serve")
    proxy.port = int(re.findall(r"embargo: ready, .* port (\d+)", proxy.text())[-1])
    return proxy


ASKED = {  # case: (arguments of curl, the console's port in PORT; what is recorded as asked for)
    "loopback": (["http://127.0.0.1:PORT/"], "127.0.0.1"),
    "localhost": (["http://localhost:PORT/"], "localhost"),
    "no address": (["http://0.0.0.0:PORT/"], "0.0.0.0"),
    "as one number": (["--request-target", "http://2130706433:PORT/", "http://x.test/"], "127.0.0.1"),
    "mapped to IPv6": (["http://[::ffff:127.0.0.1]:PORT/"], "127.0.0.1"),
    "a name that leads there": (["http://inside.test:PORT/"], "inside.test"),
    "an upload to a name that leads there": (["-d", "x=1", "http://inside.test:PORT/"], "inside.test"),
    "CONNECT": (["-p", "http://127.0.0.1:PORT/"], "127.0.0.1"),
    "CONNECT to a name that leads there": (["-p", "http://inside.test:PORT/"], "inside.test"),
    "CONNECT, TLS": (["https://inside.test:PORT/"], "inside.test"),
    "SOCKS": (["--socks5-hostname", "127.0.0.1:SOCKS", "http://127.0.0.1:PORT/"], "127.0.0.1"),
    "SOCKS to a name that leads there": (
        ["--socks5-hostname", "127.0.0.1:SOCKS", "http://inside.test:PORT/"],
        "inside.test",
    ),
}


@pytest.mark.parametrize(("arguments", "asked"), ASKED.values(), ids=ASKED)
def test_the_console(crew: Proxy, console: Console, socks: int, arguments: list[str], asked: str) -> None:
    before = len(crew.records(embargo__reason="own-service"))
    filled = [part.replace("PORT", str(console.port)).replace("SOCKS", str(socks)) for part in arguments]
    answer = curl(crew, *filled)
    assert (answer.status, answer.exit == 28) in ((0, False), (502, False))  # 28: curl gave up waiting
    assert "hi" not in answer.body
    assert console.got == []
    crew.wait(lambda: len(crew.records(embargo__reason="own-service")) == before + 1, "its record")
    record = crew.records(embargo__reason="own-service")[-1]
    assert (field(record, "embargo.verdict"), field(record, "embargo.surface")) == ("block", "server")
    assert field(record, "destination.address") == asked


def test_metrics_and_health_whose_port_was_chosen_for_them(crew: Proxy) -> None:
    for path in ("metrics", "healthz"):
        port = re.findall(rf"at http://127.0.0.1:(\d+)/{path}", crew.text())[-1]
        answer = curl(crew, f"http://127.0.0.1:{port}/{path}")
        assert (answer.status, "refused by policy" in answer.body) == (502, True)


def test_what_is_not_ours_is_served(crew: Proxy, origin: Origin) -> None:
    assert curl(crew, f"http://127.0.0.1:{origin.http_port}/").status == 200
    assert curl(crew, "http://innocent.test/").status == 200
    assert curl(crew, "http://banned.test/").status == 200  # monitor: a ban is not enforced
