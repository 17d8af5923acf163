"""Every way of starting the proxy blocks, and a client that wants no page is shown none."""

import ssl

import pytest

from e2e.clients import BROWSER, Refused, client, curl, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field


@pytest.mark.parametrize("command", ["mitmdump", "mitmweb", "mitmproxy", "embargo"])
def test_blocks_under(start: Start, origin: Origin, command: str) -> None:
    proxy = start(SMALL, command=command)
    assert curl(proxy, "http://banned.test/").status == 403
    assert curl(proxy, "https://banned.test/").connect == 403
    with client(proxy, BROWSER) as browser:
        assert "Bad App is blocked" in browser.get("https://banned.test/").text
    assert origin.connections == 0
    assert curl(proxy, "--http2", "https://innocent.test/").status == 200
    assert field(proxy.wait_record(embargo__surface="connect"), "embargo.app") == ["bad"]
    proxy.stop()
    assert "Traceback" not in proxy.text()


def refused(proxy: Proxy, *headers: str) -> bool:
    try:
        tunnel(proxy, "banned.test:443", *headers).close()
    except Refused:
        return True
    return False


def test_a_client_that_rejects_our_certificate(start: Start, origin: Origin) -> None:
    """It gets one tunnel to the page; from then on it is refused where it can see why."""
    proxy = start(SMALL)
    agent = "User-Agent: Mozilla/5.0 (pinned)"
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(tunnel(proxy, "banned.test:443", agent), server_hostname="banned.test")
    proxy.wait(lambda: refused(proxy, agent), "the refusal at CONNECT")
    assert not refused(proxy, "User-Agent: Mozilla/5.0 (another)")
    assert origin.connections == 0


def test_raw_bytes_in_a_page_tunnel_are_refused(start: Start, origin: Origin) -> None:
    proxy = start(SMALL)
    with tunnel(proxy, "banned.test:443", "User-Agent: Mozilla/5.0") as connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        assert connection.recv(100) == b""
    assert origin.connections == 0
