"""Gigabytes through one connection: memory stays flat, and what follows on it is judged as ever."""

import os
from collections.abc import Callable, Iterator

import pytest

from e2e.conftest import SMALL
from e2e.process import Watch, own_memory
from e2e.proxy import Proxy
from soak import bulk
from soak.bulk import Bulk

LONG = "EMBARGO_SOAK_SECONDS" in os.environ
MIB = 1024 * 1024
SIZES: dict[str, tuple[Callable[..., int], int, int]] = {  # how: (client, MiB in `make test`, MiB in `make soak`)
    "download": (bulk.download, 256, 5 * 1024),
    "upload": (bulk.upload, 256, 5 * 1024),
    "WebSocket": (bulk.talk, 64, 1024),
}
HELD = 24 * MIB  # bytes that a transfer may take meanwhile: what lies between two sockets, and what an allocator keeps


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bulk]:
    server = Bulk(tmp_path_factory.mktemp("bulk"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(server: Bulk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(
        tmp_path_factory.mktemp("proxy"), SMALL, http=server.http_port, https=server.https_port, command="embargo",
        options=["--set", "flow_detail=0"],
    )  # fmt: skip
    yield proxy.wait_ready()
    proxy.stop()


class Peak(Watch):
    """The most memory of its own that a process held in the time of a `with`."""

    def __init__(self, pid: int) -> None:
        super().__init__(0.1)
        self.before = self.held = own_memory(pid)
        self._pid = pid

    def look(self) -> None:
        """See whether it holds more now."""
        self.held = max(self.held, own_memory(self._pid))


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("way", SIZES)
def test_memory_stays_flat(proxy: Proxy, server: Bulk, way: str, secure: bool) -> None:
    client, short, long = SIZES[way]
    size = (long if LONG else short) * MIB
    with bulk.to_proxy(proxy.port, "innocent.test", secure=secure) as connection:
        with Peak(proxy.process.pid) as peak:
            assert client(connection, "innocent.test", size, secure=secure) == size
        print(f"{way} of {size // MIB} MiB: {peak.before / MIB:.1f} MiB before, at most {peak.held / MIB:.1f}")
        assert peak.held <= peak.before + HELD
        if way != "WebSocket":  # which nothing follows
            connection.sendall(bulk.request("GET", "banned.test", "/1", secure=secure))
            assert " 403 " in bulk.read_head(connection)[0]
    with bulk.to_proxy(proxy.port, "innocent.test", secure=secure) as connection:
        assert bulk.download(connection, "innocent.test", 1, secure=secure) == 1
    assert "banned.test" not in server.requests
