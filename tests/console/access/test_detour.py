"""Nobody comes to the console through the proxy that it watches: not to a page, nor in a trusted proxy's place."""

import os
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from console.signed_in import a_console
from embargo.console.access.detour import can_tell, through_proxy
from embargo.console.access.rights import Role
from embargo.console.server import Server
from embargo.console.settings import ProxySignIn

HEADERS = {"X-Remote-User": "eve", "X-Remote-Groups": "admins"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[str]:
    """A console on loopback that trusts a reverse proxy on this machine to name users."""
    trusted = ProxySignIn(
        networks=(ip_network("127.0.0.1"),), user_header="X-Remote-User", groups_header="X-Remote-Groups"
    )
    app = a_console(tmp_path, proxy=trusted, roles={"admins": Role.ADMIN})
    (tmp_path / "run").mkdir()
    server = Server(app, ("127.0.0.1", 0), threads=2)
    server.prepare()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.bind_addr[1]}"
    finally:
        server.stop()
        thread.join(10)


def test_the_reverse_proxy_is_believed(console: str) -> None:
    assert httpx.get(f"{console}/users/", headers=HEADERS).status_code == 200


def test_who_comes_through_the_watched_proxy_is_not(console: str, tmp_path: Path) -> None:
    """This process stands for the proxy: a socket of its number lies where proxies have theirs."""
    (tmp_path / "run" / f"{os.getpid()}.sock").touch()
    with httpx.Client() as client:
        for path in ("/users/", "/log-in", "/alive", "/static/icon.svg"):
            assert client.get(f"{console}{path}", headers=HEADERS).status_code == 403, path


def test_another_process_is_no_proxy(tmp_path: Path) -> None:
    assert can_tell()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as connection,
    ):
        theirs, ours = connection.getsockname()[1], listening.getsockname()[1]
        assert not through_proxy(tmp_path, theirs, ours)
        (tmp_path / "x.sock").touch()
        (tmp_path / f"{2**22 + 1}.sock").touch()  # of no process: beyond the highest number
        assert not through_proxy(tmp_path, theirs, ours)
        (tmp_path / f"{os.getpid()}.sock").touch()
        assert through_proxy(tmp_path, theirs, ours)
        assert not through_proxy(tmp_path, theirs, ours + 1)


def test_without_a_runtime_directory_there_is_no_proxy(tmp_path: Path) -> None:
    assert not through_proxy(tmp_path / "missing", 1, 2)
