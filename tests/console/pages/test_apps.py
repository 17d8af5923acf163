"""Apps: numbers lead to their rows; evidence, trials, what passes and why, what nobody asked for."""

import pytest
from flask import Flask

from console.a_site import a_site
from console.links import wrong
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=25)


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.mark.parametrize("page", ("/apps", "/apps?span=7d&met=yes", "/apps/wechat", "/apps/temu?span=7d", "/apps/qq"))
def test_a_number_leads_to_as_many_rows(auditor: Browser, page: str) -> None:
    assert wrong(auditor, page) == {}


def test_an_app_tells_why_and_what_nobody_asked_for(auditor: Browser) -> None:
    page = auditor.get("/apps/temu").text
    assert "on trial" in page and "domain:kwcdn.com" in page
    assert 'href="https://www.temu.com/about"' in page  # evidence
    assert "The rule that would block the rest" in page and "block-temu" in page
    wechat = auditor.get("/apps/wechat").text
    assert "The orders over the traffic of 30 days" in wechat and "The orders since their first date" in wechat
    assert "Never asked for in this period" in auditor.get("/apps/qq?span=1d").text
