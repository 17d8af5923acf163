"""The pages in Chromium: accessible, quiet, asking this host alone, by keyboard, without JavaScript."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT as AXE
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from console.a_site import a_site
from console.a_week import a_week
from console.in_a_browser import SIZES, Scheme, chromium, serving, watched
from embargo.console.access.desk import KEY as DESK
from embargo.console.access.rights import Role

RECORD = "/record/019dc9a8-0000-7000-8000-0000000dbba1"  # one of the hostile ones
WIDTHS = (320, 700, 720, 1020, 1030, 1230, 1240)  # 1280 at 400 % (WCAG 1.4.10); where layouts change
PAGES = {
    "overview": "/",
    "log": "/log",
    "log-unfolded": "/log?fold=no&q=class:blocked",
    "no-rows": "/log?q=app:none",
    "record": RECORD,
}
THREE = {name: PAGES[name] for name in ("overview", "log", "record")}  # the layouts that there are
IN_MENUS = ("color-contrast", "label", "button-name", "link-name", "target-size")
SHOPPING = "apps: [temu, qq]\n    action: block"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


SITE: dict[str, tuple[str, Role]] = {  # of a site with all that happens beside decisions
    "apps": ("/apps", Role.VIEWER),
    "app": ("/apps/temu", Role.AUDITOR),
    "devices": ("/devices", Role.AUDITOR),
    "policy": ("/policy", Role.ADMIN),
    "policy-file": ("/policy/files/1", Role.AUDITOR),
    "calendar": ("/policy/calendar?request=web.wechat.com", Role.AUDITOR),
    "try": ("/policy/try", Role.ADMIN),
    "health": ("/health", Role.AUDITOR),
    "exceptions": ("/exceptions", Role.ADMIN),
    "reviews": ("/reviews", Role.AUDITOR),
    "unmasking": ("/pseudonyms/c1-k7q2m4x5n6p3r6t2", Role.ADMIN),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_week(tmp_path_factory.mktemp("browser"), count=3)  # few rows: axe looks at each


@pytest.fixture(scope="module")
def base(app: Flask) -> Iterator[str]:
    with serving(app) as address:
        yield address


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=1)


@pytest.fixture(scope="module")
def site_base(site: Flask) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def violations(page: Page, *rules: str, within: str | None = None) -> list[str]:
    """What axe finds, of *rules* alone where some are given."""
    chosen = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": STANDARDS}
    page.evaluate(f"window.axe || (() => {{ {AXE} }})()")  # half a megabyte: once a page
    found = page.evaluate(
        "([within, options]) => axe.run(within ?? document, options)",
        [within, {"runOnly": chosen, "resultTypes": ["violations"]}],
    )
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


LOOKS: dict[str, tuple[Scheme, str, Mapping[str, str], tuple[str, ...]]] = {  # theme, size, pages, rules: none is all
    "light, on a phone": ("light", "phone", PAGES, ()),
    "light, on a wide screen": ("light", "wide", THREE, ()),
    "dark": ("dark", "wide", THREE, ("color-contrast",)),
}


@pytest.mark.parametrize(("scheme", "size", "pages", "rules"), LOOKS.values(), ids=LOOKS)
def test_accessible(
    browser: Browser, app: Flask, base: str, scheme: Scheme, size: str, pages: Mapping[str, str], rules: tuple[str, ...]
) -> None:
    with watched(browser, app, base, scheme=scheme, size=size) as session:
        for name, path in pages.items():
            page = session.open(path)
            assert violations(page, *rules) == [], name
            for width in (SIZES[size][0], *(WIDTHS if size == "phone" else ())):
                page.set_viewport_size({"width": width, "height": 640})
                assert overflow(page) <= 0, (name, width)


def test_pages_of_a_site_are_accessible(browser: Browser, site: Flask, site_base: str) -> None:
    with ExitStack() as opened:
        sessions = {
            role: opened.enter_context(watched(browser, site, site_base, role, size="phone"))
            for role in {role for _, role in SITE.values()}
        }
        for name, (path, role) in SITE.items():
            page = sessions[role].open(path)
            assert violations(page) == [], name
            for width in (320, 375, 720, 1240, 1600):
                page.set_viewport_size({"width": width, "height": 640})
                assert overflow(page) <= 0, (name, width)


def test_pages_of_a_site_in_the_dark(browser: Browser, site: Flask, site_base: str) -> None:
    with watched(browser, site, site_base, Role.ADMIN, scheme="dark") as session:
        for name in ("health", "exceptions", "devices"):
            page = session.open(SITE[name][0])
            assert violations(page, "color-contrast", "target-size") == [], name


def test_a_policy_is_tried_and_a_period_signed_off(
    browser: Browser, site: Flask, site_base: str, tmp_path: Path
) -> None:
    text = site.extensions["embargo"].settings.policy[0].read_text()
    (tmp_path / "new.yaml").write_text(text.replace("apps: [temu]\n    action: block\n    shadow: true", SHOPPING))
    with watched(browser, site, site_base, Role.ADMIN, java_script_enabled=False) as session:
        page = session.open("/policy/try")
        page.locator("#text").set_input_files(tmp_path / "new.yaml")
        page.get_by_role("button", name="Show what it would change").click(timeout=60_000)
        expect(page.get_by_role("heading", name="It changes verdicts")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        assert Path(download.value.path()).read_text().startswith("--- a/site.yaml")
    with watched(browser, site, site_base) as session:
        page = session.open("/reviews")
        page.get_by_label("From").fill("2026-11-17")
        page.get_by_label("Before").fill("2026-11-20")
        page.get_by_role("button", name="Sign off").click()
        expect(page.get_by_role("status").filter(has_text="Signed off")).to_be_visible()
        page.locator("a[href^='/reviews/']").first.click()
        expect(page.get_by_role("heading", name="Where the log ended then")).to_be_visible()
        assert violations(page) == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.ADMIN])
def test_accessible_to_other_roles(browser: Browser, app: Flask, base: str, role: Role) -> None:
    with watched(browser, app, base, role, size="phone") as session:
        page = session.open(RECORD)
        assert violations(page) == []
        assert overflow(page) <= 0


def test_menus_open_on_the_screen(browser: Browser, app: Flask, base: str) -> None:
    for size in SIZES:
        with watched(browser, app, base, size=size) as session:
            page = session.open("/log?fold=no")
            for summary in page.locator("details.pop > summary:visible").all():
                page.keyboard.press("Escape")
                summary.click()
                box = page.locator("details.pop[open] > .sheet").bounding_box()
                assert box is not None
                assert box["x"] >= 0 and box["x"] + box["width"] <= SIZES[size][0], summary.inner_text()
                assert size == "wide" or violations(page, *IN_MENUS, within="details.pop[open]") == [], box
            page.keyboard.press("Escape")
            expect(page.locator("details[open]")).to_have_count(0)
            last = page.locator("details.cell > summary").last
            last.click()
            box = page.locator("details.cell[open] > .sheet").bounding_box()
            assert box is not None and box["x"] + box["width"] <= SIZES[size][0]


def test_keyboard(browser: Browser, app: Flask, base: str) -> None:
    with watched(browser, app, base) as session:
        page = session.open("/log?fold=no")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("?")
        expect(page.locator("#keys-help")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#keys-help")).to_be_hidden()
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator("tbody tr").first).to_have_class("at")
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        page.keyboard.type("app:wechat j")  # letters are letters there
        expect(page.locator("#q")).to_have_value("app:wechat j")
        page.keyboard.press("Escape")
        page.keyboard.press("e")
        expect(page.locator("[data-export]")).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/record/*")


HIDDEN = """() => {
  const shown = (e) => e.checkVisibility() && !e.closest(".visually-hidden") && e.getClientRects().length;
  const bad = [];
  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")) {
    if (!shown(e) || e.disabled) continue;
    e.focus();
    const box = e.getBoundingClientRect();
    const [x, y] = [box.left + Math.min(box.width / 2, 10), box.top + Math.min(box.height / 2, 10)];
    const there = document.elementFromPoint(x, y);
    const seen = there && (e.contains(there) || there.contains(e) || e.labels?.[0]?.contains(there));
    const style = getComputedStyle(e);
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const right = document.activeElement === e && seen && ring;
    if (!right) bad.push(`${e.outerHTML.slice(0, 120)} seen ${seen} ring ${ring}`);
  }
  return bad;
}"""


@pytest.mark.parametrize("size", SIZES)
def test_the_focus_is_seen(browser: Browser, app: Flask, base: str, size: str) -> None:
    """Whatever has it is on the screen, under nothing that sticks there, with a ring (WCAG 2.4.7, 2.4.11)."""
    with watched(browser, app, base, size=size) as session:
        for name, path in THREE.items():
            page = session.open(path)
            page.keyboard.press("Tab")  # by keyboard: so that rings are drawn
            assert page.evaluate(HIDDEN) == [], name


def test_keys_can_be_turned_off(browser: Browser, app: Flask, base: str) -> None:
    with watched(browser, app, base) as session:
        page = session.open("/log")
        page.locator("details.pop", has_text="Times:").locator("summary").click()
        page.get_by_label("Keys for single letters").uncheck()
        page.get_by_label("dark", exact=True).check()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")  # at once
        page.get_by_role("button", name="Save").click()
        page.keyboard.press("?")
        expect(page.locator("#keys-help")).to_be_hidden()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.keyboard.press("Escape")


def test_the_answer_prints_on_one_page(browser: Browser, app: Flask, base: str) -> None:
    """Why, by what right, and whether it can be relied upon; behind it what else the client did."""
    with watched(browser, app, base) as session:
        page = session.open("/log?q=app:wechat+class:blocked&fold=no")
        page.goto(base + (page.locator("a.open").first.get_attribute("href") or ""))
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 718, "height": 1047})  # A4 at 96 dpi, within margins of 1 cm
        answer = page.locator(".columns").bounding_box()
        assert answer is not None and answer["y"] + answer["height"] <= 1047
        expect(page.locator(".columns + .card")).to_have_css("break-before", "page")
        expect(page.locator(".columns form").first).to_be_hidden()


def test_times_of_the_browsers_zone(browser: Browser, app: Flask, base: str) -> None:
    with watched(browser, app, base, timezone_id="Asia/Shanghai") as session:
        session.context.add_cookies([{"name": "embargo_display", "value": "auto.browser.on", "url": base}])
        page = session.open(RECORD)
        shown = page.locator(".title time")
        utc = shown.get_attribute("datetime") or ""
        hour = (int(utc[11:13]) + 8) % 24
        expect(shown).to_contain_text(f" {hour:02}:{utc[14:16]}")
        expect(shown).to_contain_text("+08:00")


def test_without_javascript(browser: Browser, app: Flask, base: str) -> None:
    with watched(browser, app, base, java_script_enabled=False) as session:
        page = session.open("/")
        page.locator("a.tile.blocked").click()
        expect(page.locator("#total")).to_contain_text("records")
        page.locator("#q").fill("class:blocked -user:nobody")
        page.get_by_role("button", name="Search").click()
        expect(page.locator(".applied")).to_contain_text("-user:nobody")
        page.locator("details.cell > summary").first.click()
        page.get_by_role("link", name=re.compile("Filter it out")).first.click()
        expect(page.locator(".applied")).to_contain_text("-app:")
        page.goto(base + "/log?q=class:blocked")
        page.locator("summary", has_text="Export").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="CSV").click()
        assert Path(download.value.path()).read_text().startswith("# filter: class:blocked")
        page.locator("a.open").first.click()
        expect(page.locator("h1")).to_be_visible()
        page.get_by_label("fine").check()
        page.get_by_role("button", name="Mark").click()
        expect(page.get_by_role("status").filter(has_text="Marked as fine")).to_be_visible()


def test_live_tail(browser: Browser, app: Flask, base: str) -> None:
    """New rows wait while the pointer is on the table, and come in when it leaves by the button."""
    desk = app.extensions[DESK]
    with watched(browser, app, base) as session:
        page = session.open("/log?q=action:log-in")
        before = page.locator("tbody tr").count()
        with app.test_request_context():
            page.get_by_role("button", name="Start live tail").click()
            expect(page.locator("[data-tail-state]")).to_have_text("live")
            page.mouse.move(5, 5)
            desk.record("log-in", account="somebody", details={"way": "test"})
            if before:
                expect(page.locator("tbody tr")).to_have_count(before + 1, timeout=10_000)
                page.locator("tbody tr").first.hover()
                desk.record("log-in", account="somebody", details={"way": "test"})
                expect(page.get_by_role("button", name="1 new")).to_be_visible(timeout=10_000)
                expect(page.locator("tbody tr")).to_have_count(before + 1)
                page.get_by_role("button", name="1 new").click()
                expect(page.locator("tbody tr")).to_have_count(before + 2)
