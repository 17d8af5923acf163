"""The pages of a site: each role sees what it may, what others wrote stays text, no address breaks them."""

import pytest
from flask import Flask

from console.a_site import a_site
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role

PAGES = (
    "/apps",
    "/apps?span=7d&met=yes",
    "/apps/wechat",
    "/apps/temu?span=7d",
    "/apps/qq",
    "/devices",
    "/devices?state=installed&sort=attempts&span=7d",
    "/policy",
    "/policy/files/0",
    "/health",
    "/health?span=7d",
    "/exceptions",
    "/reviews",
)
WITHOUT_ROWS = ("/policy/calendar", "/policy/calendar?request=web.wechat.com", "/policy/try")
ALL = dict.fromkeys(Role, 200)
STATUS: dict[str, dict[Role, int]] = {  # page: what each role gets
    "/apps": ALL,
    "/apps/wechat": ALL,
    "/devices": ALL,
    "/health": {**ALL, Role.VIEWER: 403},
    "/exceptions": {**ALL, Role.VIEWER: 403},
    "/policy": {**ALL, Role.VIEWER: 403, Role.OPERATOR: 403},
    "/policy/files/0": {**ALL, Role.VIEWER: 403, Role.OPERATOR: 403},
    "/policy/calendar": {**ALL, Role.VIEWER: 403, Role.OPERATOR: 403},
    "/policy/try": {Role.VIEWER: 403, Role.AUDITOR: 403, Role.OPERATOR: 403, Role.ADMIN: 200},
    "/reviews": {**ALL, Role.VIEWER: 403, Role.OPERATOR: 403},
    "/apps/none": dict.fromkeys(Role, 404),
    "/policy/files/99": {Role.VIEWER: 403, Role.OPERATOR: 403, Role.AUDITOR: 404, Role.ADMIN: 404},
    "/policy/stored/..%2f..%2fetc%2fpasswd": dict.fromkeys(Role, 404),
    "/policy/stored/zzzz": {Role.VIEWER: 403, Role.OPERATOR: 403, Role.AUDITOR: 404, Role.ADMIN: 404},
    "/reviews/none": {Role.VIEWER: 403, Role.OPERATOR: 403, Role.AUDITOR: 404, Role.ADMIN: 404},
    "/exceptions/requests/none": {Role.VIEWER: 403, Role.OPERATOR: 403, Role.AUDITOR: 403, Role.ADMIN: 404},
}
HOSTILE = ("<script>alert", "<b>bold", "<b>fair", "<supplier>", "\x1b", "\u202e", '" onmouseover="', "1234321")
ODD = (
    "?span=%00",
    "?span=-1&from=99999999999",
    "?q=%3Cscript%3E&from=-5",
    "?sort=x&state=y&quiet=-3&who=%ff",
    "?request=%00",
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=25)


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.mark.parametrize("path", STATUS)
def test_what_each_role_gets(app: Flask, path: str) -> None:
    assert {role: signed_in(app, role).get(path).status_code for role in Role} == STATUS[path]


@pytest.mark.parametrize("page", (*PAGES, *WITHOUT_ROWS))
def test_what_others_wrote_stays_text(app: Flask, page: str) -> None:
    text = signed_in(app, Role.ADMIN).get(page).text
    for hostile in HOSTILE:
        assert hostile not in text


@pytest.mark.parametrize("odd", ODD)
def test_odd_addresses(auditor: Browser, odd: str) -> None:
    for page in ("/apps", "/apps/qq", "/devices", "/policy/files/0", "/policy/calendar", "/health"):
        assert auditor.get(page + odd).status_code == 200, page
