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


BESIDE = {  # case: (entries, with another beside the first and that marked)
    "short": ("      - x.test # a - b\n", "      - {host: y.test}\n      - {domain: x.test, shadow: true} # a - b\n"),
    "in braces": (
        "      # why - here\n      - {host: x.test}\n",
        "      # why - here\n      - {host: y.test}\n      - {host: x.test, shadow: true}\n",
    ),
    "in lines": (
        "      -\n        # - why\n        domain: x.test\n",
        "      - {host: y.test}\n      -\n        # - why\n        shadow: true\n        domain: x.test\n",
    ),
    "not indented": ("    - x.test\n", "    - {host: y.test}\n    - {domain: x.test, shadow: true}\n"),
    "in brackets": (
        "      [x.test, {host: z.test}]\n", "      [{host: y.test}, {domain: x.test, shadow: true}, {host: z.test}]\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "then"), BESIDE.values(), ids=BESIDE)
def test_one_is_put_beside(entries: str, then: str) -> None:
    beside = {FIRST[0]: ["{host: y.test}"]}
    assert marked(document(layer(entries)), FIRST, beside).decode() == layer(then)
    windows = layer(entries).replace("\n", "\r\n")
    assert marked(document(windows), FIRST, beside).decode() == layer(then).replace("\n", "\r\n")


@pytest.mark.parametrize(("entries", "then"), BESIDE.values(), ids=BESIDE)
def test_what_was_put_beside_is_taken_out_again(entries: str, then: str) -> None:
    second = (*FIRST[0][:-1], 1)
    found = unmarked(document(layer(then)), [second], FIRST)
    assert found == unmarked(document(marked(document(layer(entries)), FIRST)), FIRST)


GONE = {  # case: (entries, without the second)
    "the last, with its comment": ("      - a.test\n      - b.test # why\n", "      - a.test\n"),
    "the last of the file": ("      - a.test\n      - b.test", "      - a.test\n"),
    "over lines": ("      - a.test\n      - domain: b.test\n        role: web\n      - c.test\n",
                   "      - a.test\n      - c.test\n"),
    "the last in brackets": ("      [a.test, b.test]\n", "      [a.test]\n"),
    "between comments": (
        "      - a.test\n#     - z.test\n      # b\n      - b.test\n      # c\n      - c.test\n",
        "      - a.test\n#     - z.test\n      # b\n      # c\n      - c.test\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "then"), GONE.values(), ids=GONE)
def test_one_is_taken_out(entries: str, then: str) -> None:
    second = (*FIRST[0][:-1], 1)
    assert unmarked(document(layer(entries)), [], [second]).decode() == layer(then)


def test_an_only_one_is_not_taken_out() -> None:
    with pytest.raises(Mistake):
        unmarked(document(layer("      - x.test\n")), [], FIRST)


def test_several_are_put_beside_in_order() -> None:
    found = marked(document(layer("      - x.test\n      - y.test\n")), FIRST, {FIRST[0]: ["{host: a.test}", "b.test"]})
    entries = "      - {host: a.test}\n      - b.test\n      - {domain: x.test, shadow: true}\n      - y.test\n"
    assert found.decode() == layer(entries)


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
