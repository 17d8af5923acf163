"""Clash: providers as YAML and as text, and what each form of a rule says."""

import pytest

from embargo.blocklists.clash import of_rule, parse_provider, parse_text
from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid

PLACE = Place(file="f", line=1, column=1)


def said(item: Item) -> str:
    match item:
        case Listed():
            return f"{item.kind.key}:{item.text}{' (noted)' if item.note else ''}"
        case Unsaid():
            return f"cannot say {item.what}"
        case Broken():
            return "broken"


RULES = {  # rule: what it says
    "DOMAIN-SUFFIX,x.test": "domain:x.test",
    "DOMAIN-SUFFIX,x.test,DIRECT": "domain:x.test",
    "DOMAIN,x.test": "host:x.test",
    "HOST-SUFFIX,x.test,proxy": "domain:x.test",
    "IP-CIDR,203.0.113.0/24,no-resolve": "cidr:203.0.113.0/24",
    "IP-CIDR6,2001:db8::/32": "cidr:2001:db8::/32",
    "DOMAIN-KEYWORD,x": "cannot say keyword",
    "DOMAIN-REGEX,^x": "cannot say regular expression",
    "PROCESS-NAME,chat.exe": "cannot say PROCESS-NAME",
    "USER-AGENT,Chat*": "cannot say USER-AGENT",
    "GEOIP,CN": "cannot say GEOIP",
    "AND,((DOMAIN,x.test),(NETWORK,UDP)),DIRECT": "cannot say AND",
    "DOMAIN,": "broken",
    "x.test,y.test": "broken",
    "+.x.test": "domain:x.test",
    ".x.test": "domain:x.test (noted)",
    "*.x.test": "cannot say wildcard",
    "x.test": "host:x.test",
    "203.0.113.0/24": "cidr:203.0.113.0/24",
    "2001:db8::1": "cidr:2001:db8::1",
}


@pytest.mark.parametrize(("rule", "expected"), RULES.items(), ids=RULES)
def test_rules(rule: str, expected: str) -> None:
    assert said(of_rule(rule, PLACE)) == expected


def test_a_provider() -> None:
    text = "# made\npayload:\n  # ours\n  - '+.x.test'\n  - DOMAIN,y.test\n  - ''\n"
    assert [f"{item.place} {said(item)}" for item in parse_provider(text, "f")] == [
        "f:4:5 domain:x.test",
        "f:5:5 host:y.test",
    ]


EMPTY = {"no payload": "other: 1\n", "an empty one": "payload: []\n", "text in its place": "payload: x\n"}


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_nothing(text: str) -> None:
    assert list(parse_provider(text, "f")) == []


def test_text() -> None:
    text = "# c\n// c\n; c\nDOMAIN-SUFFIX,x.test # why\n\n  DOMAIN,y.test\n"
    assert [f"{item.place} {said(item)}" for item in parse_text(text, "f")] == [
        "f:4:1 domain:x.test",
        "f:6:3 host:y.test",
    ]
