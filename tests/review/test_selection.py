"""What people name is found in the catalogue, or what they may have meant is said."""

import pytest

from embargo.review.selection import Selection, Unselectable, as_hosts, narrower, select
from sample import app, pattern, policy

POLICY = policy(
    [
        app("qq", "qq.com", "host:one.example", "url:store.example/app/*", "cidr:203.0.113.0/24"),
        app("wechat", "weixin.qq.com", exclude=["open.weixin.qq.com"]),
        app("client", "user_agent:Client"),
    ]
)
SELECTED = {  # case: (names, apps, patterns)
    "an app": ("qq", "qq", ""),
    "two apps, each once": ("wechat qq wechat", "wechat qq", ""),
    "all": ("all", "all", ""),
    "a domain": ("domain:weixin.qq.com", "wechat qq", "domain:weixin.qq.com"),
    "a domain without its kind": ("qq.com", "qq wechat", "domain:qq.com"),
    "a name below a domain": ("www.qq.com", "qq", "domain:www.qq.com"),
    "a host that is an endpoint": ("one.example", "qq", "host:one.example"),
    "a host": ("host:mp.weixin.qq.com", "wechat qq", "host:mp.weixin.qq.com"),
    "a url": ("url:store.example/app/x", "qq", "url:store.example/app/x"),
    "a url as browsers show it": ("https://store.example/app/x", "qq", "url:store.example/app/x"),
    "a url without its kind": ("store.example/app/*", "qq", "url:store.example/app/*"),
    "an address": ("203.0.113.7", "qq", "cidr:203.0.113.7/32"),
    "a network": ("cidr:203.0.0.0/16", "qq", "cidr:203.0.0.0/16"),
    "another spelling": ("WWW.QQ.com", "qq", "domain:www.qq.com"),
    "two places": ("one.example www.qq.com", "qq", "host:one.example domain:www.qq.com"),
}


@pytest.mark.parametrize(("names", "apps", "patterns"), SELECTED.values(), ids=SELECTED)
def test_selected(names: str, apps: str, patterns: str) -> None:
    found = select(POLICY, names.split())
    assert set(found.apps) == set(apps.split())
    assert [f"{each.kind.key}:{each.text}" for each in found.patterns] == patterns.split()


UNSELECTABLE = {  # case: (names, words of the message)
    "no app": ("wechta", "did you mean 'wechat'"),
    "neither an app nor a place": ("zzzzzzzz", "is no app of this policy"),
    "a place of no app": ("example.org", "no app has an endpoint at 'example.org'"),
    "a network of no app": ("198.51.100.0/24", "no app has an endpoint"),
    "a suffix": ("com", "is no app"),
    "a user agent": ("user_agent:Client", "name the app"),
    "an app and a place": ("qq www.qq.com", "one after the other"),
    "an app and another that is none": ("qq wechta", "did you mean 'wechat'"),
    "all and an app": ("all qq", "name no other"),
    "no name": ("a..b", "'a..b'"),
}


@pytest.mark.parametrize(("names", "message"), UNSELECTABLE.values(), ids=UNSELECTABLE)
def test_unselectable(names: str, message: str) -> None:
    with pytest.raises(Unselectable) as refused:
        select(POLICY, names.split())
    assert message in str(refused.value)


def test_all_is_every_app() -> None:
    assert [each.id for each in Selection(("all",)).chosen(POLICY)] == ["qq", "wechat", "client"]


def test_hosts_as_a_rule_spells_them() -> None:
    assert as_hosts([pattern("qq.com"), pattern("url:a.example/x")]) == ({"domain": "qq.com"}, {"url": "a.example/x"})


NARROWER = {  # case: (one, other, the narrower)
    "a host in a domain": ("qq.com", "host:x.qq.com", "host:x.qq.com"),
    "a host at a domain": ("qq.com", "host:qq.com", "host:qq.com"),
    "a url in a domain": ("url:qq.com/x", "qq.com", "url:qq.com/x"),
    "a look-alike": ("qq.com", "notqq.com", None),
    "a domain is not within a host": ("x.qq.com", "host:qq.com", None),
    "a network in another": ("cidr:10.0.0.0/8", "cidr:10.1.0.0/16", "cidr:10.1.0.0/16"),
    "networks apart": ("cidr:10.0.0.0/8", "cidr:11.0.0.0/8", None),
    "networks of two families": ("cidr:10.0.0.0/8", "cidr:2001:db8::/32", None),
    "a network and a name": ("cidr:10.0.0.0/8", "qq.com", None),
    "a user agent": ("user_agent:qq.com", "qq.com", None),
}


@pytest.mark.parametrize(("one", "other", "expected"), NARROWER.values(), ids=NARROWER)
def test_narrower(one: str, other: str, expected: str | None) -> None:
    for pair in ((one, other), (other, one)):
        found = narrower(*map(pattern, pair))
        assert (f"{found.kind.key}:{found.text}" if found is not None else None) == (
            expected if expected is None or ":" in expected else f"domain:{expected}"
        )
