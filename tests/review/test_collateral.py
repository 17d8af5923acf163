"""What an edit does to past requests, and to whom: the innocent first, in bounded memory."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from embargo.core.catalogue import Role
from embargo.core.rules import Mode, Policy
from embargo.core.seen import Seen, Unread
from embargo.review import collateral
from embargo.review.collateral import Effect, TrafficEffect
from embargo.review.judge import Assumed, Judge
from sample import NOW, app, endpoint, policy, rule

BAN, LOG = rule("r", "block"), rule("r", "log")
ALIPAY = app("alipay", "alipay.com", endpoint("cdn.test", Role.CDN, shared=True))
NARROW = policy([app("alipay", "alipay.com")], [BAN])
WIDE = policy([app("alipay", "qq.com")], [BAN])


def effect(old: Policy, new: Policy, *found: Seen | Unread | str) -> TrafficEffect:
    judges = [Judge(each, Assumed(time=NOW), at=NOW) for each in (old, new)]
    traffic = TrafficEffect(*judges)
    traffic.add(Seen(request=each) if isinstance(each, str) else each for each in found)
    return traffic


EFFECTS = {  # case: (old, new, host, effect)
    "a host of nobody's, blocked": (NARROW, WIDE, "mail.qq.com", Effect.COLLATERAL),
    "a host of nobody's, logged": (NARROW, policy([app("a", "qq.com")], [LOG]), "mail.qq.com", Effect.COLLATERAL),
    "a shared host, blocked": (
        policy([ALIPAY], [rule("s", "log", shared=True), BAN]),
        policy([ALIPAY], [BAN]),
        "x.cdn.test",
        Effect.COLLATERAL,
    ),
    "a shared host, logged": (
        policy([ALIPAY], [rule("s", "allow", shared=True)]),
        policy([ALIPAY], [LOG]),
        "x.cdn.test",
        Effect.LOGGED,
    ),
    "an app's host, blocked": (policy([ALIPAY], [LOG]), policy([ALIPAY], [BAN]), "alipay.com", Effect.BLOCKED),
    "free": (policy([ALIPAY], [BAN]), policy([ALIPAY], [LOG]), "alipay.com", Effect.FREED),
    "freed of the catalogue": (NARROW, WIDE, "www.alipay.com", Effect.FREED),
    "in monitor nothing is free or blocked": (
        policy([ALIPAY], [LOG], mode=Mode.MONITOR),
        policy([ALIPAY], [BAN], mode=Mode.MONITOR),
        "alipay.com",
        None,
    ),
    "no longer logged": (policy([ALIPAY], [LOG]), policy([], []), "alipay.com", Effect.RELEASED),
    "the same": (NARROW, NARROW, "alipay.com", None),
}


@pytest.mark.parametrize(("old", "new", "host", "expected"), EFFECTS.values(), ids=EFFECTS)
def test_effects(old: Policy, new: Policy, host: str, expected: Effect | None) -> None:
    found = effect(old, new, host, "innocent.test")
    assert found.requests == 2
    assert {each: [one.host for one in found.of(each)] for each in Effect if found.of(each)} == (
        {expected: [host]} if expected else {}
    )


def test_a_typo_that_widens_is_told_by_what_it_hits() -> None:
    found = effect(NARROW, WIDE, "https://mail.qq.com/x", "im.qq.com", "https://mail.qq.com/y", "example.org")
    assert [
        (each.host, each.requests, each.apps, each.endpoint, each.rule) for each in found.of(Effect.COLLATERAL)
    ] == [
        ("mail.qq.com", 2, ("alipay",), "domain:qq.com", "r"),
        ("im.qq.com", 1, ("alipay",), "domain:qq.com", "r"),
    ]


def test_those_with_the_most_clients_come_first() -> None:
    clients = [ip_address(f"10.0.0.{number}") for number in range(1, 4)]
    found = effect(
        NARROW,
        WIDE,
        *(Seen(request="a.qq.com", client=clients[0]) for _ in range(9)),
        *(Seen(request="b.qq.com", client=client) for client in clients),
        Seen(request="c.qq.com", count=40, clients=7),
        Seen(request="c.qq.com", count=30, clients=5),
        Seen(request="d.qq.com", count=2),
    )
    assert [(each.host, each.clients, each.requests) for each in found.of(Effect.COLLATERAL)] == [
        ("c.qq.com", 7, 70),
        ("b.qq.com", 3, 3),
        ("a.qq.com", 1, 9),
        ("d.qq.com", None, 2),
    ]


def test_what_cannot_be_read_is_counted() -> None:
    found = effect(NARROW, WIDE, Unread("line 3", "no host"), Seen(request="ftp://a.test"), "a.qq.com")
    assert (found.requests, found.unread) == (1, 2)
    assert [each.where for each in found.unread_told] == ["line 3", "ftp://a.test"]


def test_hosts_beyond_the_bound_are_counted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collateral, "MOST_HOSTS", 3)
    found = effect(NARROW, WIDE, *(f"h{number}.qq.com" for number in range(10)), "h1.qq.com")
    assert len(found.of(Effect.COLLATERAL)) == 3
    assert found.beyond[Effect.COLLATERAL] == 7
    assert found.changed[Effect.COLLATERAL] == 11
    assert found.document()["changed"]["collateral"] == 11


def test_what_is_on_trial_says_what_it_would_do() -> None:
    trial = replace(endpoint("qq.com"), shadow=True)
    [found] = effect(NARROW, policy([app("alipay", "alipay.com", trial)], [BAN]), "m.qq.com").of(Effect.COLLATERAL)
    assert (str(found.before), str(found.after), str(found.would)) == ("pass", "log", "block")
