"""Which format a list is in, and what it says of itself."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.blocklists.adguard import ChooseService
from embargo.blocklists.formats import Format, Header, detect, header, items
from embargo.blocklists.item import Broken, Listed

TEXTS = {  # case: (text, format)
    "v2fly by a type": ("x.test\nfull:y.test\n", "v2fly"),
    "v2fly by an include": ("include:b\n", "v2fly"),
    "v2fly by an attribute": ("x.test\ny.test @ads # c\n", "v2fly"),
    "AdGuard, a service": ("id: chat\nname: Chat\nrules:\n  - '||x.test^'\n", "adguard"),
    "AdGuard, JSON over lines": ('{\n  "id": "chat",\n  "rules": [\n    "||x.test^"\n  ]\n}\n', "adguard"),
    "AdGuard, JSON on one line": ('{"blocked_services":[{"id":"a","rules":["||a.test^"]}]}', "adguard"),
    "AdGuard, a filter list": ("[Adblock Plus 2.0]\n! Title: x\n||x.test^\n", "adguard"),
    "Clash, a provider": ("payload:\n  - '+.x.test'\n  - y.test\n", "clash"),
    "Clash, text": ("# c\nDOMAIN-SUFFIX,x.test\nIP-CIDR,192.0.2.0/24,no-resolve\n", "clash"),
    "hosts": ("# c\n0.0.0.0 x.test\n::1 y.test\n", "hosts"),
    "plain": ("# c\nx.test\n192.0.2.0/24\n", "plain"),
    "nothing": ("", "plain"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_detect(text: str, expected: str) -> None:
    assert detect(text) is Format(expected)


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_what_is_detected_is_read(text: str, expected: str) -> None:
    found = list(items(text, "f", Format(expected), lambda name: "there is no such file"))
    if text and "include" not in text:
        assert any(isinstance(item, Listed) for item in found)
        assert not [item for item in found if isinstance(item, Broken)]


HEADERS = {  # case: (text, title, day)
    "a filter list": ("! Title: Our list\n! Last modified: 2026-11-20T10:00:00Z\n", "Our list", date(2026, 11, 20)),
    "a hosts file": ("# Title: StevenBlack/hosts\n# Date: 20 November 2026\n", "StevenBlack/hosts", None),
    "Clash": ("# NAME: AliPay\n# UPDATED: 2026-11-20 02:20:11\n", "AliPay", date(2026, 11, 20)),
    "a version": ("# Version: 20261120\n", None, date(2026, 11, 20)),
    "a service": ("id: chat\nname: Chat\n", "Chat", None),
    "no day of any month": ("# Updated: 2026-02-31\n", None, None),
    "nothing": ("x.test\n", None, None),
}


@pytest.mark.parametrize(("text", "title", "day"), HEADERS.values(), ids=HEADERS)
def test_header(text: str, title: str | None, day: date | None) -> None:
    found = header(text)
    assert (found.title, found.day) == (title, day)


def test_a_broken_tree_is_one_broken_line() -> None:
    (item,) = items("payload: [", "f", Format.CLASH, lambda name: "")
    assert isinstance(item, Broken)


@given(st.text(), st.sampled_from(Format))
def test_no_text_breaks_a_reader(text: str, form: Format) -> None:
    """Whatever a list holds, each line is read, counted as broken, or said to be something that cannot be said."""
    detect(text)
    header(text)
    with suppress(ChooseService):
        list(items(text, "f", form, lambda name: "there is no such file"))


def test_a_long_line_is_no_work() -> None:
    assert header("version" + " " * 1_000_000 + "x") == Header(None, None)
