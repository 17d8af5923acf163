"""The report in a real browser: seen whole by everybody, in both themes, on a phone, a wide screen and paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from embargo.review.report.page import page
from review.report.made import made

CHROMIUM = shutil.which("chromium")
VIEWS = {"report": False, "counsel": True}
_OUTSIDE = """() => [...document.querySelectorAll("body *")].filter(each => {
    const box = each.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1) && !each.closest("thead, .chart-textures");
}).map(each => each.outerHTML.slice(0, 120))"""
_CUT = """() => [...document.querySelectorAll("th, td, dd, p, li, h1, h2, h3, pre, figcaption")].filter(
    each => each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1
).map(each => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "no chromium: run tools/install-test-tools"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )


SHOWN = [(375, "dark", True), (375, "light", False), (1600, "dark", False), (1600, "light", True)]  # the last: axe, too


@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_read_it(browser: Browser, tmp_path: Path, view: str) -> None:
    file = tmp_path / f"{view}.html"
    file.write_text(page(made(), counsel=VIEWS[view]))
    trouble: list[str] = []
    with browser.new_context() as context:
        shown = context.new_page()
        shown.on("console", lambda message: trouble.append(message.text))
        shown.on("request", lambda request: trouble.append(request.url) if request.url != file.as_uri() else None)
        shown.goto(file.as_uri())
        for width, scheme, with_axe in SHOWN:
            shown.set_viewport_size({"width": width, "height": 900})
            shown.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate(_OUTSIDE) == []
            assert shown.evaluate(_CUT) == []
            assert (
                shown.evaluate("getComputedStyle(document.querySelector('.hue-red')).fill") != "rgb(0, 0, 0)"
            )  # styled
            if with_axe:
                shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
                found = Axe().run(shown)
                assert found.violations_count == 0, found.generate_report()
        shown.emulate_media(media="print", color_scheme="dark")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert shown.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert trouble == []
