"""What is suggested on made traffic: the left-out part of an app first, google.com never."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from random import Random

import pytest

from embargo.core.catalogue import Endpoint, Role
from embargo.core.hostname import canonical
from embargo.core.pattern import Kind
from embargo.core.rules import Policy
from embargo.core.seen import Seen, Unread
from embargo.policy.load import load
from embargo.review.suggest import LEAST_SCORE, Suggestion, survey
from review.trace import COMPANION, SDK, SYSTEM, THIRD, Used, trace
from sample import NOW, app, endpoint, policy

SHIPPED = load([Path(__file__).parents[2] / "domains.yaml"]).policy
OTHERS = [Used(hosts=[f"a{host}.other-app{number}.com" for host in range(8)], part=0.2) for number in range(5)]


def own(identifier: str) -> list[Endpoint]:
    """The endpoints of an app of the shipped catalogue that are hosts of its own."""
    return [
        each
        for each in SHIPPED.apps[identifier].endpoints
        if not each.shared and each.role is not Role.STORE and each.pattern.kind in (Kind.DOMAIN, Kind.HOST)
    ]


def host(each: Endpoint) -> str:
    return f"www.{each.pattern.text}" if each.pattern.kind is Kind.DOMAIN else each.pattern.text


def without(identifier: str, hidden: Iterable[Endpoint]) -> Policy:
    """The shipped policy as if *hidden* were not known."""
    left = set(hidden)
    known = SHIPPED.apps[identifier]
    bare = replace(known, endpoints=tuple(each for each in known.endpoints if each not in left))
    return replace(SHIPPED, apps={**SHIPPED.apps, identifier: bare})


def unknown(rules: Policy, hidden: Iterable[Endpoint]) -> list[str]:
    """The hosts of those *hidden* that nothing else of *rules* owns."""
    return [host(each) for each in hidden if not rules.matcher.entries_of_host(canonical(host(each)))]


def met(suggestion: Suggestion, hosts: Iterable[str]) -> bool:
    """Whether *suggestion* is for one of *hosts* and nothing wider than its registered name."""
    return any(each == suggestion.name or (suggestion.below and each.endswith(f".{suggestion.name}")) for each in hosts)


@pytest.mark.parametrize(
    "identifier", ["alipay", "camscanner", "shareit", "tencent-qq", "wechat-pay", "wps-office", "tiktok"]
)
def test_a_domain_that_was_left_out_is_found(identifier: str) -> None:
    """Each app in turn, as if one domain of its own had never been found; its users ask for it as for the others."""
    chance = Random(identifier)
    endpoints = own(identifier)
    for hidden in chance.sample(endpoints, len(endpoints)):
        rules = without(identifier, [hidden])
        if unknown(rules, [hidden]):
            break
    used = chance.sample([each for each in endpoints if each != hidden], min(12, len(endpoints) - 1))
    traffic = trace([Used(hosts=[host(hidden), *map(host, used)], companion=COMPANION), *OTHERS], clients=60, hours=4)
    found = survey(rules, traffic, [identifier]).suggestions
    assert any(met(each, [host(hidden)]) for each in found), f"{hidden}: {[each.name for each in found]}"
    assert met(found[0], [host(hidden)]), f"{hidden} is not the first: {[each.name for each in found]}"


def test_precision_among_the_first_ten() -> None:
    """Of apps with a dozen hosts left out: how many of those suggested are really theirs, over several traces."""
    right = suggested = hidden = 0
    for seed, identifier in enumerate(("alipay", "tencent-qq", "wps-office", "tiktok")):
        chance = Random(seed)
        endpoints = own(identifier)
        left_out = chance.sample(endpoints, 12)
        rules = without(identifier, left_out)
        unknowns = unknown(rules, left_out)
        used = [*map(host, left_out), *map(host, chance.sample([e for e in endpoints if e not in left_out], 12))]
        traffic = trace([Used(hosts=used, companion=COMPANION), *OTHERS], clients=60, hours=4, seed=seed)
        found = survey(rules, traffic, [identifier]).suggestions
        right += sum(met(each, unknowns) for each in found)
        suggested += len(found)
        hidden += min(10, len(unknowns))
    print(f"precision among the first ten: {right}/{suggested}; found {right} of {hidden} left out")
    assert right / suggested >= 0.9
    assert right / hidden >= 0.7


def test_what_everybody_asks_for_is_not_suggested() -> None:
    """With a catalogue that is whole: nothing of the system, of third parties, of SDKs, of another app."""
    used = Used(hosts=[host(each) for each in own("alipay")[:12]], companion=COMPANION)
    found = survey(SHIPPED, trace([used, *OTHERS], clients=60, hours=4), ["alipay"]).suggestions
    assert [each.name for each in found if each.name in {*SYSTEM, *THIRD, *SDK}] == []
    assert [each.name for each in found] == []


CHAT = policy(
    [
        app("chat", "host:api.chat.com", "chat.net", endpoint("user_agent:ChatClient/")),
        app("rival", "host:www.shared-name.com", endpoint("user_agent:Rival/", Role.CLIENT, shared=True)),
        app("ally", "host:api.shared-name.com"),
    ]
)


def seen(name: str, second: float = 0, client: int = 1, **more: object) -> Seen:
    return Seen(
        request=f"https://{name}/",
        time=NOW + timedelta(seconds=second),
        client=ip_address(f"10.0.0.{client}"),
        **more,  # type: ignore[arg-type]
    )


AGENT = [seen("x.example.io", 100 * n, n, user_agent="Mozilla/5.0 ChatClient/7") for n in range(1, 9)]
RIVAL = [seen("x.example.io", 100 * n, n, user_agent="Rival/7") for n in range(1, 9)]
SINGLE = {  # case: (traffic, (app, name, whether all below it, parts))
    "its user agent": (AGENT, [("chat", "x.example.io", False, {"agent"})]),
    "a user agent that others use": (RIVAL, [("rival", "x.example.io", False, {"agent"})]),
    "its registered name": ([seen("img.chat.com")], [("chat", "img.chat.com", False, {"name"})]),
    "a registered name of two apps": (
        [seen("img.shared-name.com")],
        [("rival", "img.shared-name.com", False, {"name"}), ("ally", "img.shared-name.com", False, {"name"})],
    ),
    "several hosts under a name that is known in part": (
        [seen("img.chat.com"), seen("log.chat.com")],
        [("chat", "img.chat.com", False, {"name"}), ("chat", "log.chat.com", False, {"name"})],
    ),
    "its certificate": (
        [seen("x.example.io", certificate_names=("*.chat.net",))],
        [("chat", "x.example.io", False, {"certificate"})],
    ),
    "the certificate of its host": (
        [seen("api.chat.com", certificate_names=("api.chat.com", "*.example.io")), seen("x.example.io", 50)],
        [("chat", "x.example.io", False, {"certificate"})],
    ),
    "several hosts with its user agent": (
        [replace(each, request=f"https://s{n}.example.io/") for n, each in enumerate(AGENT)],
        [("chat", "example.io", True, {"agent"})],
    ),
    "nothing at all": ([seen("x.example.io")], []),
    "met once, near it": ([seen("api.chat.com"), seen("x.example.io", 1)], []),
}


@pytest.mark.parametrize(("traffic", "wanted"), SINGLE.values(), ids=SINGLE)
def test_evidence(traffic: list[Seen], wanted: list[tuple[str, str, bool, set[str]]]) -> None:
    found = survey(CHAT, traffic).suggestions
    told = [(each.app, each.name, each.below, set(each.parts)) for each in found]
    assert told == wanted
    for each in found:
        assert each.score == pytest.approx(sum(each.parts.values()))
        assert each.score >= LEAST_SCORE
        assert each.reasons()
        json.dumps(each.document())


def test_unread_pieces_are_counted_and_do_not_end_it() -> None:
    found = survey(CHAT, [Unread("line 1", "no"), seen("img.chat.com"), *(Unread("line 3", "no") for _ in range(50))])
    assert (found.requests, found.unreadable, len(found.unread), len(found.suggestions)) == (1, 51, 10, 1)


def test_traffic_that_names_nobody_is_told() -> None:
    census = Seen(request="img.chat.com", time=NOW, count=7, clients=9)
    found = survey(CHAT, [census, census])
    assert (found.without_client, found.requests) == (2, 2)
    assert [each.name for each in found.suggestions] == ["img.chat.com"], "its name still tells"


def test_the_first_so_many_of_each_app() -> None:
    traffic = [seen(f"h{number}.chat.com") for number in range(30)]
    assert len(survey(CHAT, traffic, top=3).suggestions) == 3
    assert survey(CHAT, traffic, ["rival"]).suggestions == ()
