"""Which apps own a name: by kind, then length; at equal rank an exclude wins (DESIGN 5.3)."""

import pytest

from embargo.core.catalogue import App, DomainList, Role
from embargo.core.hostname import canonical
from embargo.core.matcher import DomainTable, Entry, Matcher, suffixes
from embargo.core.rules import Policy
from sample import app, endpoint, policy, request

QQ = app("qq", "qq.com")
WECHAT = app("wechat", "weixin.qq.com", "wechat.com")

OWNERS = {  # case: (apps, host, target, owners, the most specific first)
    "the domain itself": ([QQ], "qq.com", None, ["qq"]),
    "a name below": ([QQ], "a.b.qq.com", None, ["qq"]),
    "no owner": ([QQ], "example.org", None, []),
    "the parent of a domain": ([WECHAT], "qq.com", None, []),
    "look-alike on the left": ([QQ], "notqq.com", None, []),
    "look-alike on the right": ([QQ], "qq.com.example.org", None, []),
    "the top-level domain alone": ([QQ], "com", None, []),
    "the longer domain is more specific": ([QQ, WECHAT], "mp.weixin.qq.com", None, ["wechat", "qq"]),
    "whatever the order of apps": ([WECHAT, QQ], "mp.weixin.qq.com", None, ["wechat", "qq"]),
    "a host is more specific than a domain": (
        [app("a", "x.qq.com"), app("b", "host:x.qq.com")],
        "x.qq.com",
        None,
        ["b", "a"],
    ),
    "a url is more specific than a host": (
        [app("a", "host:qq.com"), app("b", "url:qq.com/p/*")],
        "qq.com",
        "/p/x",
        ["b", "a"],
    ),
    "a url whose path differs": ([app("a", "host:qq.com"), app("b", "url:qq.com/p/*")], "qq.com", "/q", ["a"]),
    "a url where none is seen": ([app("a", "host:qq.com"), app("b", "url:qq.com/p/*")], "qq.com", None, ["a"]),
    "the longer url": ([app("a", "url:qq.com/p/*"), app("b", "url:qq.com/p/q/*")], "qq.com", "/p/q/r", ["b", "a"]),
    "the longer cidr": (
        [app("a", "cidr:203.0.0.0/16"), app("b", "cidr:203.0.113.0/24")],
        "203.0.113.9",
        None,
        ["b", "a"],
    ),
    "a user agent is the least specific": ([app("a", "user_agent:Client"), QQ], "qq.com", None, ["qq", "a"]),
    "a user agent, whatever the host": ([app("a", "user_agent:Client")], "example.org", None, ["a"]),
    "user agents are all alike": (
        [app("b", "user_agent:Client"), app("a", "user_agent:Client/1")],
        "example.org",
        None,
        ["a", "b"],
    ),
    "a cidr is more specific than a user agent": (
        [app("a", "user_agent:Client"), app("b", "cidr:203.0.113.0/24")],
        "203.0.113.9",
        None,
        ["b", "a"],
    ),
    "tied domains, in order of ids": ([app("b", "qq.com"), app("a", "qq.com")], "qq.com", None, ["a", "b"]),
    "an app once, by its most specific endpoint": ([app("a", "qq.com", "weixin.qq.com")], "weixin.qq.com", None, ["a"]),
}


@pytest.mark.parametrize(("apps", "host", "target", "owners"), OWNERS.values(), ids=OWNERS)
def test_owners(apps: list[App], host: str, target: str | None, owners: list[str]) -> None:
    asked = request(host, target=target, user_agent="Client/1.0")
    assert [owner.app for owner in policy(apps).matcher.owners(asked.names[0], asked)] == owners


EXCLUDES = {  # case: (endpoints, excludes, host, target, owned)
    "an excluded domain": (["alipay.com"], ["open.alipay.com"], "open.alipay.com", None, False),
    "all below it": (["alipay.com"], ["open.alipay.com"], "x.open.alipay.com", None, False),
    "its neighbour": (["alipay.com"], ["open.alipay.com"], "notopen.alipay.com", None, True),
    "a longer domain below an exclude": (
        ["alipay.com", "a.open.alipay.com"],
        ["open.alipay.com"],
        "a.open.alipay.com",
        None,
        True,
    ),
    "at equal rank exclude wins": (["alipay.com"], ["alipay.com"], "alipay.com", None, False),
    "an excluded host, itself": (["alipay.com"], ["host:alipay.com"], "alipay.com", None, False),
    "an excluded host, not below": (["alipay.com"], ["host:alipay.com"], "www.alipay.com", None, True),
    "a host beats an excluded domain": (["host:x.alipay.com"], ["alipay.com"], "x.alipay.com", None, True),
    "an excluded host beats a domain of that name": (
        ["x.alipay.com"],
        ["host:x.alipay.com"],
        "x.alipay.com",
        None,
        False,
    ),
    "an excluded url, its path": (["alipay.com"], ["url:alipay.com/open/*"], "alipay.com", "/open/x", False),
    "an excluded url, another path": (["alipay.com"], ["url:alipay.com/open/*"], "alipay.com", "/pay", True),
    "an excluded url where none is seen": (["alipay.com"], ["url:alipay.com/open/*"], "alipay.com", None, True),
    "a longer url beats an excluded one": (
        ["url:alipay.com/open/pay/*"],
        ["url:alipay.com/open/*"],
        "alipay.com",
        "/open/pay/x",
        True,
    ),
    "an excluded url beats a host": (["host:alipay.com"], ["url:alipay.com/open/*"], "alipay.com", "/open/x", False),
    "an excluded network": (["cidr:203.0.0.0/16"], ["cidr:203.0.113.0/24"], "203.0.113.9", None, False),
    "beside an excluded network": (["cidr:203.0.0.0/16"], ["cidr:203.0.113.0/24"], "203.0.112.9", None, True),
    "an excluded network of another port": (
        ["cidr:203.0.113.0/24"],
        ["cidr:203.0.113.0/24 80"],
        "203.0.113.9",
        None,
        True,
    ),
    "an excluded network of that port": (
        ["cidr:203.0.113.0/24"],
        ["cidr:203.0.113.0/24 443"],
        "203.0.113.9",
        None,
        False,
    ),
    "an excluded user agent": (["user_agent:Client"], ["user_agent:Client/1"], "example.org", None, False),
    "an excluded user agent does not free a domain": (["alipay.com"], ["user_agent:Client"], "alipay.com", None, True),
}


@pytest.mark.parametrize(("endpoints", "excludes", "host", "target", "owned"), EXCLUDES.values(), ids=EXCLUDES)
def test_excludes(endpoints: list[str], excludes: list[str], host: str, target: str | None, owned: bool) -> None:
    asked = request(host, target=target, user_agent="Client/1.0")
    matcher = policy([app("alipay", *endpoints, exclude=excludes)]).matcher
    assert [owner.app for owner in matcher.owners(asked.names[0], asked)] == (["alipay"] if owned else [])


def test_an_excluded_name_may_be_another_apps() -> None:
    asked = request("open.alipay.com")
    matcher = policy([app("alipay", "alipay.com", exclude=["open.alipay.com"]), app("taobao", "alipay.com")]).matcher
    assert [owner.app for owner in matcher.owners(asked.names[0], asked)] == ["taobao"]


LISTS = (DomainList("big", "lists/big.txt", 3, Role.CDN), DomainList("huge", "lists/huge.txt", 1, shared=True))
LISTED = Policy(
    apps={
        each.id: each for each in (app("big", endpoint("a.example", Role.WEB), exclude=["x.b.example"]), app("huge"))
    },
    lists=LISTS,
    listed=DomainTable([["a.example", "b.example", "long.b.example"], ["b.example"]]),
)
LISTED_OWNERS = {  # case: (host, [(app, endpoint, role, shared)])
    "of a list": (
        "long.b.example",
        [("big", "long.b.example", Role.CDN, False), ("huge", "b.example", Role.API, True)],
    ),
    "below a listed name": (
        "y.b.example",
        [("big", "b.example", Role.CDN, False), ("huge", "b.example", Role.API, True)],
    ),
    "an exclude frees a listed name": ("x.b.example", [("huge", "b.example", Role.API, True)]),
    "the catalogue's own endpoint is told before a list's": ("a.example", [("big", "a.example", Role.WEB, False)]),
    "look-alike of a listed name": ("nota.example", []),
    "in no list": ("example", []),
}


@pytest.mark.parametrize(("host", "owners"), LISTED_OWNERS.values(), ids=LISTED_OWNERS)
def test_listed(host: str, owners: list[tuple[str, str, Role, bool]]) -> None:
    asked = request(host)
    found = LISTED.matcher.owners(asked.names[0], asked)
    assert [
        (each.app, each.endpoint.pattern.text, each.endpoint.role, each.endpoint.shared) for each in found
    ] == owners


def test_a_listed_endpoint_names_its_list_as_evidence() -> None:
    asked = request("b.example")
    assert LISTED.matcher.owners(asked.names[0], asked)[0].endpoint.evidence == ("lists/big.txt",)


def test_a_malformed_name_has_no_owner() -> None:
    asked = request("a..com")
    assert policy([app("all", "com", "user_agent:C")]).matcher.owners(asked.names[0], asked) == ()


def test_suffixes_are_whole_labels() -> None:
    assert list(suffixes("a.b.qq.com")) == ["a.b.qq.com", "b.qq.com", "qq.com", "com"]
    assert list(suffixes("localhost")) == ["localhost"]


def test_entries_of_a_host_leave_path_port_and_agent_open() -> None:
    matcher = Matcher([app("a", "qq.com", "host:qq.com", "url:qq.com/p", "user_agent:Q", exclude=["host:qq.com"])])
    found = matcher.entries_of_host(canonical("qq.com"))
    assert sorted((str(entry.endpoint), entry.excluded) for entry in found) == [
        ("domain:qq.com", False),
        ("host:qq.com", False),
        ("host:qq.com", True),
    ]
    assert [str(entry.endpoint) for entry in matcher.urls_of_host("qq.com")] == ["url:qq.com/p"]
    assert matcher.urls_of_host("example.org") == ()


def test_what_is_remembered_changes_nothing() -> None:
    matcher = Matcher([app("a", "qq.com", "url:x.qq.com/p", exclude=["url:x.qq.com/p/q"])])
    asked = [request("x.qq.com", target=target) for target in ("/p", "/p/q", "/p", None, "/p/q")]
    first = [matcher.owners(each.names[0], each) for each in asked]
    matcher.forget()
    assert [matcher.owners(each.names[0], each) for each in reversed(asked)] == first[::-1]


def test_an_exclude_ranks_above_an_endpoint_alike() -> None:
    same = endpoint("qq.com")
    assert Entry.of("a", same, excluded=True).rank > Entry.of("a", same, excluded=False).rank
