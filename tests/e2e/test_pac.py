"""deploy/proxy.pac, run by a browser: what goes where, and that nothing goes beside a proxy that is down."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, Playwright, sync_playwright

from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import ROOT, Proxy
from e2e.test_browser import CHROMIUM, QUIET, TRUST

PAC = ROOT / "deploy" / "proxy.pac"
PROXY, DIRECT = "PROXY proxy.example.com:3128", "DIRECT"
CASES = {  # case: (host, where it goes)
    "a banned app": ("www.alipay.com", PROXY),
    "an innocent host": ("www.example.org", PROXY),
    "in capitals": ("WWW.ALIPAY.COM", PROXY),
    "a name without dots": ("alipay", PROXY),
    "an own host": ("wiki.corp.example.com", DIRECT),
    "the own domain": ("corp.example.com", DIRECT),
    "the own domain, with its dot": ("Wiki.Corp.Example.COM.", DIRECT),
    "look-alike on the left": ("notcorp.example.com", PROXY),
    "look-alike on the right": ("corp.example.com.alipay.com", PROXY),
    "the parent": ("example.com", PROXY),
    "an address of ours": ("10.1.2.3", DIRECT),
    "an address of others": ("203.0.113.9", PROXY),
    "one that begins like ours": ("100.64.0.1", PROXY),
    "a name that begins like an address of ours": ("10.1.2.3.alipay.com", PROXY),
    "a name of digits": ("10.example.com", PROXY),
    "a short address": ("10.1", PROXY),
    "an address as one number": ("3405803785", PROXY),
    "an address in hexadecimal": ("0xcb007109", PROXY),
    "this machine": ("localhost", DIRECT),
    "this machine by IPv6": ("::1", DIRECT),
    "IPv6": ("2001:db8::1", PROXY),
    "an empty host": ("", PROXY),
}


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    assert CHROMIUM, "no chromium: run tools/install-test-tools"
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def script(playwright: Playwright) -> Iterator[Page]:
    """A page in which the file's functions are defined."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
    page = browser.new_page()
    page.add_script_tag(content=PAC.read_text())
    yield page
    browser.close()


@pytest.mark.parametrize("scheme", ["http", "https", "ws", "wss"])
def test_where_it_goes(script: Page, scheme: str) -> None:
    found = {}
    for case, (host, _) in CASES.items():
        found[case] = script.evaluate("([url, host]) => FindProxyForURL(url, host)", [f"{scheme}://{host}/", host])
    assert found == {case: where for case, (_, where) in CASES.items()}


def test_no_way_falls_back_to_direct(script: Page) -> None:
    script.evaluate("PROXIES = ['PROXY a:1', 'PROXY b:2']")
    assert script.evaluate("FindProxyForURL('https://www.alipay.com/', 'www.alipay.com')") == "PROXY a:1; PROXY b:2"
    script.evaluate(f"PROXIES = ['{PROXY}']")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The file and its URL; it is served as the how-to says."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".pac": "application/x-ns-proxy-autoconfig"}  # noqa: RUF012 - as its parent has it

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path / "proxy.pac", f"http://127.0.0.1:{server.server_address[1]}/proxy.pac"
    server.shutdown()
    server.server_close()


def browse(playwright: Playwright, pac: str, origin: Origin, *addresses: str) -> list[str]:
    """The title of each page, or the error in its place, in a browser whose resolver leads to the origin."""
    rules = f"--host-resolver-rules=MAP *:80 127.0.0.1:{origin.http_port}, MAP *:443 127.0.0.1:{origin.https_port}"
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*QUIET, *TRUST, f"--proxy-pac-url={pac}", rules]
    )
    page = browser.new_page()
    seen = []
    for address in addresses:
        try:
            page.goto(address)
            seen.append(page.title())
        except Error as error:
            seen.append(error.message.split("net::")[1].split()[0])
    browser.close()
    return seen


def test_chromium(playwright: Playwright, start: Start, origin: Origin, served: tuple[Path, str]) -> None:
    proxy: Proxy = start(SMALL, command="embargo")
    file, address = served
    file.write_text(PAC.read_text().replace("proxy.example.com:3128", f"127.0.0.1:{proxy.port}"))
    pages = ["https://www.banned.test/", "https://innocent.test/", "http://innocent.test/"]
    blocked, *passed = browse(playwright, address, origin, *pages)
    assert blocked == "Blocked by policy: Bad App"
    assert passed == ["origin", "origin"]
    assert proxy.records(embargo__verdict="block", destination__domain="www.banned.test")

    proxy.stop()
    origin.reset()
    assert set(browse(playwright, address, origin, *pages)) == {"ERR_PROXY_CONNECTION_FAILED"}
    assert origin.connections == 0, "where the proxy is down nothing goes beside it"

    file.write_text(file.read_text().replace(f'127.0.0.1:{proxy.port}"', f'127.0.0.1:{proxy.port}; DIRECT"'))
    assert browse(playwright, address, origin, pages[0]) == ["origin"], "with DIRECT at the end it would"
