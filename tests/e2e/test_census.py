"""The census of a running proxy: innocent hosts by name where enough clients met them, and nobody's own."""

import re
from collections import Counter
from pathlib import Path

import zstandard

from e2e.clients import curl
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy
from embargo.core.seen import Seen
from embargo.traffic.census import files, read

CLIENTS = 12  # enough for a name, should the marks of a few meet


def visited(proxy: Proxy, *urls: str, client: int = 1) -> list[int]:
    return [curl(proxy, "--interface", f"127.0.0.{client}", url).status for url in urls]


def found(directory: Path) -> Counter[str]:
    """Requests by host, once the proxy has ended."""
    rows = list(read(directory))
    assert all(isinstance(row, Seen) for row in rows)
    return Counter({row.request: row.count for row in rows if isinstance(row, Seen)})


def test_what_passes_is_counted_and_what_is_blocked_or_logged_is_not(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    for client in range(1, CLIENTS + 1):
        urls = ("https://www.example.com/a", "http://www.example.org/", "http://www.watched.test/")
        assert visited(proxy, *urls, client=client) == [200] * 3
        assert visited(proxy, "http://www.banned.test/", client=client) == [403]
    assert visited(proxy, "https://alice.private.example.net/secret?token=1") == [200]
    status = proxy.status()
    assert status is not None
    assert status["census"] == {"hosts": 3, "others": 0, "error": None}
    proxy.stop()
    census = proxy.log / "census"
    assert found(census) == {"www.example.com": CLIENTS, "www.example.org": CLIENTS, "example.net": 1}
    text = b"".join(_plain(path) for path in files(census))
    assert b"alice" not in text
    assert b"127.0.0" not in text
    assert b"secret" not in text
    assert census.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in files(census)} == {0o600}


def _plain(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def test_switched_off_and_on_again_without_a_restart(start: Start, origin: Origin) -> None:
    off = SMALL.replace("settings:\n", "settings:\n  census: false\n")
    proxy = start(off)
    assert visited(proxy, "http://www.example.com/") == [200]
    status = proxy.status()
    assert status is not None
    assert status["census"] is None
    assert not (proxy.log / "census").exists()
    proxy.policy.write_text(SMALL)
    proxy.wait(lambda: (proxy.status() or {}).get("census") is not None, "the census")
    assert visited(proxy, "http://www.example.org/") == [200]
    proxy.stop()
    assert found(proxy.log / "census") == {"example.org": 1}


def test_a_census_that_cannot_be_written_costs_no_traffic(start: Start, origin: Origin) -> None:
    proxy = start(SMALL, ready=True)
    (proxy.log / "census").write_text("in the way")
    assert visited(proxy, "http://www.example.com/") == [200]
    proxy.stop()
    assert re.search(r"cannot write the census to \S+/census", proxy.output.read_text())
