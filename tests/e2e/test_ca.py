"""A CA with name constraints: pages and paths it permits, nothing opened beyond; who rejects our certificate."""

import base64
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy.certs import CertStore
from OpenSSL import SSL
from playwright.sync_api import BrowserContext, sync_playwright

from e2e.clients import BOUND, Refused, curl, fingerprint, read_response, tls, tunnel
from e2e.company import Company
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

CHROMIUM = shutil.which("chromium")
BROWSER = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
NEEDED = SMALL.replace("settings:\n", "settings:\n  decrypt: needed\n")
GROWN = NEEDED.replace('{url: "pages.test/bad/*", role: web}', '{url: "pages.test/bad/*"}\n      - outgrown.test\n'
                       '      - {url: "later.test/bad/*"}')  # fmt: skip


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="module")
def constrained(company: Company) -> Path:
    """mitmproxy's directory with an intermediate for what the small policy opens."""
    return company.confdir(NEEDED, "small")


@pytest.fixture(scope="module")
def needed(start_for_module: Start, constrained: Path) -> Proxy:
    return start_for_module(NEEDED, command="embargo", confdir=constrained)


@pytest.fixture(scope="module")
def opening(start_for_module: Start, constrained: Path) -> Proxy:
    """`decrypt: all` with the same CA."""
    return start_for_module(SMALL, confdir=constrained)


@pytest.fixture(scope="module")
def grown(start_for_module: Start, constrained: Path) -> Proxy:
    """A policy that needs more than the CA permits."""
    return start_for_module(GROWN, confdir=constrained)


def trusting(company: Company, proxy: Proxy, *arguments: str) -> subprocess.CompletedProcess[str]:
    """curl as a managed client: it trusts the company's root alone."""
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "", "-x", f"http://127.0.0.1:{proxy.port}", "--cacert", str(company.root),
         "--max-time", str(BOUND), "-w", "\n%{http_code}", *arguments],
        capture_output=True, text=True, timeout=2 * BOUND, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("which", ["needed", "opening"])
def test_the_page_of_a_permitted_name(
    request: pytest.FixtureRequest, company: Company, origin: Origin, which: str
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    done = trusting(company, proxy, "-A", "Mozilla/5.0", "-H", "Accept: text/html", "https://www.banned.test/x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n403")
    assert "Bad App is blocked" in done.stdout
    assert origin.connections == 0


@pytest.mark.parametrize("which", ["needed", "opening"])
def test_a_path_is_banned_at_a_permitted_name(
    request: pytest.FixtureRequest, company: Company, origin: Origin, which: str
) -> None:
    """What passes carries the name it was asked for alone: the origin's certificate names innocent.test."""
    proxy: Proxy = request.getfixturevalue(which)
    assert trusting(company, proxy, "https://pages.test/bad/x").stdout.endswith("\n403")
    good = trusting(company, proxy, "https://pages.test/good/")
    assert good.returncode == 0, good.stderr
    assert good.stdout.endswith("\n200")


def test_the_leaf_has_no_name_but_the_one_asked_for(opening: Proxy, origin: Origin) -> None:
    """A tunnel by address, as a transparent client's: mitmproxy adds the address and the origin's names by itself."""
    with tls(tunnel(opening, "198.51.100.7:443"), "pages.test") as inside:
        leaf = x509.load_der_x509_certificate(inside.getpeercert(binary_form=True) or b"")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("pages.test")]


NEVER_OPENED = {  # case: (proxy, host)
    "needed: an innocent": ("needed", "innocent.test"),
    "all: an innocent": ("opening", "innocent.test"),
    "all: a logged app": ("opening", "www.watched.test"),
    "all: a name beside a permitted one": ("opening", "notpages.test"),
    "all: no server name": ("opening", None),
    "a banned path the CA does not permit": ("grown", "later.test"),
}


@pytest.mark.parametrize(("which", "host"), NEVER_OPENED.values(), ids=NEVER_OPENED)
def test_what_the_ca_does_not_permit_is_never_opened(
    request: pytest.FixtureRequest, origin: Origin, which: str, host: str | None
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    with tls(tunnel(proxy, f"{host or 'innocent.test'}:443"), host) as inside:
        assert fingerprint(inside) == origin.fingerprint
        inside.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_response(inside)[0] == 200


def test_a_banned_name_that_is_not_permitted_is_refused_without_a_page(grown: Proxy, origin: Origin) -> None:
    with pytest.raises(Refused, match="403"):
        tunnel(grown, "www.outgrown.test:443", BROWSER)
    with pytest.raises(Refused, match="403"):
        tunnel(grown, "203.0.113.9:443", BROWSER)  # no address is permitted
    assert origin.connections == 0


def test_another_server_name_in_a_page_tunnel_gets_an_alert(needed: Proxy, origin: Origin) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        tls(tunnel(needed, "banned.test:443", BROWSER), "bank.test")
    assert origin.connections == 0


def test_the_operator_hears_of_names_that_the_ca_does_not_permit(grown: Proxy, origin: Origin) -> None:
    assert "embargo: the CA does not permit later.test" in grown.text()
    assert "pages.test" not in grown.text()
    with tls(tunnel(grown, "later.test:443"), "later.test"):
        pass
    grown.wait(lambda: "later.test is not opened" in grown.text(), "the warning")
    status = grown.status()
    assert status is not None
    assert status["ca"]["not_permitted"] == ["later.test"]
    assert status["ca"]["not_opened"] >= 1
    shown = grown.command("status")
    assert shown.returncode == 1
    assert "the CA does not permit later.test" in shown.stdout


def test_status_shows_the_ca(needed: Proxy, constrained: Path) -> None:
    certificate = x509.load_pem_x509_certificate((constrained / "mitmproxy-ca-cert.pem").read_bytes())
    status = needed.status()
    assert status is not None
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
    assert status["ca"]["fingerprint"] == digest
    assert status["ca"]["constrained"] is True
    assert status["ca"]["certificates"] == 2
    shown = needed.command("status")
    colons = ":".join(digest[at : at + 2] for at in range(0, 64, 2)).upper()
    assert colons in shown.stdout
    assert "expires in 19 days" in shown.stdout  # signed for 20
    assert "embargo: the CA expires in 19 days" in needed.text()
    assert shown.returncode == 1


class Forger:
    """A TLS server whose leaf, signed by the constrained CA, is for a name that the CA does not permit."""

    def __init__(self, confdir: Path, name: str) -> None:
        store = CertStore.from_store(confdir, "mitmproxy", 2048)
        entry = store.get_cert(name, [x509.DNSName(name)])
        chain = [entry.cert, *(each for each in store.default_chain_certs)]
        key = entry.privatekey.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = confdir / "forged.pem"
        file.write_bytes(key + b"".join(each.to_pem() for each in chain))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(BOUND)
            try:
                with self._context.wrap_socket(connection, server_side=True) as inside:
                    inside.recv(65536)
                    inside.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            except OSError:
                pass

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(BOUND)


type Forge = Callable[[str], Forger]


@pytest.fixture
def forge(constrained: Path) -> Iterator[Forge]:
    """Starts a server with a leaf for any name."""
    servers: list[Forger] = []

    def start(name: str) -> Forger:
        servers.append(Forger(constrained, name))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


FORGED = {"within the constraints": "pages.test", "outside of them": "bank.test"}


@pytest.mark.parametrize("name", FORGED.values(), ids=FORGED)
def test_curl_takes_a_leaf_within_the_constraints_alone(company: Company, forge: Forge, name: str) -> None:
    port = forge(name).port
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--cacert", str(company.root), "--max-time", str(BOUND),
         "--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/"],
        capture_output=True, text=True, timeout=2 * BOUND, check=False,
    )  # fmt: skip
    if name == "pages.test":
        assert (done.returncode, done.stdout) == (0, "forged")
    else:
        assert (done.returncode, done.stdout) == (60, "")
        assert "permitted subtree violation" in done.stderr


@pytest.fixture
def managed(company: Company, tmp_path: Path) -> Iterator["Managed"]:
    """A Chromium that trusts the company's root as a managed device does: its own store, no check turned off."""
    managed = Managed(company, tmp_path)
    yield managed
    managed.stop()


class Managed:
    def __init__(self, company: Company, home: Path) -> None:
        assert CHROMIUM, "no chromium: run tools/install-test-tools"
        assert shutil.which("certutil"), "no certutil: run tools/install-test-tools"
        store = home / ".pki" / "nssdb"
        store.mkdir(parents=True)
        for arguments in (
            ["-N", "--empty-password"],
            ["-A", "-n", "Example Corp", "-t", "C,,", "-i", str(company.root)],
        ):
            subprocess.run(["certutil", "-d", f"sql:{store}", *arguments], check=True, timeout=BOUND)
        self.home = home
        self._playwright = sync_playwright().start()
        self._contexts: list[BrowserContext] = []

    def open(self, *, proxy: Proxy | None = None, resolve: str = "") -> BrowserContext:
        arguments = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
        if resolve:
            arguments.append(f"--host-resolver-rules={resolve}")
        context = self._playwright.chromium.launch_persistent_context(
            self.home / f"profile-{len(self._contexts)}",
            executable_path=CHROMIUM,
            args=arguments,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            proxy={"server": f"http://127.0.0.1:{proxy.port}"} if proxy is not None else None,
        )
        self._contexts.append(context)
        return context

    def stop(self) -> None:
        for context in self._contexts:
            context.close()
        self._playwright.stop()


def test_chromium_shows_the_page_and_nothing_else_is_opened(managed: Managed, opening: Proxy, origin: Origin) -> None:
    page = managed.open(proxy=opening).new_page()
    response = page.goto("https://www.banned.test/")
    assert response is not None
    assert response.status == 403
    assert page.get_by_role("heading", level=1).inner_text() == "Bad App is blocked"
    assert b"banned.test" not in origin.received
    security = response.security_details()
    assert security is not None
    assert security["issuer"] == "embargo proxy CA"
    with pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):  # the origin's own, which this client distrusts
        page.goto("https://innocent.test/")


@pytest.mark.parametrize("name", FORGED.values(), ids=FORGED)
def test_chromium_takes_a_leaf_within_the_constraints_alone(managed: Managed, forge: Forge, name: str) -> None:
    page = managed.open(resolve=f"MAP {name} 127.0.0.1:{forge(name).port}").new_page()
    if name == "pages.test":
        page.goto(f"https://{name}/")
        assert page.locator("body").inner_text() == "forged"
    else:
        with pytest.raises(Exception, match="ERR_CERT_INVALID"):
            page.goto(f"https://{name}/")


# -- clients that reject our certificate


def reject(proxy: Proxy, agent: str, *, alert: bool, target: str = "banned.test") -> None:
    """A client in a page tunnel that does not want our certificate, and says so or only goes away."""
    connection = tunnel(proxy, f"{target}:443", f"User-Agent: {agent}")
    if alert:
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(connection, server_hostname=target)
        return
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    client.set_connect_state()
    client.set_tlsext_host_name(target.encode())
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    connection.sendall(client.bio_read(65536))
    assert connection.recv(5)
    connection.close()


def rejecting(proxy: Proxy, agent: str) -> list[dict[str, object]]:
    status = proxy.status()
    assert status is not None
    return [each for each in status["rejecting"]["listed"] if each["user_agent"] == agent]


def refused(proxy: Proxy, agent: str) -> bool:
    try:
        tunnel(proxy, "banned.test:443", f"User-Agent: {agent}").close()
    except Refused:
        return True
    return False


def test_a_client_that_rejects_our_certificate_is_refused_from_then_on(needed: Proxy) -> None:
    agent = "Mozilla/5.0 says unknown_ca"
    reject(needed, agent, alert=True)
    needed.wait(lambda: rejecting(needed, agent), "the client to be listed")
    (client,) = rejecting(needed, agent)
    assert (client["client"], client["why"], client["times"]) == ("127.0.0.1", "unknown ca", 1)
    assert client["until"]
    assert refused(needed, agent)
    assert not refused(needed, "Mozilla/5.0 another")
    shown = needed.command("status").stdout
    assert "reject our certificate" in shown
    assert f"127.0.0.1  {agent}" in shown
    records = needed.records(user_agent__original=agent)
    assert {field(record, "http.response.status_code") for record in records} == {403}


def test_a_client_that_only_goes_away_is_refused_the_second_time(needed: Proxy) -> None:
    agent = "Mozilla/5.0 goes away"
    status = needed.status()
    assert status is not None
    before = status["rejecting"]["handshakes"]
    reject(needed, agent, alert=False)
    reject(needed, agent, alert=False)
    needed.wait(lambda: rejecting(needed, agent), "the client to be listed")
    (client,) = rejecting(needed, agent)
    assert client["why"] == "went away"
    assert (needed.status() or {})["rejecting"]["handshakes"] == before + 1
    assert refused(needed, agent)


def test_a_script_in_a_stock_mitmdump_warns_of_mitm_it(opening: Proxy, needed: Proxy) -> None:
    assert "embargo: http://mitm.it hands the CA's certificate to whoever asks; set onboarding=false" in opening.text()
    assert "mitm.it" not in needed.text()


def test_mitm_it_gives_nothing_of_the_ca(needed: Proxy, constrained: Path, origin: Origin) -> None:
    certificate = (constrained / "mitmproxy-ca-cert.pem").read_bytes()
    body = base64.b64decode(b"".join(certificate.splitlines()[1:-1]))[:64]
    for path in ("", "cert/pem", "cert/p12", "cert/cer", "cert/magisk"):
        answer = curl(needed, f"http://mitm.it/{path}")
        assert answer.body.startswith("<title>origin</title>"), "what stands there is the name's own server"
        assert "CERTIFICATE" not in answer.body
        assert body not in answer.body.encode("utf-8", "replace")
