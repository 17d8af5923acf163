"""What one pattern covers, and how specific it is."""

import pytest

from sample import pattern, request

COVERS = {  # case: (pattern, host, target, covered)
    "a domain: itself": ("domain:qq.com", "qq.com", None, True),
    "a domain: a name below": ("domain:qq.com", "mp.weixin.qq.com", None, True),
    "a domain: look-alike on the left": ("domain:qq.com", "notqq.com", None, False),
    "a domain: look-alike on the right": ("domain:qq.com", "qq.com.example.org", None, False),
    "a domain: its parent": ("domain:mp.qq.com", "qq.com", None, False),
    "a domain: the same letters without the dot": ("domain:qq.com", "qqcom", None, False),
    "a domain: another spelling": ("domain:qq.com", "ＱＱ。com.", None, True),
    "a host: itself": ("host:qq.com", "qq.com", None, True),
    "a host: a name below": ("host:qq.com", "www.qq.com", None, False),
    "a url: its path": ("url:example.com/alipay/*", "example.com", "/alipay/x", True),
    "a url: another path": ("url:example.com/alipay/*", "example.com", "/other", False),
    "a url: another host": ("url:example.com/alipay/*", "www.example.com", "/alipay/x", False),
    "a url: no URL is seen": ("url:example.com/alipay/*", "example.com", None, False),
    "a url: all pairs are there": ("url:example.com/*?id=1&x=2", "example.com", "/a?x=2&id=1&y=3", True),
    "a url: a pair is missing": ("url:example.com/*?id=1&x=2", "example.com", "/a?id=1", False),
    "a url: a longer value": ("url:example.com/*?id=1", "example.com", "/a?id=12", False),
    "a url: spelled with escapes": ("url:example.com/%61lipay/x", "example.com", "/ALI%70ay//./x", True),
    "a url: an escaped star is a star": ("url:example.com/a%2Ab", "example.com", "/a*b", True),
    "a url: an escaped star is no wildcard": ("url:example.com/a%2Ab", "example.com", "/axb", False),
    "a cidr: inside": ("cidr:203.0.113.0/24", "203.0.113.9", None, True),
    "a cidr: its first address": ("cidr:203.0.113.0/24", "203.0.113.0", None, True),
    "a cidr: its last address": ("cidr:203.0.113.0/24", "203.0.113.255", None, True),
    "a cidr: one beyond": ("cidr:203.0.113.0/24", "203.0.114.0", None, False),
    "a cidr: another spelling": ("cidr:203.0.113.0/24", "0xcb007109", None, True),
    "a cidr: IPv4-mapped": ("cidr:203.0.113.0/24", "[::ffff:cb00:7109]", None, True),
    "a cidr: a name is no address": ("cidr:0.0.0.0/0", "alipay.com", None, False),
    "a cidr: IPv6": ("cidr:2001:db8::/32", "[2001:db8::1]", None, True),
    "a cidr: IPv6, outside": ("cidr:2001:db8::/32", "[2001:db9::1]", None, False),
    "a cidr: all IPv6 has no IPv4": ("cidr:::/0", "203.0.113.9", None, False),
    "a cidr: its port": ("cidr:203.0.113.0/24 443", "203.0.113.9", None, True),
    "a cidr: another port": ("cidr:203.0.113.0/24 8080", "203.0.113.9", None, False),
    "a cidr: the port that the name carries": ("cidr:203.0.113.0/24 8080", "203.0.113.9:8080", None, True),
    "a cidr: its protocol": ("cidr:203.0.113.0/24 tcp", "203.0.113.9", None, True),
    "a cidr: another protocol": ("cidr:203.0.113.0/24 udp", "203.0.113.9", None, False),
    "a cidr: port and protocol": ("cidr:203.0.113.0/24 443 tcp", "203.0.113.9", None, True),
    "a cidr: the port, another protocol": ("cidr:203.0.113.0/24 443 udp", "203.0.113.9", None, False),
    "a user agent: inside": ("user_agent:AlipayClient", "example.org", None, True),
    "a user agent: case counts": ("user_agent:alipayclient", "example.org", None, False),
    "a malformed name falls under nothing": ("domain:com", "a..com", None, False),
}


@pytest.mark.parametrize(("text", "host", "target", "covered"), COVERS.values(), ids=COVERS)
def test_covers(text: str, host: str, target: str | None, covered: bool) -> None:
    asked = request(host, target=target, user_agent="Mozilla/5.0 AlipayClient/10.2")
    assert pattern(text).covers(asked.names[0], asked) is covered


def test_no_user_agent_is_under_no_pattern() -> None:
    asked = request("example.org")
    assert not pattern("user_agent:Alipay").covers(asked.names[0], asked)


RANKING = [  # the most specific first
    "url:qq.com/longer/path",
    "url:qq.com/path",
    "host:qq.com",
    "domain:mp.weixin.qq.com",
    "domain:weixin.qq.com",
    "domain:qq.com",
    "cidr:203.0.113.0/24",
    "cidr:203.0.0.0/16",
    "user_agent:QQ",
]


def test_ranking() -> None:
    ranks = [pattern(text).specificity for text in RANKING]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)


EQUAL = {
    "user agents, however long": ("user_agent:QQ", "user_agent:QQBrowser/12"),
    "hosts": ("host:qq.com", "host:qq.com"),
    "networks of one length, whatever port": ("cidr:203.0.113.0/24", "cidr:203.0.113.0/24 443"),
}


@pytest.mark.parametrize(("one", "other"), EQUAL.values(), ids=EQUAL)
def test_equally_specific(one: str, other: str) -> None:
    assert pattern(one).specificity == pattern(other).specificity


CONTAINS = {  # case: (pattern, another, whether the first covers all that the other does)
    "itself": ("domain:qq.com", "domain:qq.com", True),
    "a domain: one below": ("domain:qq.com", "domain:mp.qq.com", True),
    "a domain: a host below": ("domain:qq.com", "host:qq.com", True),
    "a domain: a url below": ("domain:qq.com", "url:www.qq.com/x", True),
    "a domain: a look-alike": ("domain:qq.com", "domain:notqq.com", False),
    "a domain: its parent": ("domain:mp.qq.com", "domain:qq.com", False),
    "a domain: a user agent that reads so": ("domain:qq.com", "user_agent:qq.com", False),
    "a host: the domain": ("host:qq.com", "domain:qq.com", False),
    "a host: a url there": ("host:qq.com", "url:qq.com/x", True),
    "a host: a url below": ("host:qq.com", "url:www.qq.com/x", False),
    "a url: a longer path": ("url:qq.com/a", "url:qq.com/a/b", True),
    "a url: a path that begins alike": ("url:qq.com/a", "url:qq.com/ab", False),
    "a url: one more pair": ("url:qq.com/a", "url:qq.com/a?x=1", True),
    "a url: one pair less": ("url:qq.com/a?x=1", "url:qq.com/a", False),
    "a url: stars in both are not plain": ("url:qq.com/*a", "url:qq.com/b*a", False),
    "a url: a star over a plain path": ("url:qq.com/*", "url:qq.com/b", True),
    "a url: the host": ("url:qq.com/*", "host:qq.com", False),
    "a cidr: a smaller one": ("cidr:10.0.0.0/8", "cidr:10.1.0.0/16", True),
    "a cidr: a larger one": ("cidr:10.1.0.0/16", "cidr:10.0.0.0/8", False),
    "a cidr: another version": ("cidr:::/0", "cidr:10.0.0.0/8", False),
    "a cidr: one of its ports": ("cidr:10.0.0.0/8", "cidr:10.0.0.0/8 443", True),
    "a cidr: all ports of one": ("cidr:10.0.0.0/8 443", "cidr:10.1.0.0/16", False),
    "a cidr: another protocol": ("cidr:10.0.0.0/8 tcp", "cidr:10.0.0.0/8 udp", False),
    "a user agent: a longer one": ("user_agent:Alipay", "user_agent:AlipayClient", True),
    "a user agent: a shorter one": ("user_agent:AlipayClient", "user_agent:Alipay", False),
}


@pytest.mark.parametrize(("text", "other", "contained"), CONTAINS.values(), ids=CONTAINS)
def test_contains(text: str, other: str, contained: bool) -> None:
    assert pattern(text).contains(pattern(other)) is contained
