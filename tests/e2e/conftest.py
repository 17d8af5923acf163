"""The origin and the proxies that the tests of a module share; those that a test breaks, it starts itself."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e import dns_fronts
from e2e.dns_fronts import Bare, Fronts
from e2e.dns_origin import DnsOrigin
from e2e.origin import Origin
from e2e.proxy import ROOT, Proxy

HERE = Path(__file__).parent
SHIPPED = ROOT / "domains.yaml"

SMALL = """\
version: 1
settings:
  organization: Example Corp
  contact: "https://help.example.com/?incident={incident}"
apps:
  bad:
    name: Bad App
    vendor: Bad & Sons
    endpoints:
      - {domain: banned.test, role: api}
      - {cidr: 203.0.113.0/24, role: messaging}
      - {url: "pages.test/bad/*", role: web}
  watched:
    name: Watched App
    endpoints: [{domain: watched.test}]
rules:
  - {id: watch, apps: watched, action: log}
  - {id: ban, apps: bad, action: block, message: This app is not allowed here., reason: a secret reason,
     ticket: SECRET-1, approved_by: secret approver}
"""  # decrypt: all, which is mitmproxy's own way


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def the_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    origin = Origin(tmp_path_factory.mktemp("origin")).start()
    yield origin
    origin.stop()


@pytest.fixture
def origin(the_origin: Origin) -> Origin:
    """The origin, its counts at zero."""
    the_origin.reset()
    return the_origin


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where mitmproxy's CA lies: made once."""
    return tmp_path_factory.mktemp("confdir")


type Start = Callable[..., Proxy]


def _starter(origin: Origin, confdir: Path, factory: pytest.TempPathFactory) -> Iterator[Start]:
    started: list[Proxy] = []

    def start(policy: Any = SMALL, *, ready: bool = True, **options: Any) -> Proxy:
        directory = options.pop("directory", None) or factory.mktemp("proxy")
        options.setdefault("confdir", confdir)
        proxy = Proxy(directory, policy, http=origin.http_port, https=origin.https_port, **options)
        started.append(proxy)
        return proxy.wait_ready() if ready else proxy

    yield start
    for proxy in started:
        proxy.stop()


@pytest.fixture
def start(the_origin: Origin, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a proxy that ends with the test."""
    yield from _starter(the_origin, confdir, tmp_path_factory)


@pytest.fixture(scope="module")
def start_for_module(the_origin: Origin, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a proxy that the tests of a module share."""
    yield from _starter(the_origin, confdir, tmp_path_factory)


@pytest.fixture(scope="module")
def shipped(start_for_module: Start) -> Proxy:
    """A proxy with the policy as shipped."""
    return start_for_module([SHIPPED])


@pytest.fixture(scope="module")
def small(start_for_module: Start) -> Proxy:
    """A proxy with the small policy of the tests, which opens all TLS."""
    return start_for_module(SMALL)


# -- DNS


@pytest.fixture(scope="session")
def the_server(the_origin: Origin) -> Iterator[DnsOrigin]:
    server = DnsOrigin(tls=(the_origin.certificate, the_origin.key))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def the_resolver() -> Iterator[DnsOrigin]:
    """What mitmproxy's own resolver asks. Port 53 takes root, or the right to bind low ports."""
    server = DnsOrigin(dns_fronts.RESOLVER, 53)
    yield server
    server.stop()


@pytest.fixture
def server(the_server: DnsOrigin, the_resolver: DnsOrigin) -> DnsOrigin:
    """The name server behind the proxy, its counts and the resolver's at zero."""
    the_resolver.reset()
    the_server.reset()
    return the_server


@pytest.fixture(scope="module")
def ports(the_server: DnsOrigin) -> Iterator[None]:
    """Ports 53 and 853, wherever they are, lead to the name server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBARGO_TEST_PORTS", f"53:{the_server.port} 853:{the_server.tls_port}")
        yield


@pytest.fixture(scope="module")
def enforcing(start_for_module: Start, ports: None, the_server: DnsOrigin, the_resolver: DnsOrigin) -> Fronts:
    """A proxy that carries DNS, and refuses."""
    return dns_fronts.fronts(start_for_module, dns_fronts.POLICY, the_server)


@pytest.fixture(scope="module")
def monitoring(start_for_module: Start, ports: None, the_server: DnsOrigin, the_resolver: DnsOrigin) -> Fronts:
    """The same, in monitor mode."""
    policy = dns_fronts.POLICY.replace("version: 1\n", "version: 1\nsettings: {mode: monitor}\n")
    return dns_fronts.fronts(start_for_module, policy, the_server, "--set", "stream_large_bodies=1m")


@pytest.fixture(scope="module")
def bare(
    ports: None,
    tmp_path_factory: pytest.TempPathFactory,
    the_server: DnsOrigin,
    the_resolver: DnsOrigin,
    the_origin: Origin,
    confdir: Path,
) -> Iterator[Bare]:
    """The same mitmdump without us."""
    environment = {
        **os.environ,
        "EMBARGO_TEST_HTTP": str(the_origin.http_port),
        "EMBARGO_TEST_HTTPS": str(the_origin.https_port),
        "PYTHONUNBUFFERED": "1",
    }
    running = Bare(tmp_path_factory.mktemp("bare"), the_server, confdir, environment)
    yield running
    running.process.terminate()
    running.process.wait(15)
