"""The catalogue under a policy on a day."""

import pytest

from embargo.core.catalogue import App, DomainList, Endpoint, Role, Stores
from embargo.core.decision import Verdict
from embargo.core.matcher import DomainTable
from embargo.core.rules import AppSelector, Mode, Policy
from embargo.core.stores import listing_urls
from embargo.core.timeline import State
from embargo.policy.domains import url_pattern
from embargo.review.catalogue import account, accounts
from sample import NOW, app, authority, endpoint, instant, policy, rule

STORES = Stores(apple=("333206289",))
ALIPAY = App(
    id="alipay",
    name="Alipay",
    vendor="Ant Group",
    named_in=("eo", "gone"),
    endpoints=(
        endpoint("user_agent:AlipayClient/", Role.CLIENT),
        endpoint("alipay.com"),
        endpoint("cdn.example", Role.CDN, shared=True),
        endpoint("cidr:2001:db8::/32"),
        endpoint("url:store.example/alipay", Role.STORE),
        *(Endpoint(url_pattern(text), Role.STORE) for text in listing_urls(STORES)),
    ),
    exclude=(endpoint("open.alipay.com"),),
    stores=STORES,
)
EO = authority("eo", in_force="2021-02-19", revoked="2021-06-09")
RULES = (
    rule("shared", "log", shared=True),
    rule("store", "allow", roles=frozenset({Role.STORE})),
    rule("law", "block", AppSelector(named_in=("eo",)), authority=frozenset({State.IN_FORCE})),
    rule("off", "block", enabled=False),
)
POLICY = Policy(
    apps={"zoom": app("zoom", "zoom.example"), "alipay": ALIPAY},
    authorities={"eo": EO},
    rules=RULES,
    lists=(
        DomainList("alipay", "lists/alipay.txt", 1000, Role.CDN, shared=True),
        DomainList("zoom", "lists/zoom.txt", 5),
    ),
    listed=DomainTable([["x.example"], ["y.example"]]),
)


def test_every_app_by_id() -> None:
    assert [each.app.id for each in accounts(POLICY, NOW)] == ["alipay", "zoom"]


VERDICTS = {  # case: (day, verdicts): store listings apart, lists with all their domains
    "before": ("2021-02-18", {Verdict.LOG: 1004, Verdict.ALLOW: 1}),
    "in force": ("2021-02-19", {Verdict.BLOCK: 3, Verdict.LOG: 1001, Verdict.ALLOW: 1}),
    "revoked": ("2021-06-09", {Verdict.LOG: 1004, Verdict.ALLOW: 1}),
}


@pytest.mark.parametrize(("day", "verdicts"), VERDICTS.values(), ids=VERDICTS)
def test_verdicts_follow_the_day(day: str, verdicts: dict[Verdict, int]) -> None:
    assert account(POLICY, ALIPAY, instant(day)).verdicts == verdicts


def test_counts() -> None:
    found = account(POLICY, ALIPAY, NOW)
    assert (found.endpoints, found.shared, len(found.listings)) == (1005, 1001, len(list(listing_urls(STORES))))


def test_by_role() -> None:
    found = account(POLICY, ALIPAY, NOW).by_role()
    assert [(role.value, [str(entry) for entry in entries]) for role, entries in found] == [
        ("api", ["domain:alipay.com", "cidr:2001:db8::/32"]),
        ("cdn", ["domain:cdn.example", "list lists/alipay.txt, 1000 domains"]),
        ("store", ["url:store.example/alipay"]),
        ("client", ["user_agent:AlipayClient/"]),
    ]


def test_standing_and_rules() -> None:
    found = account(POLICY, ALIPAY, NOW)
    assert [(held.authority.id, held.state, held.text) for held in found.held] == [
        ("eo", State.REVOKED, "revoked since 2021-06-09")
    ]
    assert [rule.id for rule in found.rules] == ["shared", "store", "law"]


def test_monitor_blocks_nothing() -> None:
    judged = policy([app("a", "a.example")], [rule("r", "block")], mode=Mode.MONITOR)
    assert account(judged, judged.apps["a"], NOW).verdicts == {Verdict.LOG: 1}


def test_an_app_with_nothing_but_store_listings() -> None:
    only = App(
        id="a",
        name="A",
        endpoints=tuple(Endpoint(url_pattern(t), Role.STORE) for t in listing_urls(STORES)),
        stores=STORES,
    )
    found = account(policy([only], RULES), only, NOW)
    assert (found.endpoints, found.verdicts) == (0, {Verdict.ALLOW: len(found.listings)})


def test_summary() -> None:
    assert account(POLICY, ALIPAY, NOW).summary() == {
        "id": "alipay",
        "name": "Alipay",
        "vendor": "Ant Group",
        "endpoints": 1005,
        "shared": 1001,
        "authorities": [{"id": "eo", "state": "revoked"}],
        "verdicts": {"log": 1004, "allow": 1},
    }


def test_document() -> None:
    document = account(POLICY, ALIPAY, NOW).document()
    assert document["entries"][0] == {
        "endpoint": "domain:alipay.com",
        "list": None,
        "count": 1,
        "role": "api",
        "shared": False,
        "on_trial": False,
        "evidence": [],
        "verdict": "log",
        "rule": "default",
    }
    listed = next(entry for entry in document["entries"] if entry["list"] is not None)
    assert (listed["list"], listed["count"], listed["endpoint"]) == ("lists/alipay.txt", 1000, None)
    assert document["exclude"] == ["domain:open.alipay.com"]
    assert document["stores"] == {"apple": ["333206289"], "google_play": [], "microsoft": []}
    assert document["rules"] == ["shared", "store", "law"]
    assert document["authorities"][0]["timeline"] == [
        {"from": "2021-02-19T00:00:00+00:00", "state": "in-force"},
        {"from": "2021-06-09T00:00:00+00:00", "state": "revoked"},
    ]
