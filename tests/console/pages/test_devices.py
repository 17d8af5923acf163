"""Devices: installed, visited, gone; by whom they may be seen; as CSV."""

import re

import pytest
from flask import Flask

from console.a_site import PHONE, a_site
from console.links import Links, wrong
from console.signed_in import Browser, signed_in
from embargo.console.access.rights import Role


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_site(tmp_path_factory.mktemp("site"), count=25)


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.mark.parametrize("page", ("/devices", "/devices?state=installed&sort=attempts&span=7d"))
def test_a_number_leads_to_as_many_rows(auditor: Browser, page: str) -> None:
    assert wrong(auditor, page) == {}


def test_a_viewer_sees_apps_and_no_people(app: Flask) -> None:
    viewer = signed_in(app, Role.VIEWER)
    devices = viewer.get("/devices").text
    assert "client-" in devices and "10.20." not in devices and ">alice<" not in devices
    assert "/log?" not in devices.partition("<main")[2]  # a count of one client is no link for whoever may not ask so
    assert Links(viewer.get("/apps/wechat").text).found
    shown = re.findall(r"<bdi class=\"break\">(client-[0-9a-f]+)</bdi>", devices)
    assert shown == sorted(shown)  # the order tells nothing of the addresses
    assert signed_in(app, Role.VIEWER).get("/devices?who=10.20.3.17").text.count("<tr>") == devices.count("<tr>")


def test_devices_are_told_apart(auditor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/devices?who={PHONE}&app=wechat"
    page = auditor.get(path).text
    assert page.count('data-label="Is"') == 1
    assert ">installed</span>" in page
    # it has been quiet for five days; but for 23 hours of them no heartbeat tells that the log was kept
    assert ">installed</span>" in auditor.get(f"{path}&quiet=1").text
    monkeypatch.setattr("embargo.console.pages.devices.gaps_within", lambda *_: [])
    assert ">gone</span>" in auditor.get(f"{path}&quiet=5").text
    assert auditor.get("/devices?who=nobody").text.count('data-label="Is"') == 0


def test_devices_by_page_and_order(auditor: Browser) -> None:
    every = re.findall(r'data-label="Last seen"[^>]*><time datetime="([^"]+)"', auditor.get("/devices?sort=last").text)
    assert every == sorted(every, reverse=True) and len(every) > 5


def test_devices_as_csv(app: Flask, auditor: Browser) -> None:
    answer = auditor.post("/devices/export", data={"csrf_token": auditor.csrf, "app": "wechat"})
    lines = answer.text.splitlines()
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="embargo-devices-')
    assert lines[0] == "# devices: app=wechat" and lines[6].startswith("client,user,app,presence,gone")
    assert any(line.startswith(f"{PHONE},,wechat,installed") for line in lines)
    assert "'=cmd|" in answer.text and '"=cmd' not in answer.text  # no cell is a formula
    for role in (Role.VIEWER, Role.ADMIN, Role.OPERATOR):
        other = signed_in(app, role)
        assert other.post("/devices/export", data={"csrf_token": other.csrf}).status_code == 403
    assert "devices app=wechat" in auditor.get("/record/" + _newest(auditor, "action:export")).text


def _newest(browser: Browser, query: str) -> str:
    found = re.search(r'href="/record/([^"]+)"', browser.get(f"/log?fold=no&q={query}").text)
    assert found is not None
    return found[1]
