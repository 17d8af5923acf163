"""The Public Suffix List's rules as sets, held to the library that reads the same list."""

import pytest
from publicsuffixlist import PublicSuffixList

from embargo.policy.suffix import suffixes

CASES = {  # domain: whether it is a suffix
    "com": True, "co.uk": True, "example.co.uk": False, "ck": True, "shop.ck": True, "www.ck": False,
    "a.shop.ck": False, "github.io": True, "me.github.io": False, "city.kawasaki.jp": False, "x.kawasaki.jp": True,
    "xn--55qx5d.cn": True, "localhost": True, "unlisted-tld": True, "a.unlisted-tld": False,
}  # fmt: skip


@pytest.mark.parametrize(("domain", "suffix"), CASES.items(), ids=CASES)
def test_suffix(domain: str, suffix: bool) -> None:
    assert (domain in suffixes()) is suffix
    assert (PublicSuffixList().is_public(domain)) is suffix


def test_every_rule_agrees_with_the_library() -> None:
    library = PublicSuffixList()
    rules = suffixes()
    candidates = [*rules.exact, *rules.exceptions, *(f"x.{parent}" for parent in rules.wildcard)]
    assert [name for name in candidates if (name in rules) is not library.is_public(name)] == []


def test_touches() -> None:
    assert not suffixes().touches(["a.example", "b.co.uk"])
    assert suffixes().touches(["a.example", "co.uk"])
    assert suffixes().touches(["x.kawasaki.jp"])
    assert suffixes().touches(["com"])
