"""What is asked for is blocked, harmless, and complete; what is not asked for is told."""

import random
from ipaddress import ip_address, ip_network

import pytest

from embargo.core.catalogue import DomainList
from embargo.core.request import Surface
from embargo.core.rules import Action, AppSelector, Mode, Policy, Rule, Settings
from embargo.policy.index import LazyDomains
from embargo.probe.targets import INNOCENT, LISTED, Asker, Target, Targets, find
from sample import NOW, app, endpoint

ASKER = Asker(time=NOW, client=ip_address("127.0.0.1"), user=None, user_agent="embargo-probe/0")
ENDPOINTS = (
    "banned.test",
    "host:exact.test",
    "cidr:203.0.113.0/24",
    "cidr:2001:db8::/32 8443",
    "url:pages.test/bad/*/x?id=7",
    "user_agent:BadClient",
)


def policy(*endpoints: str, mode: Mode = Mode.ENFORCE, **criteria: object) -> Policy:
    rule = Rule(id="ban", apps=AppSelector(all=True), action=Action.BLOCK, **criteria)  # type: ignore[arg-type]
    bad = app("bad", *map(endpoint, endpoints))
    return Policy(settings=Settings(mode=mode), apps={"bad": bad}, rules=(rule,))


def found(judged: Policy, **options: object) -> Targets:
    return find(judged, ASKER, random.Random(7), **options)  # type: ignore[arg-type]


def by_endpoint(judged: Policy) -> dict[str, Target]:
    return {target.endpoint: target for target in found(judged).targets}


def test_each_kind() -> None:
    targets = by_endpoint(policy(*ENDPOINTS))
    assert len(targets) == len(ENDPOINTS)
    domain = targets["domain:banned.test"]
    assert domain.host.startswith("embargo-probe-")
    assert domain.host.endswith(".banned.test")
    assert targets["host:exact.test"].host == "exact.test"
    assert ip_address(targets["cidr:203.0.113.0/24"].host) in ip_network("203.0.113.0/24")
    six = next(target for name, target in targets.items() if "2001:db8" in name)
    assert six.authority == f"[{six.host}]:8443"
    agent = targets["user_agent:BadClient"]
    assert (agent.host, agent.user_agent) == (INNOCENT, "embargo-probe/0 BadClient")


def test_a_url_is_asked_for_where_nobody_serves() -> None:
    target = by_endpoint(policy("url:pages.test/bad/*/x?id=7"))["url:pages.test/bad/*/x?id=7"]
    assert target.path.startswith("/bad/embargo-probe-")
    assert target.path.endswith("/x?id=7")
    assert set(target.blocked) == {Surface.HTTP, Surface.WEBSOCKET}


def test_a_domain_with_no_room_below_it_is_asked_for_itself() -> None:
    longest = ".".join(["a" * 61] * 4)
    assert len(longest) == 247
    assert by_endpoint(policy(longest))[f"domain:{longest}"].host == longest


def test_labels_are_new_each_time() -> None:
    judged = policy("banned.test")
    assert find(judged, ASKER, random.Random(1)).targets != find(judged, ASKER, random.Random(2)).targets


def test_what_monitor_lets_through_is_asked_for() -> None:
    assert len(found(policy(*ENDPOINTS, mode=Mode.MONITOR)).targets) == len(ENDPOINTS)


def test_surfaces_of_a_rule_count() -> None:
    target = by_endpoint(policy("banned.test", surfaces=frozenset({Surface.DNS})))["domain:banned.test"]
    assert set(target.blocked) == {Surface.DNS}


UNASKED = {
    "other clients": ({"clients": (ip_network("10.0.0.0/8"),)}, "blocks for other clients alone"),
    "other users": ({"users": frozenset({"alice"})}, "blocks for other users alone"),
    "later": ({"since": NOW.replace(year=2030)}, "blocks for other dates alone"),
}


@pytest.mark.parametrize(("criteria", "why"), UNASKED.values(), ids=UNASKED)
def test_rules_that_block_elsewhere(criteria: dict[str, object], why: str) -> None:
    result = found(policy("banned.test", "host:exact.test", **criteria))
    assert result.targets == []
    assert [(unasked.what, unasked.why, unasked.count) for unasked in result.unasked] == [("rule ban", why, 2)]


def test_a_rule_that_no_longer_holds_is_not_told() -> None:
    assert found(policy("banned.test", until=NOW)).unasked == []


def test_udp_alone_cannot_be_asked() -> None:
    result = found(policy("cidr:203.0.113.0/24 udp"))
    assert result.targets == []
    assert len(result.unasked) == 1


def test_sample() -> None:
    result = found(policy(*ENDPOINTS), sample=2)
    assert len(result.targets) == 2
    assert [unasked.count for unasked in result.unasked] == [4]


def test_of_a_list_some_are_asked_for() -> None:
    names = [f"listed{number}.test" for number in range(1000)]
    rule = Rule(id="ban", apps=AppSelector(all=True), action=Action.BLOCK)
    judged = Policy(
        apps={"bad": app("bad")},
        rules=(rule,),
        lists=(DomainList("bad", "lists/bad.txt", len(names)),),
        listed=LazyDomains([names]),
    )
    result = found(judged)
    assert len({target.endpoint for target in result.targets}) == LISTED
    assert [(unasked.what, unasked.count) for unasked in result.unasked] == [("lists/bad.txt", 1000 - LISTED)]
