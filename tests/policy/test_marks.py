"""Marks of endpoints on trial: set and taken away, and not a byte else."""

from pathlib import Path

import pytest

from docs.pages import ROOT
from embargo.policy.document import Document, parse
from embargo.policy.marks import marked, unmarked
from embargo.policy.problem import Mistake
from embargo.policy.reading import Source


def document(text: str | bytes) -> Document:
    data = text if isinstance(text, bytes) else text.encode()
    return parse(Source("domains.yaml", Path("domains.yaml"), data))


def layer(entries: str, head: str = "") -> str:
    return f"{head}version: 1\napps:\n  a:\n    endpoints:\n{entries}"


FIRST = [("apps", "a", "endpoints", 0)]
FORMS = {  # case: (entries, marked, unmarked again)
    "short": (
        "      - x.test   # why\n",
        "      - {domain: x.test, shadow: true}   # why\n",
        "      - {domain: x.test}   # why\n",
    ),
    "short, quoted": (
        '      - "x.test"\n', '      - {domain: "x.test", shadow: true}\n', '      - {domain: "x.test"}\n',
    ),
    "in braces": ("      - {host: x.test, role: web}\n", "      - {host: x.test, shadow: true, role: web}\n", None),
    "in braces, over lines": (
        "      - {host: x.test, # why\n         role: web}\n",
        "      - {host: x.test, shadow: true, # why\n         role: web}\n",
        None,
    ),
    "in braces, alone": ("      - {host: x.test}\n", "      - {host: x.test, shadow: true}\n", None),
    "in lines": (
        "      - domain: x.test\n        # why\n        role: web\n",
        "      - shadow: true\n        domain: x.test\n        # why\n        role: web\n",
        None,
    ),
    "said to be none": (
        "      - {domain: x.test, shadow: false, role: web}\n",
        "      - {domain: x.test, shadow: true, role: web}\n",
        "      - {domain: x.test, role: web}\n",
    ),
    "beside others": (
        "      - x.test\n      - y.test\n",
        "      - {domain: x.test, shadow: true}\n      - y.test\n",
        "      - {domain: x.test}\n      - y.test\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "then", "again"), FORMS.values(), ids=FORMS)
def test_marked_and_unmarked(entries: str, then: str, again: str | None) -> None:
    found = marked(document(layer(entries)), FIRST)
    assert found.decode() == layer(then)
    assert unmarked(document(found), FIRST).decode() == layer(again or entries)


TEXTS = {  # case: a text in which the first endpoint is marked
    "line breaks of Windows": layer("      - domain: x.test\n        role: web\n").replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + layer("      - x.test\n").encode(),
    "letters beyond ASCII before": layer("      - {domain: x.test}\n", "# Größe 微信 🚀\n").encode(),
    "no line break at the end": layer("      - x.test").encode(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts(text: bytes) -> None:
    found = marked(document(text), FIRST)
    assert document(found).root["apps"]["a"]["endpoints"][0]["shadow"] is True
    assert found.startswith(text[:20])
    if b"\r\n" in text:
        assert found.count(b"\n") == found.count(b"\r\n")


REFUSED = {  # case: a text whose first endpoint is not to be marked
    "one that an alias repeats": layer("      - &one {domain: x.test}\n      - *one\n"),
    "an alias of a whole list": "version: 1\nanchored: &l [x.test]\napps: {a: {endpoints: *l}}\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_an_alias_repeats_is_refused(text: str) -> None:
    with pytest.raises(Mistake) as refused:
        marked(document(text), FIRST)
    assert refused.value.code == "unmarkable-endpoint"


def test_a_mark_that_is_not_there_is_not_taken() -> None:
    with pytest.raises(Mistake):
        unmarked(document(layer("      - {domain: x.test}\n")), FIRST)


def test_every_endpoint_of_the_shipped_catalogue() -> None:
    """Both ways it comes back to itself, byte for byte, comments and all."""
    shipped = document((ROOT / "domains.yaml").read_bytes())
    paths = [
        ("apps", app, "endpoints", index)
        for app, content in shipped.root["apps"].items()
        for index in range(len(content["endpoints"]))
    ]
    assert len(paths) > 400
    there = marked(shipped, paths)
    assert there.count(b"shadow: true") == len(paths)
    assert unmarked(document(there), paths) == shipped.source.data
