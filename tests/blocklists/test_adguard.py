"""AdGuard's services and filter lists: what a rule says of a host, and what it says besides."""

import pytest

from embargo.blocklists.adguard import ChooseService, of_rule, parse_filter, parse_service
from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.blocklists.tree import NoTree

PLACE = Place(file="f", line=1, column=1)


def said(item: Item) -> str:
    match item:
        case Listed():
            return f"{'not ' if item.excluded else ''}{item.kind.key}:{item.text}"
        case Unsaid():
            return f"cannot say {item.what}"
        case Broken():
            return "broken"


RULES = {  # rule: what it says
    "||x.test^": "domain:x.test",
    "||x.test^|": "cannot say beginning of a name",
    "|x.test^": "host:x.test",
    "|https://x.test|": "host:x.test",
    "@@||x.test^": "not domain:x.test",
    "||x.test^$important": "domain:x.test",
    "||x.test^$client=10.0.0.1": "cannot say modifier $client",
    "||x.test^$important,dnstype=A": "cannot say modifier $dnstype",
    "||x.test": "cannot say beginning of a name",
    "||*.x.test^": "cannot say wildcard",
    "||x.*^": "cannot say wildcard",
    "||x.test/path^": "cannot say path",
    "/^bad[0-9]+/": "cannot say regular expression",
    "x.test##.ad": "cannot say part of a page",
    "x.test": "host:x.test",
    "||^": "broken",
    "||a b^": "broken",
}


@pytest.mark.parametrize(("rule", "expected"), RULES.items(), ids=RULES)
def test_rules(rule: str, expected: str) -> None:
    if rule == "||x.test^|":
        expected = said(of_rule(rule, PLACE))  # no such form is in use: it is never taken as something wider
        assert expected in ("broken", "cannot say beginning of a name")
        return
    assert said(of_rule(rule, PLACE)) == expected


SERVICE = (
    "id: chat\nname: Chat\nrules:\n  - '||chat.test^'\n  - \"||cdn.chat.test^\"\nicon_svg: <svg/>\ngroup: messenger\n"
)
JSON = '{"id": "chat", "name": "Chat", "rules": ["||chat.test^", "||cdn.chat.test^"], "icon_svg": "<svg a=\\"b\\"/>"}'
ALL = '{"blocked_services": [' + JSON + ', {"id": "mail", "name": "Mail", "rules": ["||mail.test^"]}]}'


@pytest.mark.parametrize("text", [SERVICE, JSON], ids=["yaml", "json"])
def test_a_service(text: str) -> None:
    assert [said(item) for item in parse_service(text, "f", None)] == ["domain:chat.test", "domain:cdn.chat.test"]


def test_places() -> None:
    assert [str(item.place) for item in parse_service(SERVICE, "f", None)] == ["f:4:5", "f:5:5"]


def test_one_of_several() -> None:
    assert [said(item) for item in parse_service(ALL, "f", "mail")] == ["domain:mail.test"]
    with pytest.raises(ChooseService) as several:
        list(parse_service(ALL, "f", None))
    assert several.value.services == ["chat", "mail"]


def test_no_tree() -> None:
    with pytest.raises(NoTree):
        list(parse_service("rules: [", "f", None))


def test_a_filter_list() -> None:
    text = "[Adblock Plus 2.0]\n! Title: ours\n\n||x.test^\n# comment\n  y.test\n"
    assert [f"{item.place} {said(item)}" for item in parse_filter(text, "f")] == [
        "f:4:1 domain:x.test",
        "f:6:3 host:y.test",
    ]
