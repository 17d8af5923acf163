import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.journal.privacy import CUT, KEYWORD, keyword, path_and_query, without_user_information

TARGETS = {  # case: (target, path, query)
    "no query": ("/a/b", "/a/b", ""),
    "a value": ("/a?token=abc", "/a", "token=<redacted>"),
    "several values": ("/a?x=1&y=2&z=", "/a", "x=<redacted>&y=<redacted>&z="),
    "an equals sign in the value": ("/a?x=1=2", "/a", "x=<redacted>"),
    "a semicolon hides nothing": ("/a?x=1;password=2", "/a", "x=<redacted>"),
    "a flag stays": ("/a?debug&x=1", "/a", "debug&x=<redacted>"),
    "a bare token goes": ("/a?eyJhbGciOiJIUzI1NiJ9.e30.abc", "/a", "<redacted>"),
    "a bare number goes": ("/a?4111111111111111", "/a", "<redacted>"),
    "a question mark in the query": ("/a?x=1?y=2", "/a", "x=<redacted>"),
    "a fragment goes": ("/a?x=1#access_token=abc", "/a", "x=<redacted>"),
    "a fragment without a query": ("/a#access_token=abc", "/a", ""),
    "absolute form": ("http://alice:secret@example.com/a?x=1", "/a", "x=<redacted>"),
    "absolute form without a path": ("http://alice:secret@example.com", "/", ""),
    "absolute form, query only": ("http://example.com?next=/home", "/", "next=<redacted>"),
    "user information inside a path": ("/web/http://alice:secret@example.com/x", "/web/http://example.com/x", ""),
    "an at sign alone": ("/@alice/photos", "/@alice/photos", ""),
    "asterisk form": ("*", "*", ""),
    "empty": ("", "", ""),
}


@pytest.mark.parametrize(("target", "path", "query"), TARGETS.values(), ids=TARGETS)
def test_path_and_query(target: str, path: str, query: str) -> None:
    assert path_and_query(target) == (path, query)


KEPT = {  # case: (target, query with settings.query_values)
    "values stay": ("/a?x=1&y=2", "x=1&y=2"),
    "the fragment goes all the same": ("/a?x=1#secret", "x=1"),
    "user information goes all the same": ("/a?next=https://alice:secret@example.com/", "next=https://example.com/"),
}


@pytest.mark.parametrize(("target", "query"), KEPT.values(), ids=KEPT)
def test_values_where_the_policy_keeps_them(target: str, query: str) -> None:
    assert path_and_query(target, values=True)[1] == query


@given(
    st.text(), st.lists(st.tuples(st.text("abc", min_size=1), st.from_regex("[0-9]{6,20}", fullmatch=True)), min_size=1)
)
def test_no_value_survives(path: str, pairs: list[tuple[str, str]]) -> None:
    path = "/" + path.replace("?", "").replace("#", "")
    target = path + "?" + "&".join(f"{name}={value}" for name, value in pairs)
    _, query = path_and_query(target)
    assert not any(value in query for _, value in pairs)
    assert [piece.partition("=")[0] for piece in query.split("&")] == [name for name, _ in pairs]


@given(st.text(st.characters(exclude_categories=[])))
def test_a_keyword_is_unicode_of_bounded_length(text: str) -> None:
    kept = keyword(text)
    kept.encode()  # a lone surrogate would raise
    assert len(kept) <= KEYWORD
    assert keyword(kept) == kept


def test_what_is_cut_says_so() -> None:
    assert keyword("a" * 1024) == "a" * 1024
    assert keyword("a" * 1025) == "a" * 1023 + CUT


def test_user_information_of_a_host() -> None:
    assert without_user_information("alice:p@ss@example.com") == "example.com"
    assert without_user_information("example.com") == "example.com"
