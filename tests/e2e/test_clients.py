"""Clients as they are: with other TLS stacks, other hellos. A page or a clean error, never a hang; innocents pass.

Chromium has tests of its own (`test_browser.py`).
"""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.clients import BOUND, connect, read_all, read_response, tunnel
from e2e.conftest import SMALL, Start
from e2e.hellos import HELLOS, server_answers
from e2e.origin import Origin, client_context
from e2e.proxy import Proxy

type Run = Callable[[Proxy, str], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def proxy(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, options=["--set", "flow_detail=0"])


def run(*command: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """One client, which has `BOUND` seconds: more is a hang."""
    return subprocess.run(
        command, input=text, capture_output=True, text=True, errors="replace", timeout=BOUND, check=False,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )  # fmt: skip


def request(host: str) -> str:
    return f"GET /the-secret HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def openssl(*options: str) -> Run:
    def client(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
        return run(
            "openssl", "s_client", "-proxy", f"127.0.0.1:{proxy.port}", "-connect", f"{host}:443",
            "-servername", host, "-quiet", "-ign_eof", *options, text=request(host),
        )  # fmt: skip

    return client


def gnutls(*options: str) -> Run:
    """gnutls-cli knows no proxy: it talks to a tunnel that is open already, by a relay on standard input."""

    def client(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
        relay = Path(__file__).with_name("tunnel_relay.py")
        return run(
            "python3", str(relay), str(proxy.port), f"{host}:443",
            "gnutls-cli", "--insecure", "--sni-hostname", host, "--port", "PORT", *options, "127.0.0.1",
            text=request(host),
        )  # fmt: skip

    return client


def curl(*options: str) -> Run:
    def client(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
        return run(
            "curl", "-sSk", "--fail", "-x", f"http://127.0.0.1:{proxy.port}", *options, f"https://{host}/the-secret"
        )

    return client


NODE = """
const http = require('http'), https = require('https');
const [port, host] = process.argv.slice(1);
const connect = http.request({host: '127.0.0.1', port, method: 'CONNECT', path: host + ':443'});
connect.on('connect', (answer, socket) => {
  if (answer.statusCode !== 200) { console.error('CONNECT ' + answer.statusCode); process.exit(1); }
  https.get({host, path: '/the-secret', socket, agent: false, rejectUnauthorized: false}, response => {
    console.log(response.statusCode); response.pipe(process.stdout);
    response.on('end', () => process.exit(response.statusCode === 200 ? 0 : 1));
  }).on('error', error => { console.error(error.message); process.exit(1); });
});
connect.on('error', error => { console.error(error.message); process.exit(1); });
connect.end();
"""


def node(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
    return run("node", "-e", NODE, str(proxy.port), host)


PYTHON = """
import ssl, sys, urllib.request
context = ssl._create_unverified_context()
exec(sys.argv[3])
handlers = [urllib.request.ProxyHandler({"https": "http://127.0.0.1:" + sys.argv[1]})]
opener = urllib.request.build_opener(*handlers, urllib.request.HTTPSHandler(context=context))
sys.stdout.write(opener.open("https://" + sys.argv[2] + "/the-secret").read().decode())
"""


def python(settings: str = "") -> Run:
    def client(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
        return run("/usr/bin/env", "python3", "-c", PYTHON, str(proxy.port), host, settings)

    return client


JAVA = """
import java.net.*;
import java.net.http.*;
import java.security.cert.X509Certificate;
import javax.net.ssl.*;

public class Client {
    public static void main(String[] arguments) throws Exception {
        TrustManager[] all = {new X509ExtendedTrustManager() {
            public void checkClientTrusted(X509Certificate[] c, String a) {}
            public void checkServerTrusted(X509Certificate[] c, String a) {}
            public void checkClientTrusted(X509Certificate[] c, String a, Socket s) {}
            public void checkServerTrusted(X509Certificate[] c, String a, Socket s) {}
            public void checkClientTrusted(X509Certificate[] c, String a, SSLEngine e) {}
            public void checkServerTrusted(X509Certificate[] c, String a, SSLEngine e) {}
            public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
        }};
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, all, null);
        HttpClient client = HttpClient.newBuilder().sslContext(context)
            .proxy(ProxySelector.of(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])))).build();
        HttpResponse<String> response = client.send(
            HttpRequest.newBuilder(URI.create("https://" + arguments[1] + "/the-secret")).build(),
            HttpResponse.BodyHandlers.ofString());
        System.out.println(response.body());
        System.exit(response.statusCode() == 200 ? 0 : 1);
    }
}
"""


def java(proxy: Proxy, host: str) -> subprocess.CompletedProcess[str]:
    """JSSE, by the single-file launcher of a JDK."""
    source = proxy.directory / "Client.java"
    source.write_text(JAVA)
    return run("java", "-Xshare:auto", str(source), str(proxy.port), host)


CLIENTS: dict[str, Run] = {
    "curl, HTTP/1.1": curl("--http1.1"),
    "curl, HTTP/2": curl("--http2"),
    "curl, TLS 1.2": curl("--tls-max", "1.2"),
    "OpenSSL, TLS 1.3": openssl("-tls1_3"),
    "OpenSSL, TLS 1.2": openssl("-tls1_2"),
    "OpenSSL, one cipher": openssl("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
    "OpenSSL, a small first fragment": openssl("-max_send_frag", "512", "-split_send_frag", "512"),
    "GnuTLS": gnutls(),
    "GnuTLS, TLS 1.2": gnutls("--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2"),
    "Python": python(),
    "Python, TLS 1.2 and few ciphers": python(
        "context.maximum_version = ssl.TLSVersion.TLSv1_2; context.set_ciphers('ECDHE+AESGCM')"
    ),
    "Python, http/1.1 by ALPN": python("context.set_alpn_protocols(['http/1.1'])"),
}
if shutil.which("node"):  # where a machine has them; they are too large to be installed for this alone
    CLIENTS["Node"] = node
if shutil.which("javac"):
    CLIENTS["Java"] = java


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_client_is_refused_with_a_clean_error(proxy: Proxy, origin: Origin, client: Run) -> None:
    before = proxy.settled()
    done = client(proxy, "www.banned.test")
    assert "the-secret got" not in done.stdout
    assert done.returncode != 0 or "403" in done.stdout + done.stderr
    assert done.stdout + done.stderr
    assert origin.connections == 0
    proxy.wait_decisions(before, 1)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_the_same_client_reaches_an_innocent_place(proxy: Proxy, origin: Origin, client: Run) -> None:
    """So that the refusal above is not the client's own failure."""
    done = client(proxy, "www.innocent.test")
    assert "GET /the-secret got 0 bytes" in done.stdout, done.stderr


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS)
def test_a_hello_with_a_banned_name_gets_an_alert(proxy: Proxy, origin: Origin, hello: Callable[[str], bytes]) -> None:
    """In a tunnel to an innocent name, whole and cut in two."""
    data = hello("www.banned.test")
    for pieces in ((data,), (data[:1], data[1:]), (data[:40], data[40:])):
        with tunnel(proxy, "innocent.test:443") as connection:
            for piece in pieces:
                connection.sendall(piece)
            assert read_all(connection)[:1] == b"\x15"
    assert b"banned" not in origin.received


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS)
def test_the_same_hello_with_an_innocent_name_is_answered(
    proxy: Proxy, origin: Origin, hello: Callable[[str], bytes]
) -> None:
    with tunnel(proxy, "innocent.test:443") as connection:
        connection.sendall(hello("innocent.test"))
        assert server_answers(connection)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_https_proxy_is_no_way_around(proxy: Proxy, origin: Origin, version: ssl.TLSVersion) -> None:
    """The proxy spoken to inside TLS, as browsers do with `HTTPS host:port`: the inner CONNECT is judged."""
    context = client_context()
    context.minimum_version = context.maximum_version = version
    with context.wrap_socket(connect(proxy), server_hostname="proxy.test") as secure:
        secure.sendall(b"CONNECT www.banned.test:443 HTTP/1.1\r\nHost: www.banned.test:443\r\n\r\n")
        assert read_response(secure)[0] == 403
    assert origin.connections == 0
