"""TLS: judged by its SNI before anything goes upstream, opened only where the policy needs it."""

import contextlib
import socket
import ssl
import threading

import pytest
from OpenSSL import SSL

from e2e.clients import BOUND, Refused, curl, fingerprint, read_all, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import Proxy, field

NEEDED = SMALL.replace("settings:\n", "settings:\n  decrypt: needed\n  never_decrypt: [private.test]\n")
NONE = SMALL.replace("settings:\n", "settings:\n  decrypt: none\n")
NEVER = SMALL.replace("settings:\n", "settings:\n  decrypt: all\n  never_decrypt: [private.test]\n").replace(
    "cidr: 203", "url: 'private.test/bad/*'}\n      - {cidr: 203"
)


@pytest.fixture(scope="module")
def needed(start_for_module: Start) -> Proxy:
    return start_for_module(NEEDED)


@pytest.fixture(scope="module")
def none(start_for_module: Start) -> Proxy:
    return start_for_module(NONE)


@pytest.fixture(scope="module")
def never(start_for_module: Start) -> Proxy:
    return start_for_module(NEVER)


BANNED_SNI = {"all": "small", "needed": "needed", "none": "none"}


@pytest.mark.parametrize("which", BANNED_SNI.values(), ids=BANNED_SNI)
def test_a_banned_sni_gets_an_alert(request: pytest.FixtureRequest, origin: Origin, which: str) -> None:
    """Innocent CONNECT and Host, banned SNI: domain fronting the other way round."""
    proxy: Proxy = request.getfixturevalue(which)
    before = proxy.settled()
    connection = tunnel(proxy, "innocent.test:443")
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        tls(connection, "www.banned.test")
    (record,) = proxy.wait_decisions(before, 1)
    assert field(record, "embargo.surface") == "tls"
    assert field(record, "embargo.mismatch") is True
    assert field(record, "tls.client.server_name") == "www.banned.test"
    assert field(record, "destination.domain") == "innocent.test"
    assert origin.received == b""


def test_a_banned_host_behind_an_innocent_sni(small: Proxy, origin: Origin) -> None:
    with tls(tunnel(small, "innocent.test:443"), "innocent.test") as inside:
        inside.sendall(b"GET /fronted HTTP/1.1\r\nHost: www.banned.test\r\n\r\n")
        assert read_response(inside)[0] == 403
    record = small.wait_record(url__path="/fronted")
    assert field(record, "embargo.mismatch") is True
    assert field(record, "url.domain") == "www.banned.test"
    assert b"fronted" not in origin.received


def test_the_alert_comes_without_a_certificate_of_ours(small: Proxy, origin: Origin) -> None:
    connection = tunnel(small, "innocent.test:443")
    from clienthello import client_hello

    connection.sendall(client_hello("banned.test"))
    assert read_all(connection) == bytes.fromhex("15030300020231")


NOT_OPENED = {  # with the policy as shipped
    "an innocent": "www.example.test",
    "Apple's store": "apps.apple.com",
    "Apple": "www.apple.com",
    "Google Play": "play.google.com",
    "Microsoft's store": "apps.microsoft.com",
    "Microsoft": "www.microsoft.com",
    "a logged app": "www.tiktok.com",
    "shared infrastructure": "www.qq.com",
}


@pytest.mark.parametrize("host", NOT_OPENED.values(), ids=NOT_OPENED)
def test_the_shipped_policy_leaves_tls_closed(shipped: Proxy, origin: Origin, host: str) -> None:
    with tls(tunnel(shipped, f"{host}:443"), host) as inside:
        assert fingerprint(inside) == origin.fingerprint


@pytest.mark.parametrize("version", ["http/1.1", "h2"])
def test_what_stays_closed_works(shipped: Proxy, origin: Origin, version: str) -> None:
    option = "--http2" if version == "h2" else "--http1.1"
    assert curl(shipped, option, "https://apps.apple.com/us/app/alipay/id333206289").status == 200


def test_the_shipped_policy_opens_what_it_must(shipped: Proxy, origin: Origin) -> None:
    """QQ's installers lie on a host of other Tencent downloads: a path decides."""
    with tls(tunnel(shipped, "dldir1.qq.com:443"), "dldir1.qq.com") as inside:
        assert fingerprint(inside) != origin.fingerprint
    assert curl(shipped, "https://dldir1.qq.com/qqfile/qq/QQNT/setup.exe").status == 403
    assert curl(shipped, "https://dldir1.qq.com/weixin/Windows/WeChatSetup.exe").status == 200


OPENED = {  # case: (proxy, host, whether TLS is opened)
    "all: an innocent": ("small", "innocent.test", True),
    "all: a label that ends in a hyphen": ("small", "a-.innocent.test", False),
    "all: a label that begins with one": ("small", "-a.innocent.test", False),
    "needed: an innocent": ("needed", "innocent.test", False),
    "needed: a logged app": ("needed", "www.watched.test", False),
    "needed: a host with a blocked path": ("needed", "pages.test", True),
    "needed: below that host": ("needed", "www.pages.test", False),
    "none: an innocent": ("none", "innocent.test", False),
    "none: a host with a blocked path": ("none", "pages.test", False),
    "never_decrypt wins over all": ("never", "private.test", False),
    "never_decrypt covers what lies below": ("never", "www.private.test", False),
    "never_decrypt leaves others to all": ("never", "innocent.test", True),
}


@pytest.mark.parametrize(("which", "host", "opened"), OPENED.values(), ids=OPENED)
def test_whether_tls_is_opened(
    request: pytest.FixtureRequest, origin: Origin, which: str, host: str, opened: bool
) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    with tls(tunnel(proxy, f"{host}:443"), host) as inside:
        assert (fingerprint(inside) != origin.fingerprint) is opened


@pytest.mark.parametrize("name", ["a-.innocent.test", "-a.innocent.test"])
def test_what_cannot_be_opened_though_it_has_to_is_refused(small: Proxy, origin: Origin, name: str) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)access.denied"):
        tls(tunnel(small, "pages.test:443"), name)
    assert small.wait_record(tls__client__server_name=name, embargo__reason="undecided")
    assert origin.received == b""


def test_a_blocked_path_is_refused_and_its_neighbour_passes(needed: Proxy, origin: Origin) -> None:
    assert curl(needed, "https://pages.test/bad/secret").status == 403
    assert curl(needed, "https://pages.test/BAD/./x//y").status == 403
    assert curl(needed, "https://pages.test/good/").status == 200
    assert b"secret" not in origin.received


def test_tunnelled_tls_is_still_recorded_and_refused(none: Proxy, origin: Origin) -> None:
    assert curl(none, "https://www.watched.test/").status == 200
    record = none.wait_record(destination__domain="www.watched.test")
    assert field(record, "embargo.verdict") == "log"
    with pytest.raises(Refused, match="403"):
        tunnel(none, "banned.test:443", "User-Agent: Mozilla/5.0")  # no page where nothing may be opened
    assert origin.connections == 1


def test_a_hello_without_a_name_is_judged_by_the_tunnel(small: Proxy, origin: Origin) -> None:
    with tls(tunnel(small, "innocent.test:443"), None) as inside:
        inside.sendall(b"GET / HTTP/1.1\r\nHost: innocent.test\r\n\r\n")
        assert read_response(inside)[0] == 200


class Retrying:
    """A TLS server that asks each client for a second ClientHello, since it takes no key share of the first."""

    def __init__(self, origin: Origin) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(origin.certificate, origin.key)
        context.set_ecdh_curve("secp384r1")
        self.names: list[str] = []  # as the server takes them
        self.received = b""
        context.sni_callback = lambda _, name, __: self.names.append(name)  # type: ignore[assignment]
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listener, self._listener.accept()[0] as connection:
            connection.settimeout(BOUND)
            with self._context.wrap_socket(connection, server_side=True) as inside:
                self.received = inside.recv(100)
                inside.sendall(b"answer")

    def join(self) -> None:
        self._thread.join(BOUND)


def say_twice(connection: socket.socket, first: bytes, second: bytes) -> bytes:
    """A handshake whose first ClientHello names *first* and whose second names *second*; then a secret."""
    client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
    client.set_connect_state()
    client.set_tlsext_host_name(first)
    done = False
    while not done:
        try:
            client.do_handshake()
            done = True
        except SSL.WantReadError:
            pass
        with contextlib.suppress(SSL.WantReadError):
            connection.sendall(client.bio_read(65536))
        client.set_tlsext_host_name(second)
        if not done:
            client.bio_write(connection.recv(65536))
    client.send(b"secret")
    connection.sendall(client.bio_read(65536))
    while True:
        client.bio_write(connection.recv(65536))
        with contextlib.suppress(SSL.WantReadError):
            return client.recv(100)


SECOND_NAMES = {"a banned one": b"www.banned.test", "an innocent other": b"other.test"}


@pytest.mark.parametrize("name", SECOND_NAMES.values(), ids=SECOND_NAMES)
@pytest.mark.parametrize("which", ["needed", "none"])
def test_a_second_hello_with_another_name_is_refused(
    request: pytest.FixtureRequest, origin: Origin, which: str, name: bytes
) -> None:
    """A HelloRetryRequest makes the client name the server again; OpenSSL's takes the second name."""
    proxy: Proxy = request.getfixturevalue(which)
    before, server = proxy.settled(), Retrying(origin)
    with pytest.raises(SSL.Error, match="access denied"):
        say_twice(tunnel(proxy, f"innocent.test:{server.port}"), b"innocent.test", name)
    server.join()
    assert (server.names, server.received) == (["innocent.test"], b"")
    (record,) = proxy.wait_decisions(before, 1)
    assert field(record, "embargo.verdict") == "block"
    assert field(record, "embargo.app") == (["bad"] if b"banned" in name else [])


@pytest.mark.parametrize("which", ["needed", "none"])
def test_a_second_hello_with_the_same_name_passes(request: pytest.FixtureRequest, origin: Origin, which: str) -> None:
    proxy: Proxy = request.getfixturevalue(which)
    server = Retrying(origin)
    with tunnel(proxy, f"innocent.test:{server.port}") as connection:
        assert say_twice(connection, b"innocent.test", b"innocent.test") == b"answer"
    assert server.received == b"secret"
