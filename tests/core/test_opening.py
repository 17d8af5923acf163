"""Which names a policy needs opened, and that it agrees with what the proxy opens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from embargo.core.catalogue import DomainList, Role
from embargo.core.decide import decide
from embargo.core.hostname import Host, canonical
from embargo.core.matcher import DomainTable
from embargo.core.name_constraints import NameConstraints
from embargo.core.opening import Why, lists_inside, openings, spared, subtrees
from embargo.core.request import Surface
from embargo.core.rules import Action, AppSelector, Decrypt, Policy, Respond
from embargo.core.timeline import State
from embargo.enforce.tls.decrypt import can_block_inside, never_opened
from sample import NOW, app, authority, endpoint, group, instant, pattern, policy, request, rule, schedule

APPS = [
    app("whole", "whole.test", exclude=["open.whole.test"], named_in=("order",)),
    app("hosts", "host:only.test"),
    app("paths", endpoint("url:pages.test/bad/*")),
    app("listings", endpoint("url:store.test/*/id7", Role.STORE)),
    app("shared", endpoint("cdn.test", shared=True)),
    app("others", endpoint("user_agent:BadClient"), endpoint("cidr:192.0.2.0/24")),
]
ORDER = authority("order", in_force="2020-01-01", revoked="2021-01-01")
TO_COME = authority("order", issued="2020-01-01", in_force="2030-01-01")
BLOCK = rule("block", "block")
ALL = {"whole.test page", "only.test page", "pages.test path", "store.test path", "cdn.test page"}


def made(*rules: Any, order: Any = ORDER, apps: Any = APPS, **settings: Any) -> Policy:
    return policy(apps, rules, [order], **{"decrypt": Decrypt.NEEDED, **settings})


LIST = DomainList("many", "lists/many.txt", 2)


def listing(*rules: Any, **settings: Any) -> Policy:
    """A policy whose app `many` has the names of a long list."""
    plain = made(*rules, apps=[*APPS, app("many", exclude=["one.test"])], **settings)
    return replace(plain, lists=(LIST,), listed=DomainTable([["listed.test", "one.test"]]))


IN_FORCE = rule("law", "block", AppSelector(named_in=("order",)), authority=frozenset({State.IN_FORCE}))
INSIDE = frozenset({Surface.HTTP})
HTTP = rule("http", "block", surfaces=INSIDE)
CASES = {  # case: (policy, what is opened)
    "everything is blocked": (made(BLOCK), ALL),
    "all opens more, but needs the same": (made(BLOCK, decrypt=Decrypt.ALL), ALL),
    "none opens nothing": (made(BLOCK, decrypt=Decrypt.NONE), set()),
    "nothing is blocked": (made(rule("log", "log")), set()),
    "the default blocks": (made(default=Action.BLOCK), ALL),
    "an earlier rule takes the listings": (
        made(rule("stores", "log", roles=frozenset({Role.STORE})), BLOCK),
        ALL - {"store.test path"},
    ),
    "an earlier rule takes what is shared": (made(rule("s", "log", shared=True), BLOCK), ALL - {"cdn.test page"}),
    "an earlier rule for a few leaves the others": (
        made(rule("few", "allow", groups=(group("research", users="alice"),)), BLOCK),
        ALL,
    ),
    "a block for a few": (made(rule("few", "block", "whole", users=frozenset({"bob"}))), {"whole.test page"}),
    "a block at night": (
        made(rule("night", "block", "whole", schedule=schedule(hours="22:00-23:00"))),
        {"whole.test page"},
    ),
    "a block that has ended": (made(rule("old", "block", "whole", until=NOW)), set()),
    "a block to come": (made(rule("new", "block", "whole", since=NOW + timedelta(days=9))), {"whole.test page"}),
    "an order that is over": (made(IN_FORCE), set()),
    "an order to come": (made(IN_FORCE, order=TO_COME), {"whole.test page"}),
    "a shadow rule": (made(rule("try", "block", shadow=True)), set()),
    "a disabled rule": (made(rule("off", "block", enabled=False)), set()),
    "a rule for what is inside": (
        made(rule("http", "block", "whole", surfaces=frozenset({Surface.HTTP}))),
        {"whole.test inside"},
    ),
    "a rule for what is inside, and the apex is excluded": (
        made(HTTP, apps=[app("a", "only.test", exclude=["host:only.test"])]),
        {"only.test inside"},
    ),
    "an exclude of the whole": (made(BLOCK, apps=[app("a", "only.test", exclude=["only.test"])]), set()),
    "names of a list have no page": (listing(BLOCK), ALL),
    "a rule for what is inside names of a list": (listing(rule("http", "block", "many", surfaces=INSIDE)), set()),
    "a rule for a path at a name of a list": (
        listing(rule("path", "block", "many", hosts=(pattern("url:listed.test/x"), pattern("url:one.test/x")))),
        {"listed.test path"},
    ),
    "a rule for what is inside a host below a list": (
        listing(rule("http", "block", "many", surfaces=INSIDE, hosts=(pattern("host:a.listed.test"),))),
        {"a.listed.test inside"},
    ),
    "a rule for the SNI alone shows no page": (
        made(rule("sni", "block", "whole", surfaces=frozenset({Surface.TLS}))),
        set(),
    ),
    "a reset after what fits elsewhere": (
        made(rule("cut", "block", "whole", respond=(Respond.NXDOMAIN, Respond.RESET))),
        set(),
    ),
    "a reset shows no page": (made(rule("cut", "block", "whole", respond=(Respond.RESET,))), set()),
    "a rule for a host below": (
        made(rule("one", "block", "whole", hosts=(pattern("host:a.whole.test"),))),
        {"a.whole.test page"},
    ),
    "a rule for a domain above": (
        made(rule("tld", "block", "whole hosts", hosts=(pattern("whole.test"),))),
        {"whole.test page"},
    ),
    "a rule that selects by url": (
        made(rule("path", "block", "whole", hosts=(pattern("url:whole.test/x"),))),
        {"whole.test path"},
    ),
    "never decrypted": (
        made(BLOCK, never_decrypt=(pattern("whole.test"), pattern("host:pages.test"))),
        ALL - {"whole.test page", "pages.test path"},
    ),
}


@pytest.mark.parametrize(("judged", "expected"), CASES.values(), ids=CASES)
def test_openings(judged: Policy, expected: set[str]) -> None:
    assert {f"{each.name} {each.why}" for each in openings(judged, NOW)} == expected


HOSTS = (
    "whole.test", "a.whole.test", "only.test", "a.only.test", "pages.test", "store.test", "cdn.test", "listed.test",
    "a.listed.test", "one.test", "innocent.test",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("judged", [case[0] for case in CASES.values()], ids=CASES)
def test_it_agrees_with_what_the_proxy_opens(judged: Policy, host: str) -> None:
    """What passes by its name and is opened for what is inside, by any user, is among what a CA has to sign for."""
    if judged.settings.decrypt is Decrypt.NONE:
        return
    limits = NameConstraints(permitted_names=frozenset(subtrees(openings(judged, NOW))) or frozenset({"nothing.test"}))
    for user in (None, "bob", "alice"):
        asked = request(host, surface=Surface.TLS, user=user)
        opened = can_block_inside(judged, asked) and not never_opened(judged, asked)
        if opened and not decide(judged, asked).blocked:
            told = [names for names in lists_inside(judged, NOW) if _is_listed(judged, host, names)]
            assert limits.permits(canonical(host)) or told


def _is_listed(judged: Policy, host: str, names: DomainList) -> bool:
    entries = judged.matcher.entries_of_host(Host(host))
    return any(entry.endpoint.evidence == (names.source,) for entry in entries)


LISTS = {  # case: (policy, whether the list is told)
    "for its page": (listing(BLOCK), False),
    "by default": (listing(default=Action.BLOCK), False),
    "for what is inside": (listing(HTTP), True),
    "for what is inside, and nothing is opened": (listing(HTTP, decrypt=Decrypt.NONE), False),
    "for what is inside another app": (listing(rule("http", "block", "whole", surfaces=INSIDE)), False),
    "behind a rule that always holds": (listing(rule("log", "log", "many"), HTTP), False),
    "for what is inside single hosts": (
        listing(rule("http", "block", surfaces=INSIDE, hosts=(pattern("host:a.listed.test"),))),
        False,
    ),
    "for what is inside names below a domain": (
        listing(rule("http", "block", surfaces=INSIDE, hosts=(pattern("test"),))),
        True,
    ),
    "for the SNI alone": (listing(rule("sni", "block", surfaces=frozenset({Surface.TLS}))), False),
}


@pytest.mark.parametrize(("judged", "told"), LISTS.values(), ids=LISTS)
def test_lists_of_which_a_verdict_depends_on_what_is_inside(judged: Policy, told: bool) -> None:
    assert lists_inside(judged, NOW) == ((LIST,) if told else ())


def test_reasons() -> None:
    (path,) = [each for each in openings(made(BLOCK), NOW) if each.name == "pages.test"]
    assert (path.why, path.below, path.app, path.endpoint, path.rule) == (
        Why.PATH,
        False,
        "paths",
        "url:pages.test/bad/*",
        "block",
    )
    (page,) = [each for each in openings(made(default=Action.BLOCK), NOW) if each.name == "whole.test"]
    assert (page.below, page.rule) == (True, "default")


def test_subtrees_are_the_fewest() -> None:
    apps = [app("a", "a.test", "host:x.a.test", "nota.test"), app("b", "b.a.test")]
    assert subtrees(openings(policy(apps, [BLOCK]), NOW)) == ("a.test", "nota.test")


SPARED = {  # case: (apps, never_decrypt, what is spared)
    "an exclude below": ([app("a", "a.test", exclude=["open.a.test"])], "", ("open.a.test",)),
    "an exclude of a single host, which no subtree says": ([app("a", "a.test", exclude=["host:o.a.test"])], "", ()),
    "an exclude that another app owns": (
        [app("a", "a.test", exclude=["b.a.test"]), app("b", "b.a.test")],
        "",
        (),
    ),
    "an exclude above an endpoint": ([app("a", "a.test", "x.open.a.test", exclude=["open.a.test"])], "", ()),
    "never decrypted below": ([app("a", "a.test")], "private.a.test", ("private.a.test",)),
    "never decrypted elsewhere": ([app("a", "a.test")], "bank.test", ()),
    "only the widest is told": (
        [app("a", "a.test", exclude=["open.a.test", "x.open.a.test"])],
        "",
        ("open.a.test",),
    ),
}


@pytest.mark.parametrize(("apps", "never", "expected"), SPARED.values(), ids=SPARED)
def test_spared(apps: list[Any], never: str, expected: tuple[str, ...]) -> None:
    judged = policy(apps, [BLOCK], never_decrypt=(pattern(never),) if never else ())
    assert spared(judged, subtrees(openings(judged, NOW))) == expected


def test_an_instant_of_the_past_is_another_policy() -> None:
    assert openings(made(IN_FORCE), instant("2020-06-01"))
