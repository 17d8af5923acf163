"""Other people's scripts, and faults of our own: the gate neither falls with them nor is undone by them."""

import base64
import shutil
import ssl
from pathlib import Path

import pytest
from mitmproxy.io import FlowReader

from dns_writing import query
from e2e.clients import BROWSER, Refused, client, curl, read_all, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import SCRIPT, Proxy, field

HALTS = """
from mitmproxy.exceptions import AddonHalt

class Halts:
    def http_connect(self, flow):
        raise AddonHalt
    requestheaders = request = server_connect = http_connect  # in next_layer it would stop mitmproxy itself
"""

UNDOES = """
class Undoes:
    def http_connect(self, flow):
        flow.response = None
    requestheaders = request = http_connect
"""

RAISES = """
class Raises:
    def http_connect(self, flow):
        raise RuntimeError("a script of somebody else's")
    requestheaders = request = next_layer = server_connect = tcp_message = http_connect
"""

STREAMS = """
class Streams:
    def requestheaders(self, flow):
        flow.request.stream = True
"""

SCRIPTS = {"raises AddonHalt": HALTS, "undoes our answers": UNDOES, "raises": RAISES, "streams all bodies": STREAMS}


def refused_everywhere(proxy: Proxy, origin: Origin) -> None:
    """Plain HTTP, CONNECT, a browser's CONNECT, SNI, Host: all refused, and nothing upstream."""
    curl(proxy, "http://www.banned.test/the-secret")
    curl(proxy, "https://www.banned.test/the-secret")
    assert curl(proxy, "-d", "the-secret", "http://www.banned.test/").exit != 28, "no answer in time"
    with client(proxy, BROWSER) as browser:
        answer = browser.get("https://www.banned.test/the-secret")
    assert answer.status_code == 403
    assert "Bad App is blocked" in answer.text
    assert origin.connections == 0
    with pytest.raises((ssl.SSLError, OSError)):
        tls(tunnel(proxy, "innocent.test:443"), "www.banned.test")
    curl(proxy, "-H", "Host: www.banned.test", "https://innocent.test/the-secret")
    curl(proxy, "-H", "Host: www.banned.test", "http://innocent.test/the-secret")
    assert b"the-secret" not in origin.received


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_script_that(start: Start, origin: Origin, tmp_path: Path, script: str, place: str) -> None:
    name = script.partition("class ")[2].partition(":")[0]
    (tmp_path / "script.py").write_text(f"{script}\naddons = [{name}()]\n")
    proxy = start(SMALL, **{place: [tmp_path / "script.py"]})
    refused_everywhere(proxy, origin)
    assert curl(proxy, "http://innocent.test/").status == 200


HALTED = {"both hooks": "requestheaders = request", "its head": "requestheaders", "its body": "request"}


@pytest.mark.parametrize("hooks", HALTED.values(), ids=HALTED)
def test_a_halt_hides_no_dns_over_https(start: Start, origin: Origin, tmp_path: Path, hooks: str) -> None:
    """A script that raises `AddonHalt` keeps mitmproxy from asking our last entry."""
    (tmp_path / "script.py").write_text(
        f"""{HALTS.partition("    def")[0]}    def halts(self, flow):\n        raise AddonHalt\n    {hooks} = halts\n
addons = [Halts()]"""
    )
    proxy = start(SMALL, before=[tmp_path / "script.py"])
    passed = 0
    for name in ("www.banned.test", "innocent.test"):
        body = tmp_path / name
        body.write_bytes(query(name))
        encoded = base64.urlsafe_b64encode(query(name)).rstrip(b"=").decode()
        message = ("--data-binary", f"@{body}", "-H", "Content-Type: application/dns-message")
        for arguments in ((f"http://innocent.test/dns-query?dns={encoded}",), (*message, "http://innocent.test/")):
            answer = curl(proxy, *arguments)
            passed += "innocent.test" in name
            assert answer.status == 200
            assert origin.connections == passed
    records = proxy.wait_decisions(0, 2)
    assert {field(record, "dns.question.name") for record in records} == {"www.banned.test"}


FAULT = """
import embargo.enforce.gate as gate

judge = gate.decide

def fails(policy, request):
    if any("fault" in name.text for name in request.names):
        raise RuntimeError("a fault of ours")
    return judge(policy, request)

gate.decide = fails
"""


@pytest.fixture(scope="module")
def faulty(start_for_module: Start, tmp_path_factory: pytest.TempPathFactory) -> Proxy:
    script = tmp_path_factory.mktemp("fault") / "fault.py"
    script.write_text(FAULT)
    return start_for_module(SMALL, after=[script])


def errors(proxy: Proxy) -> int:
    return proxy.status()["flows"]["errors"]  # type: ignore[index,no-any-return]


def test_a_fault_of_ours_refuses_plain_http(faulty: Proxy, origin: Origin) -> None:
    before = errors(faulty)
    assert curl(faulty, "http://fault.test/the-secret").status == 503
    record = faulty.wait_record(embargo__surface="http", embargo__reason="error")
    assert field(record, "event.action") == "block"
    assert field(record, "event.outcome") == "failure"
    assert field(record, "error.type") == "RuntimeError"
    assert "a fault of ours" in str(field(record, "error.message"))
    assert errors(faulty) > before
    assert origin.connections == 0


def test_a_fault_of_ours_refuses_a_connect(faulty: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused, match="503"):
        tunnel(faulty, "fault.test:443")
    with pytest.raises(Refused, match="503"):
        tunnel(faulty, "fault.test:443", "User-Agent: Mozilla/5.0")
    assert origin.connections == 0


def test_a_fault_of_ours_refuses_a_handshake_and_a_host(faulty: Proxy, origin: Origin) -> None:
    with pytest.raises((ssl.SSLError, OSError)):
        tls(tunnel(faulty, "innocent.test:443"), "fault.test")
    assert curl(faulty, "-H", "Host: fault.test", "https://innocent.test/the-secret").status == 503
    assert b"the-secret" not in origin.received


def test_a_fault_of_ours_refuses_a_raw_stream(faulty: Proxy, origin: Origin) -> None:
    with tunnel(faulty, f"innocent.test:{origin.greeter_port}") as connection:
        assert connection.recv(100) == b"220 greeter ready\r\n"
        connection.sendall(b"GET / HTTP/1.1\r\nHost: fault.test\r\n\r\n")
        assert read_all(connection) == b""
    assert origin.received == b""


def test_others_pass_beside_a_fault_of_ours(faulty: Proxy, origin: Origin) -> None:
    assert curl(faulty, "https://innocent.test/").status == 200


def test_the_script_file_may_be_touched_broken_and_lost(start: Start, origin: Origin, tmp_path: Path) -> None:
    """mitmproxy reloads a script that changes, and unloads one that is broken or gone; the gate stays."""
    script = tmp_path / "enforce.py"
    shutil.copy(SCRIPT, script)
    proxy = start(SMALL, script=script)
    loads = f"Loading script {script}"
    assert proxy.text().count(loads) == 1

    script.write_text(SCRIPT.read_text() + "# touched\n")
    proxy.wait(lambda: proxy.text().count(loads) == 2, "the script to be loaded again")
    refused_everywhere(proxy, origin)
    origin.reset()

    script.write_text("this is no Python\n")
    proxy.wait(lambda: f"error in script {script}" in proxy.text(), "the script to fail")
    refused_everywhere(proxy, origin)
    origin.reset()

    script.unlink()
    proxy.wait(lambda: f"Removing script {script}" in proxy.text(), "the script to be removed")
    refused_everywhere(proxy, origin)
    assert curl(proxy, "http://innocent.test/").status == 200

    before = proxy.status()["reloads"]["ok"]  # type: ignore[index]
    proxy.policy.write_text(SMALL.replace("banned.test", "other.test"))
    proxy.wait(lambda: proxy.status()["reloads"]["ok"] > before, "the policy to be followed still")  # type: ignore[index]
    assert curl(proxy, "http://banned.test/").status == 200
    assert curl(proxy, "http://other.test/").status == 403


def test_flows_can_be_saved(start: Start, origin: Origin, tmp_path: Path) -> None:
    """`-w`: what we remember of a flow must not get in the way."""
    proxy = start(SMALL, options=["-w", str(tmp_path / "flows")])
    assert curl(proxy, "http://innocent.test/").status == 200
    assert curl(proxy, "http://banned.test/").status == 403
    curl(proxy, "https://banned.test/")
    with client(proxy, BROWSER) as browser:
        browser.get("https://banned.test/")
    proxy.stop()
    assert "Traceback" not in proxy.text()
    with (tmp_path / "flows").open("rb") as file:
        statuses = [flow.response.status_code for flow in FlowReader(file).stream()]  # type: ignore[attr-defined]
    assert statuses.count(403) >= 2
    assert 200 in statuses
