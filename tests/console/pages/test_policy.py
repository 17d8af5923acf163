"""Policy: rules with their use, history, the text of any digest, the calendar."""

import re

import pytest
from flask import Flask

from console.a_site import a_site
from console.links import wrong
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role
from embargo.console.context import KEY, Console


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=25)


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.mark.parametrize("page", ("/policy", "/policy/files/0"))
def test_a_number_leads_to_as_many_rows(auditor: Browser, page: str) -> None:
    assert wrong(auditor, page) == {}


def test_rules_with_their_use(auditor: Browser) -> None:
    page = auditor.get("/policy").text
    row = page[page.index('<code class="break">bound-by-order</code>') :].partition("</tr>")[0]
    assert "apps named in eo-13943" in row and "blocked</span></a>" in row
    unused = page[page.index("except-20261201-qq") :].partition("</tr>")[0]
    assert ">unused<" in unused
    assert "unknown-role apps.wechat.endpoints[0].role" in page  # the refused edit
    assert "block temu.com (was log)" in page
    where = re.search(r'href="(/policy/files/0[^"]*#L[0-9]+)"', page)
    assert where is not None
    source = auditor.get(where[1]).text
    assert f'id="{where[1].partition("#")[2]}" class="begins"' in source


def test_the_text_of_a_digest(app: Flask, auditor: Browser) -> None:
    console: Console = app.extensions[KEY]
    digest = console.policy().digest
    page = auditor.get(f"/policy/stored/{digest}")
    assert "that of the files" in page.text and "no-short-video" in page.text
    stored = auditor.get(f"/policy/stored/{digest}/text")
    assert stored.data == (console.settings.log / "policies" / digest).read_bytes()
    assert stored.headers["Content-Type"].startswith("text/plain")


def test_the_calendar(auditor: Browser) -> None:
    page = auditor.get("/policy/calendar?request=web.wechat.com").text
    assert "What becomes of web.wechat.com" in page and "The orders by date" in page
    assert 'role="alert"' in auditor.get("/policy/calendar?request=ftp%3A%2F%2Fx%2F").text
