"""Somebody else's YAML as a tree: where each text stands, and what is refused."""

import pytest

from embargo.blocklists.tree import DEEPEST, Leaf, NoTree, parse_tree


def test_texts_have_places_and_no_types() -> None:
    assert parse_tree("a: [1, yes]\nb:\n  - 'x'\n") == {
        "a": [Leaf("1", 1, 5), Leaf("yes", 1, 8)],
        "b": [Leaf("x", 3, 5)],
    }


def test_json_is_yaml() -> None:
    assert parse_tree('{"a": ["\\u0041\\/b"]}') == {"a": [Leaf("A/b", 1, 8)]}


def test_of_a_key_that_stands_twice_the_first_counts() -> None:
    assert parse_tree("a: 1\na: 2\n") == {"a": Leaf("1", 1, 4)}


REFUSED = {  # case: (text, why, place)
    "an alias": ("a: &x [1]\nb: *x\n", "aliases have no place in a list", (2, 4)),
    "a second document": ("a: 1\n---\nb: 2\n", "a second document begins here", (2, 1)),
    "too deep": ("[" * (DEEPEST + 1), f"more than {DEEPEST} levels", (1, DEEPEST + 1)),
    "a key that is none": ("? [a]\n: b\n", "a key must be text", (1, 3)),
    "nothing": ("", "it holds nothing", (1, 1)),
    "a tab": ("a:\n\t- b\n", None, (2, 1)),
    "a control character": ("a: \x07\n", None, (1, 1)),
}


@pytest.mark.parametrize(("text", "why", "place"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, why: str | None, place: tuple[int, int]) -> None:
    with pytest.raises(NoTree) as refused:
        parse_tree(text)
    assert why is None or str(refused.value) == why
    assert (refused.value.line, refused.value.column) == place


def test_text_that_is_deep_beyond_all_reason_ends() -> None:
    with pytest.raises(NoTree):
        parse_tree("[" * 100_000)
