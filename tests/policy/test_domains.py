"""Spellings of hosts, networks and URL patterns, to the one form that is compared."""

import pytest

from embargo.core.pattern import Pattern
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.url import parse_target
from embargo.policy.domains import all_plain, domain_name, host_name, network, url_pattern
from embargo.policy.problem import Mistake
from sample import NOW

DOMAINS = {  # as written: canonical
    "example.com": "example.com",
    "Example.COM.": "example.com",
    "微信.example": "xn--vuqz89a.example",
    "_dmarc.example.com": "_dmarc.example.com",
    "ａlipay。com": "alipay.com",
    " example.com ": "example.com",
}


@pytest.mark.parametrize(("text", "name"), DOMAINS.items(), ids=DOMAINS)
def test_domain(text: str, name: str) -> None:
    assert domain_name(text) == name


def test_whole_suffix_on_purpose() -> None:
    assert domain_name("co.uk", whole_suffix=True) == "co.uk"
    assert host_name("co.uk") == "co.uk", "a host covers nothing below it"


PLAIN = {  # case: (names, whether they are canonical as they stand)
    "names": (["a.example", "b.co.uk", "_x.y-z.example"], True),
    "none": ([], True),
    "a capital": (["a.example", "B.example"], False),
    "a suffix": (["a.example", "co.uk"], False),
    "below a wildcard": (["shop.ck"], False),
    "a TLD": (["com"], False),
    "an address": (["203.0.113.9"], False),
    "a hexadecimal address": (["0xcb007109.0x0"], False),
    "an empty label": (["a..example"], False),
    "a label too long": ([f"{'a' * 64}.example"], False),
    "a name too long": ([f"{'a.' * 130}example"], False),
    "international": (["微信.example"], False),
    "white space": (["a.example "], False),
}


@pytest.mark.parametrize(("names", "plain"), PLAIN.values(), ids=PLAIN)
def test_all_plain(names: list[str], plain: bool) -> None:
    assert all_plain(names) is plain
    if plain:
        assert [domain_name(name) for name in names] == names, "the fast path agrees with the slow one"


NETWORKS = {  # as written: canonical
    "203.0.113.0/24": "203.0.113.0/24",
    "203.0.113.9": "203.0.113.9/32",
    "2001:DB8::/32": "2001:db8::/32",
    "::ffff:203.0.113.0/120": "203.0.113.0/24",
    "::ffff:203.0.113.9": "203.0.113.9/32",
    "::/0": "::/0",
}


@pytest.mark.parametrize(("text", "canonical"), NETWORKS.items(), ids=NETWORKS)
def test_network(text: str, canonical: str) -> None:
    assert str(network(text)) == canonical


URLS = {  # as written: (canonical spelling, pieces of the path, pairs)
    "a.example/": ("a.example/", ("/",), set()),
    "A.Example./Login": ("a.example/login", ("/login",), set()),
    "a.example/*/id1": ("a.example/*/id1", ("/", "/id1"), set()),
    "a.example/**/x": ("a.example/*/x", ("/", "/x"), set()),
    "a.example//x/./y/../z": ("a.example/x/z", ("/x/z",), set()),
    "a.example/%41%2f": ("a.example/a/", ("/a/",), set()),
    "a.example/%2A": ("a.example/%2A", ("/*",), set()),
    "a.example/x?b=2&A=1": ("a.example/x?a=1&b=2", ("/x",), {("a", "1"), ("b", "2")}),
    "a.example/x?id=a%26b": ("a.example/x?id=a%26b", ("/x",), {("id", "a&b")}),
    "[2001:DB8::1]/x": ("[2001:db8::1]/x", ("/x",), set()),
    "203.0.113.9/x": ("203.0.113.9/x", ("/x",), set()),
}


@pytest.mark.parametrize(("text", "expected"), URLS.items(), ids=URLS)
def test_url(text: str, expected: tuple[str, tuple[str, ...], set[tuple[str, str]]]) -> None:
    found = url_pattern(text)
    assert (found.text, found.path, set(found.pairs)) == expected
    assert url_pattern(found.text) == found, "the canonical spelling spells the same"


def covers(pattern: Pattern, host: str, target: str) -> bool:
    request = Request(surface=Surface.HTTP, time=NOW, names=(), target=parse_target(target))
    return pattern.covers(Name.parse(Source.HOST, host), request)


MATCHES = {  # case: (pattern, target, covered)
    "any characters, slashes included": ("a.example/*/id1", "/us/app/name/id1", True),
    "not the longer id": ("a.example/*/id1", "/us/app/name/id12", False),
    "a literal star": ("a.example/%2A", "/*", True),
    "a literal star is no wildcard": ("a.example/%2A", "/x", False),
    "every path": ("a.example/", "/x/y?z=1", True),
    "a pair among others": ("a.example/*?id=1", "/x?hl=en&id=1", True),
    "another pair": ("a.example/*?id=1", "/x?id=12", False),
}


@pytest.mark.parametrize(("pattern", "target", "covered"), MATCHES.values(), ids=MATCHES)
def test_url_covers(pattern: str, target: str, covered: bool) -> None:
    assert covers(url_pattern(pattern), "a.example", target) is covered


def test_nul_in_a_path() -> None:
    with pytest.raises(Mistake) as refused:
        url_pattern("a.example/%00")
    assert refused.value.code == "not-a-url"
