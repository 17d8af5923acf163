"""The situations that rules tell apart, and what a policy says of each."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from embargo.core.address import Address
from embargo.core.catalogue import ListedEndpoint, Role
from embargo.core.decide import decide
from embargo.core.matcher import Owner
from embargo.core.request import Request, Surface
from embargo.core.rules import Policy, Rule
from embargo.core.situations import Situation, alike, judge, situations
from sample import NOW, app, endpoint, group, pattern, policy, rule
from strategies import CLIENTS, policies, requests

APP = app(
    "tiktok",
    "tiktok.com",
    endpoint("cdn.test", Role.CDN, shared=True),
    endpoint("url:shop.test/app", Role.STORE),
    endpoint("user_agent:TikTok", Role.CLIENT),
)


def told(judged: Policy) -> set[str]:
    return {
        " ".join(
            [
                f"{'shared ' if each.shared else ''}{each.role}",
                *(["under", *each.under] if each.under else []),
                *(["at", *each.surfaces] if each.surfaces else []),
                str(each.asker),
                str(judge(judged, each, NOW).verdict),
            ]
        )
        for each in situations([judged], "tiktok").each
    }


PLAIN = {
    "api whoever no rule names block",
    "shared cdn whoever no rule names block",
    "store whoever no rule names block",
}
TOLD = {  # case: (rules, situations with verdicts, of roles api, cdn and store)
    "alike": ([rule("r", "block")], PLAIN),
    "a role": (
        [rule("r", "block", roles=frozenset({Role.API}))],
        {"api whoever no rule names block", "shared cdn whoever no rule names log", "store whoever no rule names log"},
    ),
    "a group": (
        [rule("g", "log", groups=(group("lab", "10.0.0.0/8"),)), rule("r", "block")],
        PLAIN | {"api lab log", "shared cdn lab log", "store lab log"},
    ),
    "a host below an endpoint": (
        [rule("h", "allow", hosts=(pattern("host:m.tiktok.com"),)), rule("r", "block")],
        PLAIN | {"api under host:m.tiktok.com whoever no rule names allow"},
    ),
    "a host above an endpoint": (
        [rule("h", "allow", hosts=(pattern("test"),)), rule("r", "block")],
        {
            "api whoever no rule names block",
            "shared cdn under domain:test whoever no rule names allow",
            "store under domain:test whoever no rule names allow",
        },
    ),
    "a page of a host": (
        [rule("h", "allow", hosts=(pattern("url:m.tiktok.com/x/*"),)), rule("r", "block")],
        PLAIN | {"api under url:m.tiktok.com/x/* whoever no rule names allow"},
    ),
}


@pytest.mark.parametrize(("asked", "expected"), TOLD.values(), ids=TOLD)
def test_told_apart(asked: list[Rule], expected: set[str]) -> None:
    assert {each for each in told(policy([APP], asked)) if not each.startswith("client")} == expected


def test_surfaces_that_a_rule_takes_alike() -> None:
    judged = policy([app("tiktok", "tiktok.com")], [rule("d", "allow", surfaces=frozenset({Surface.DNS}))])
    found = {each.surfaces: judge(judged, each, NOW).verdict for each in situations([judged], "tiktok").each}
    assert {surfaces: str(verdict) for surfaces, verdict in found.items()} == {
        (Surface.DNS,): "allow",
        tuple(each for each in Surface if each is not Surface.DNS): "log",
    }


def test_what_is_on_trial_is_no_situation() -> None:
    trial = replace(endpoint("new.test", Role.ADS), shadow=True)
    judged = policy([app("tiktok", "tiktok.com", trial)], [rule("r", "block")])
    assert {each.role for each in situations([judged], "tiktok").each} == {Role.API}


def test_apps_that_are_treated_alike() -> None:
    judged = policy(
        [
            *(app(f"plain{number}", f"p{number}.test") for number in (1, 2)),
            app("other-role", endpoint("o.test", Role.ADS)),
            app("named", "n.test", named_in=("eo",)),
            app("hosts", "h.test"),
            app("hosts-too", "i.test"),
        ],
        [rule("r", "block", "hosts hosts-too", hosts=(pattern("m.h.test"),)), rule("all", "log")],
    )
    assert alike([judged], judged.apps) == [
        ("plain1", "plain2"),
        ("other-role",),
        ("named",),
        ("hosts",),
        ("hosts-too",),
    ]
    assert alike([judged, policy([])], ["plain1", "plain2"]) == [("plain1",), ("plain2",)]


def looks_like(judged: Policy, owner: Owner, request: Request, situation: Situation) -> bool:
    """Whether to the rules *request* is of *situation*."""
    asker = situation.asker
    name = request.names[0]
    return (
        (situation.role, situation.shared) == (owner.endpoint.role, owner.endpoint.shared)
        and (not situation.surfaces or request.surface in situation.surfaces)
        and all(
            {each.holds(asker.client, asker.user) for each in one.not_groups}
            == {each.holds(request.client, request.user) for each in one.not_groups}
            and [bool(each.holds(asker.client, asker.user)) for each in one.groups]
            == [bool(each.holds(request.client, request.user)) for each in one.groups]
            and (asker.user in one.users) == (request.user in one.users)
            and any(asker.client in net for net in one.clients)
            == any(request.client is not None and request.client in net for net in one.clients)
            for one in judged.rules_of[owner.app]
        )
        and {each for one in judged.rules_of[owner.app] for each in one.hosts if each.covers(name, request)}
        == {
            each
            for one in judged.rules_of[owner.app]
            for each in one.hosts
            if f"{each.kind.key}:{each.text}" in situation.under
        }
    )


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(policies(), requests(), st.sampled_from(CLIENTS).map(ip_address))
def test_a_request_of_one_app_is_judged_as_its_situation(judged: Policy, drawn: Request, client: Address) -> None:
    """A request with a known client and one name that one app owns gets what its situation gets."""
    judged = enforced(judged)
    seen = drawn.target if drawn.surface in (Surface.HTTP, Surface.WEBSOCKET) else None
    alone = [replace(drawn, names=(name,), target=seen, client=client) for name in drawn.names if name.host is not None]
    owned = [(asked, judged.matcher.owners(asked.names[0], asked)) for asked in alone]
    asked, owner = next(((asked, owners[0]) for asked, owners in owned if len(owners) == 1), (None, None))
    assume(asked is not None)
    assert asked is not None and owner is not None
    decision = decide(judged, asked)
    found = [each for each in situations([judged], owner.app).each if looks_like(judged, owner, asked, each)]
    assert found or isinstance(owner.endpoint, ListedEndpoint), "names of lists are not enumerated"
    for each in found:
        said = judge(judged, each, asked.time)
        assert (said.verdict, said.rule) == (decision.verdict, decision.rule)


def enforced(judged: Policy) -> Policy:
    """*judged* without trials."""
    apps = {
        name: replace(app, endpoints=tuple(replace(each, shadow=False) for each in app.endpoints))
        for name, app in judged.apps.items()
    }
    return replace(judged, apps=apps)
