"""A real browser: the page where an app is banned, and no difference where it is not."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from e2e.conftest import SHIPPED, SMALL, Start
from e2e.origin import Origin
from e2e.proxy import ROOT, Proxy, field

CHROMIUM = shutil.which("chromium")
# Trusts our CA as a managed device does; ignore_https_errors of playwright rejects each certificate once first.
TRUST = ["--ignore-certificate-errors"]
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
IMAGE = ROOT / "docs" / "images" / "block-page.png"
POLICY = (
    SMALL.replace("settings:\n", "settings:\n  bound_by: [order]\n")
    .replace(
        "apps:\n  bad:\n",
        """authorities:
  order:
    title: "Order 7 on Applications"
    url: https://law.example/order-7
    timeline: {2020-01-01: in-force}
apps:
  wanted: {name: Alipay, named_in: order, endpoints: [lawful.test]}
  bad:
""",
    )
    .replace("rules:\n", "rules:\n  - {id: banned-apps, apps: {named_in: order}, action: block}\n")
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "no chromium: run tools/install-test-tools"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *TRUST])


@pytest.fixture(scope="module")
def opening(start_for_module: Start) -> Proxy:
    """Opens all TLS."""
    return start_for_module(POLICY, command="embargo")


@pytest.fixture(scope="module")
def tunnelling(start_for_module: Start) -> Proxy:
    """Opens what it must, as shipped."""
    return start_for_module(POLICY.replace("settings:\n", "settings:\n  decrypt: needed\n"), command="embargo")


def new_page(browser: Browser, proxy: Proxy, **options: object) -> Page:
    context = browser.new_context(
        proxy={"server": f"http://127.0.0.1:{proxy.port}"},
        **options,  # type: ignore[arg-type]
    )
    return context.new_page()


SCHEMES = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_block_page(browser: Browser, tunnelling: Proxy, origin: Origin, tmp_path: Path, scheme: str) -> None:
    page = new_page(browser, tunnelling, **SCHEMES[scheme])
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type != "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    response = page.goto("https://www.lawful.test/pay/<b>x</b>?token=secret")
    assert response is not None
    assert response.status == 451
    assert 'rel="blocked-by"' in response.headers["link"]
    assert page.get_by_role("heading", level=1).inner_text() == "Alipay is blocked"
    text = page.locator("body").inner_text()
    for shown in ("Order 7 on Applications", "Example Corp", "451", "www.lawful.test"):
        assert shown in text
    incident = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert incident is not None
    record = tunnelling.wait_record(event__id=incident[0])
    assert field(record, "destination.domain") == "www.lawful.test"
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], "nothing sticks out"
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (brightness < 100) == ("dark" in scheme), "the style is applied, under its own content security policy"
    assert trouble == []
    assert origin.connections == 0
    page.screenshot(path=tmp_path / f"{scheme}.png")
    page.context.close()


SITE = """\
version: 1
settings: {organization: Example Corp, contact: "https://help.example.com/?incident={incident}"}
"""


def test_the_page_of_the_shipped_policy(browser: Browser, start: Start, origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    page = new_page(browser, start([SHIPPED, tmp_path / "site.yaml"]), viewport={"width": 1120, "height": 640})
    response = page.goto("https://www.alipay.com/")
    assert response is not None
    assert response.status == 403
    assert page.get_by_role("heading", level=1).inner_text() == "Alipay is blocked"
    assert "revoked" in page.locator("dd", has_text="Executive Order 13971").inner_text()
    assert page.get_by_role("link", name="Ask about this block").is_visible()
    if os.environ.get("EMBARGO_RENEW_SCREENSHOT"):
        IMAGE.parent.mkdir(exist_ok=True)
        page.screenshot(path=IMAGE)
    page.context.close()


def test_a_policy_block_says_what_it_may(browser: Browser, opening: Proxy, origin: Origin) -> None:
    page = new_page(browser, opening)
    response = page.goto("http://www.banned.test/")
    assert response is not None
    assert response.status == 403
    content = page.content()
    assert "This app is not allowed here." in content
    assert "https://help.example.com/?incident=" in content
    assert not re.search(r"(?i)secret", content)
    page.context.close()


PASSING = {
    "opened, HTTP/2": ("opening", "https", "h2"),
    "tunnelled, HTTP/2": ("tunnelling", "https", "h2"),
    "plain HTTP/1.1": ("opening", "http", "http/1.1"),
}


@pytest.mark.parametrize(("which", "scheme", "protocol"), PASSING.values(), ids=PASSING)
def test_an_innocent_site(
    request: pytest.FixtureRequest, browser: Browser, origin: Origin, which: str, scheme: str, protocol: str
) -> None:
    """Page, upload, download and WebSocket as without a proxy."""
    proxy: Proxy = request.getfixturevalue(which)
    page = new_page(browser, proxy)
    page.goto(f"{scheme}://innocent.test/page")
    assert page.title() == "origin"
    assert page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == protocol
    upload = "fetch('/up', {method: 'POST', body: new Uint8Array(5_000_000)}).then(answer => answer.text())"
    assert "got 5000000 bytes" in page.evaluate(upload)
    download = "fetch('/bytes/104857600').then(answer => answer.arrayBuffer()).then(bytes => bytes.byteLength)"
    assert page.evaluate(download) == 104_857_600
    socket = f"""new Promise((resolve, reject) => {{
        const socket = new WebSocket('{scheme.replace("http", "ws")}://innocent.test/socket');
        socket.onopen = () => socket.send('hello');
        socket.onmessage = message => resolve(message.data);
        socket.onerror = () => reject(new Error('the socket failed'));
    }})"""
    assert page.evaluate(socket) == "echo hello"
    banned = f"fetch('{scheme}://banned.test/', {{mode: 'no-cors'}}).then(answer => answer.type, error => 'failed')"
    assert page.evaluate(banned) in ("opaque", "failed")
    page.context.close()


def test_a_websocket_to_a_banned_app_fails(browser: Browser, opening: Proxy, origin: Origin) -> None:
    page = new_page(browser, opening)
    page.goto("http://innocent.test/")
    origin.reset()
    socket = """new Promise(resolve => {
        const socket = new WebSocket('wss://banned.test/');
        socket.onopen = () => resolve('opened');
        socket.onerror = () => resolve('refused');
    })"""
    assert page.evaluate(socket) == "refused"
    assert origin.connections == 0
    page.context.close()
