"""A console behind a real web server, and Chromium with a session in it: what the browser tests share.

Each page that is opened here is watched: an error in its console, a breach of the Content-Security-Policy or a request
to another host fails the test that opened it.
"""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright
from werkzeug.serving import make_server

from console.signed_in import signed_in
from embargo.console.access.rights import Role

CHROMIUM = shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
SIZES = {"phone": (375, 800), "wide": (1600, 1000)}
type Scheme = Literal["light", "dark"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """One for all tests of a module."""
    assert CHROMIUM, "no chromium: run tools/install-test-tools"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The address of *app* on the loopback."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()


@dataclass
class Watched:
    """A browser's context with a session, and what went wrong in its pages."""

    context: BrowserContext
    base: str
    size: str
    faults: list[str] = field(default_factory=list)
    _tab: Page | None = None

    def open(self, path: str) -> Page:
        """The page at *path*, loaded, in the one tab of the session: a new one costs half a second."""
        if self._tab is None:
            self._tab = self._watched_tab()
        width, height = SIZES[self.size]
        self._tab.set_viewport_size({"width": width, "height": height})
        self._tab.goto(self.base + path)
        return self._tab

    def _watched_tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("dialog", self._shown)
        page.on("request", lambda request: self._asked(request.url))
        return page

    def _shown(self, dialog: Dialog) -> None:
        self.faults.append(f"a script that a record brought ran: {dialog.message}")
        dialog.dismiss()

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.base).netloc and not url.startswith(("data:", "blob:")):
            self.faults.append(f"a request left the host: {url}")


@contextmanager
def watched(
    browser: Browser,
    app: Flask,
    base: str,
    role: Role = Role.AUDITOR,
    *,
    scheme: Scheme = "light",
    size: str = "wide",
    **options: Any,
) -> Iterator[Watched]:
    """A session in *role*; what went wrong in its pages is raised at the end."""
    width, height = SIZES[size]
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}, reduced_motion="reduce", **options
    )
    context.set_default_timeout(10_000)
    name = str(app.config["SESSION_COOKIE_NAME"])
    cookie = signed_in(app, role).get_cookie(name)
    assert cookie is not None
    context.add_cookies([{"name": name, "value": cookie.value, "url": base}])
    found = Watched(context, base, size)
    try:
        yield found
        assert not found.faults
    finally:
        context.close()
