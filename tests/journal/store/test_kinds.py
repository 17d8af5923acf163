from dataclasses import fields

import pytest

from embargo.journal.record import Record
from embargo.journal.store.kinds import Extra, Kind, is_browser

BROWSERS = {  # User-Agent: whether it is a browser's own
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
    "Safari/537.36": True,
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0": True,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1": True,
    "Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko": True,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.44": False,
    "Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/141.0 Mobile "
    "Safari/537.36": False,
    "Mozilla/5.0 AlipayClient/10": False,
    "okhttp/4.12.0": False,
    "": False,
}


@pytest.mark.parametrize("agent", BROWSERS)
def test_browser(agent: str) -> None:
    assert is_browser(agent) is BROWSERS[agent]


def test_a_kind_there_and_back() -> None:
    kind = Kind(
        verdict="log",
        would="block",
        surface="http",
        apps=("wechat", "qq"),
        rule="r",
        shadow_rule=None,
        endpoint="domain:qq.com",
        role="api",
        shared=False,
        authorities=(("eo-13971", "revoked"), ("proposed", None)),
        categories=("network", "web"),
        action="log",
        outcome="success",
        trial=("qq", "domain:x.example"),
        anonymous=False,
        mismatch=True,
        browser=None,
    )
    assert Kind.read(kind.text) == kind
    assert Extra.read(Extra("5f", "GET", 403).text) == Extra("5f", "GET", 403)


def test_a_kind_has_the_names_of_a_record() -> None:
    """So that the test of a term can be asked of it."""
    assert {field.name for field in fields(Kind)} - {"browser"} <= {field.name for field in fields(Record)}
