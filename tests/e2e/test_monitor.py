"""Monitor refuses nothing, and says of each flow what enforce would have done."""

import json

import pytest

from clienthello import client_hello, with_version
from e2e.clients import BROWSER, client, curl, read_until, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field
from e2e.test_other_addons import FAULT

MONITOR = SMALL.replace("settings:\n", "settings:\n  mode: monitor\n")


@pytest.fixture(scope="module")
def monitor(start_for_module: Start, tmp_path_factory: pytest.TempPathFactory) -> Proxy:
    script = tmp_path_factory.mktemp("fault") / "fault.py"
    script.write_text(FAULT)
    return start_for_module(MONITOR, after=[script])


URLS = ["http://www.banned.test/", "https://www.banned.test/", "https://pages.test/bad/x", "http://203.0.113.9/"]


@pytest.mark.parametrize("url", URLS)
def test_nothing_is_refused(monitor: Proxy, origin: Origin, url: str) -> None:
    before = monitor.settled()
    assert curl(monitor, url).status == 200
    with client(monitor, BROWSER) as browser:
        assert browser.get(url).status_code == 200
    records = monitor.wait_decisions(before, 2)
    assert {field(record, "embargo.would") for record in records} == {"block"}
    assert {field(record, "embargo.verdict") for record in records} == {"log"}
    assert {field(record, "rule.id") for record in records} == {"ban"}
    assert {field(record, "http.response.status_code") for record in records} == {None}


def test_a_banned_sni_and_a_banned_host_pass(monitor: Proxy, origin: Origin) -> None:
    tls(tunnel(monitor, "innocent.test:443"), "sni.banned.test").close()
    assert field(monitor.wait_record(tls__client__server_name="sni.banned.test"), "embargo.would") == "block"
    assert curl(monitor, "-H", "Host: host.banned.test", "https://innocent.test/").status == 200
    assert field(monitor.wait_record(url__domain="host.banned.test"), "embargo.would") == "block"


def test_a_fault_of_ours_passes_and_is_recorded(monitor: Proxy, origin: Origin) -> None:
    assert curl(monitor, "http://fault.test/").status == 200
    record = monitor.wait_record(embargo__reason="error", embargo__surface="http")
    assert (field(record, "embargo.verdict"), field(record, "embargo.would")) == ("log", "block")


def test_an_unreadable_hello_passes_and_is_recorded(monitor: Proxy, origin: Origin) -> None:
    with tunnel(monitor, "innocent.test:443") as connection:
        connection.sendall(with_version(b"\x03\x04", client_hello("innocent.test")))
        assert connection.recv(3)[:1] == b"\x16"
    record = monitor.wait_record(embargo__reason="undecided")
    assert (field(record, "embargo.verdict"), field(record, "embargo.would")) == ("log", "block")


def test_raw_streams_pass_whole(monitor: Proxy, origin: Origin) -> None:
    bait = b"GET / HTTP/1.1\r\nHost: raw.banned.test\r\n\r\n"
    with tunnel(monitor, f"innocent.test:{origin.greeter_port}") as connection:
        assert read_until(connection, b"\r\n") == b"220 greeter ready\r\n"
        connection.sendall(bait)
        assert read_until(connection, b"\r\n\r\n").replace(b"250 ", b"") == bait
    assert origin.received == bait
    monitor.wait_record(embargo__surface="tcp", embargo__would="block")


def test_status_says_so(monitor: Proxy) -> None:
    shown = json.loads(monitor.command("status", "--json").stdout)
    assert shown["mode"] == "monitor"
    assert shown["flows"]["blocked"] == 0
