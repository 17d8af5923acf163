"""Paths and queries in one form, and where a pattern's match may end (DESIGN 4, Patterns)."""

import pytest

from embargo.core.url import glob_matches, normalize_path, parse_pairs, parse_target

PATHS = {  # case: (path, normalized)
    "as it is": ("/app/alipay", "/app/alipay"),
    "case is ignored": ("/App/AliPay", "/app/alipay"),
    "percent-decoded": ("/%61pp/alipay", "/app/alipay"),
    "percent-decoded once": ("/%2561pp", "/%61pp"),
    "an encoded slash": ("/app%2Falipay", "/app/alipay"),
    "encoded dots": ("/x/%2e%2e/app", "/app"),
    "a single dot": ("/./app/./alipay", "/app/alipay"),
    "two dots": ("/x/y/../../app", "/app"),
    "two dots at the root": ("/../../app", "/app"),
    "doubled slashes": ("//app///alipay", "/app/alipay"),
    "a trailing slash stays": ("/app/", "/app/"),
    "a trailing dot segment is a directory": ("/app/.", "/app/"),
    "trailing dots are a directory": ("/app/x/..", "/app/"),
    "three dots are a name": ("/.../app", "/.../app"),
    "nothing": ("", "/"),
    "the root": ("/", "/"),
    "only dots": ("/../..", "/"),
    "no leading slash": ("app", "/app"),
    "UTF-8": ("/%E6%94%AF", "/支"),
    "percent without digits": ("/100%/x", "/100%/x"),
    "bytes that are no UTF-8": ("/%ff", "/\ufffd"),
}


@pytest.mark.parametrize(("path", "normalized"), PATHS.values(), ids=PATHS)
def test_path(path: str, normalized: str) -> None:
    assert normalize_path(path) == normalized


PAIRS = {  # case: (query, pairs)
    "nothing": ("", set()),
    "one": ("id=1", {("id", "1")}),
    "several, in any order": ("b=2&a=1", {("a", "1"), ("b", "2")}),
    "case is ignored": ("ID=Com.Tencent.MM", {("id", "com.tencent.mm")}),
    "percent-decoded": ("%69d=com%2Etencent", {("id", "com.tencent")}),
    "percent-decoded once": ("id=%2561", {("id", "%61")}),
    "plus is a blank": ("q=a+b", {("q", "a b")}),
    "an empty value": ("id=", {("id", "")}),
    "no value": ("id", {("id", "")}),
    "the same key twice": ("id=1&id=2", {("id", "1"), ("id", "2")}),
    "an equals sign in the value": ("id=a=b", {("id", "a=b")}),
}


@pytest.mark.parametrize(("query", "pairs"), PAIRS.values(), ids=PAIRS)
def test_pairs(query: str, pairs: set[tuple[str, str]]) -> None:
    assert parse_pairs(query) == pairs


TARGETS = {  # case: (target, path, pairs)
    "path alone": ("/app", "/app", set()),
    "path and query": ("/app?id=1", "/app", {("id", "1")}),
    "a fragment is no part of it": ("/app?id=1#id=2", "/app", {("id", "1")}),
    "a fragment before a question mark": ("/app#x?id=2", "/app", set()),
    "a question mark in the query": ("/app?id=1?x", "/app", {("id", "1?x")}),
    "an encoded question mark is in the path": ("/app%3Fid=1", "/app?id=1", set()),
    "a query alone": ("?id=1", "/", {("id", "1")}),
}


@pytest.mark.parametrize(("target", "path", "pairs"), TARGETS.values(), ids=TARGETS)
def test_target(target: str, path: str, pairs: set[tuple[str, str]]) -> None:
    parsed = parse_target(target)
    assert (parsed.path, parsed.pairs) == (path, pairs)


GLOBS = {  # case: (pattern with *, path, matches)
    "the path itself": ("/app/id1", "/app/id1", True),
    "a longer id": ("/app/id1", "/app/id12", False),
    "a shorter id": ("/app/id12", "/app/id1", False),
    "before a slash": ("/app/id1", "/app/id1/reviews", True),
    "with a trailing slash": ("/app/id1", "/app/id1/", True),
    "before a dot is no end": ("/app/id1", "/app/id1.html", False),
    "not from the middle": ("/app", "/my/app", False),
    "a star for nothing": ("/a*/b", "/a/b", True),
    "a star for characters": ("/a*/b", "/axy/b", True),
    "a star for slashes": ("/a*/b", "/a/x/y/b", True),
    "a star, then the end": ("/a/*", "/a/x/y", True),
    "a star, then the end: nothing behind the slash": ("/a/*", "/a/", True),
    "a star, then the end: without the slash": ("/a/*", "/a", False),
    "two stars": ("/*/id1*/end", "/us/app/id1x/y/end", True),
    "two stars, the wrong order": ("/*/b/*/a", "/x/a/y/b", False),
    "a star does not hide a longer id": ("/*/id1", "/us/id12", False),
    "a later occurrence may end rightly": ("/*/id1", "/id1/id12/id1", True),
    "pieces may not overlap": ("/ab*ba", "/aba", False),
    "a pattern that ends in a slash: all below": ("/a/", "/a/b", True),
    "the root: everything": ("/", "/a/b", True),
    "star and slash at the end: all below": ("/*/a/", "/x/a/b", True),
    "an empty middle": ("/a**b", "/axb", True),
}


@pytest.mark.parametrize(("pattern", "path", "matches"), GLOBS.values(), ids=GLOBS)
def test_glob(pattern: str, path: str, matches: bool) -> None:
    assert glob_matches(tuple(pattern.split("*")), path) is matches


def test_a_client_cannot_choose_how_long_a_match_takes() -> None:
    """Work grows with the path, not with a power of it: counted in comparisons, so that no clock decides."""

    class Counted(str):
        searches = 0

        def find(self, *arguments: object) -> int:  # type: ignore[override]
            Counted.searches += 1
            return str.find(self, *arguments)  # type: ignore[arg-type]

    pieces = tuple(["/", "a", "a", "a", "a", "a", "a", "b"])
    assert not glob_matches(pieces, Counted("/" + "a" * 10_000))
    assert Counted.searches <= len(pieces)
