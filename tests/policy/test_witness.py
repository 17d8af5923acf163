"""The search for a request that two policies judge differently: what it asks stands for all there is to ask."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from embargo.core.inquiry import Inquiry, requests
from embargo.policy.cases import enforcing
from embargo.policy.load import Loaded
from embargo.policy.witness import MOST, Aspect, Found, Search, samples_of, search
from policy_files import loaded
from sample import NOW, pattern

POLICY = """\
version: 1
apps:
  a: {endpoints: [a.example, h.example]}
  b: {endpoints: [b.example]}
  c: {endpoints: [v.example, {url: "u.example/*/id1"}]}
  d: {endpoints: [{cidr: 203.0.0.0/16, port: 8080}]}
  e: {endpoints: [{user_agent: Client}]}
rules:
"""
PATTERNS = {  # pattern: requests that it covers
    "a.example": ["a.example", "x.a.example"],
    "host:a.example": ["a.example"],
    "url:a.example/p/*/q?k=1": ["https://a.example/p/x/q?k=1", "https://a.example/p/x/q?k=1"],
    "cidr:203.0.113.0/24": ["203.0.113.0"],
    "cidr:203.0.113.0/24 8080": ["203.0.113.0:8080"],
    "cidr:2001:db8::/32": ["2001:db8::"],
    "cidr:2001:db8::/32 8080": ["[2001:db8::]:8080"],
    "cidr:203.0.113.0/24 53 udp": ["203.0.113.0:53"],
    "user_agent:Client": ["http://unowned.invalid/"],
}


@pytest.mark.parametrize(("text", "expected"), PATTERNS.items(), ids=PATTERNS)
def test_samples_lie_under_their_pattern(text: str, expected: list[str]) -> None:
    wanted = pattern(text)
    samples = list(samples_of(wanted))
    assert [sample.request for sample in samples] == expected
    for sample in samples:
        asked = Inquiry(request=sample.request, time=NOW, user_agent=sample.user_agent, surface=sample.surface)
        last = requests(asked)[-1]
        assert any(wanted.covers(name, last) for name in last.names)


def searched(directory: Path, rules: str, *others: str) -> Found:
    """What is found where *others* stand in place of *rules*."""
    before = loaded(directory / "before", f"{POLICY}  - {rules}\n")
    after = loaded(directory / "after", POLICY + "".join(f"  - {other}\n" for other in others))
    return search(_known(before), enforcing(after.policy), Aspect.ALL, apps=None)


def _known(found: Loaded) -> Search:
    return Search(found, enforcing(found.policy), NOW)


FOUND = {  # case: (rule, rule in its place, what of the request tells them apart)
    "a client in the smaller network": (
        "{id: r, apps: a, clients: 10.0.0.0/8, action: block}",
        [
            "{id: s, apps: a, clients: 10.1.0.0/16, action: block}",
            "{id: r, apps: a, clients: 10.0.0.0/8, action: block}",
        ],
        {"client": ip_address("10.1.0.0")},
    ),
    "a client beside the smaller network": (
        "{id: r, apps: a, clients: 10.0.0.0/8, action: block}",
        ["{id: r, apps: a, clients: 10.0.0.0/9, action: block}"],
        {"client": ip_address("10.255.255.254")},
    ),
    "a user": (
        "{id: r, apps: a, users: [alice, bob], action: block}",
        ["{id: r, apps: a, users: alice, action: block}"],
        {"user": "bob"},
    ),
    "a surface": (
        "{id: r, apps: a, surfaces: [tls, quic], action: block}",
        ["{id: r, apps: a, surfaces: tls, action: block}"],
        {"surface": "quic"},
    ),
    "a host": (
        "{id: r, apps: a, hosts: [z.a.example, h.example], action: block}",
        ["{id: r, apps: a, hosts: h.example, action: block}"],
        {"request": "z.a.example"},
    ),
    "a path that two patterns share": (
        "{id: r, apps: c, hosts: [{url: u.example/p/*}], action: block}",
        ["{id: r, apps: c, hosts: [{url: u.example/q/*}], action: block}"],
        {"request": "https://u.example/p/x/id1"},
    ),
    "a page that a block of the tunnel hides": (
        "{id: r, apps: c, hosts: [{url: v.example/p}], action: block}\n  - {id: s, apps: c, action: block}",
        ["{id: s, apps: c, action: block}"],
        {"request": "https://v.example/p", "surface": "http"},
    ),
    "a port, over a transport": (
        "{id: r, apps: d, hosts: [{cidr: 203.0.113.0/24, protocol: udp}], action: block}",
        ["{id: r, apps: d, hosts: [{cidr: 192.0.2.0/24}], action: block}"],
        {"request": "203.0.113.0:8080", "surface": "udp"},
    ),
    "a user agent at a host": (
        "{id: r, apps: e, hosts: [o.example], action: block}",
        ["{id: r, apps: e, hosts: [p.example], action: block}"],
        {"request": "o.example", "user_agent": "Client"},
    ),
    "the last second": (
        "{id: r, apps: a, from: 2030-01-01, action: block}",
        ['{id: r, apps: a, from: "2030-01-01T00:00:01Z", action: block}'],
        {"time": NOW.replace(year=2030, month=1, day=1, hour=0)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after", "told"), FOUND.values(), ids=FOUND)
def test_found(tmp_path: Path, before: str, after: list[str], told: dict[str, object]) -> None:
    found = searched(tmp_path, before, *after)
    assert found.witness is not None
    asked = found.witness.inquiry
    assert {key: getattr(asked, key) for key in told} == told
    assert found.witness.before != found.witness.after


def test_the_same_under_other_words(tmp_path: Path) -> None:
    same = ["{id: r, apps: a, clients: [10.0.0.0/9, 10.128.0.0/9], action: block}"]
    found = searched(tmp_path, "{id: r, apps: a, clients: 10.0.0.0/8, action: block}", *same)
    assert found.witness is None
    assert found.whole
    assert found.tried > 1


def test_more_than_can_be_asked_is_said(tmp_path: Path) -> None:
    users = ", ".join(f"u{number}" for number in range(200))
    days = "\n".join(
        f"  - {{id: r{number}, apps: b, from: 2030-01-{number + 1:02}, users: [u{number}], clients: 10.0.{number}.0/24,"
        " action: block}"
        for number in range(28)
    )
    rules = f"{{id: r, apps: a, users: [{users}], action: block}}\n{days}"
    found = searched(tmp_path, rules, rules)
    assert found.witness is None
    assert not found.whole
    assert found.tried <= MOST
