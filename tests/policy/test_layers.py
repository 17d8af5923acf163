# ruff: noqa: E501 - a case a line
"""Which files make a policy, in which order, and what is said where they do not."""

import os
from contextlib import chdir
from pathlib import Path

import pytest

from embargo.policy.layers import read_files
from policy_files import Files, golden, loaded, problems, write

EMPTY = "version: 1\n"


def including(*names: str) -> str:
    return f"version: 1\ninclude: [{', '.join(names)}]\n"


ORDER: dict[str, tuple[Files, list[str]]] = {  # case: (files, layers)
    "one file": ({"policy.yaml": EMPTY}, ["policy.yaml"]),
    "an include comes first": ({"policy.yaml": including("base.yaml"), "base.yaml": EMPTY}, ["base.yaml", "policy.yaml"]),
    "one include in place of a list": (
        {"policy.yaml": "version: 1\ninclude: base.yaml\n", "base.yaml": EMPTY}, ["base.yaml", "policy.yaml"],
    ),
    "includes are relative to their file": (
        {"policy.yaml": including("sub/a.yaml"), "sub/a.yaml": including("b.yaml", "../c.yaml"), "sub/b.yaml": EMPTY, "c.yaml": EMPTY},
        ["sub/b.yaml", "c.yaml", "sub/a.yaml", "policy.yaml"],
    ),
    "a file included twice counts once": (
        {"policy.yaml": including("a.yaml", "b.yaml"), "a.yaml": including("base.yaml"), "b.yaml": including("./base.yaml"), "base.yaml": EMPTY},
        ["base.yaml", "a.yaml", "b.yaml", "policy.yaml"],
    ),
    "files as given": ({"a.layer.yaml": EMPTY, "b.layer.yaml": EMPTY}, ["a.layer.yaml", "b.layer.yaml"]),
    "a file that is given and included counts once": (
        {"a.layer.yaml": EMPTY, "b.layer.yaml": including("a.layer.yaml")}, ["a.layer.yaml", "b.layer.yaml"],
    ),
    "exceptions come last": ({"policy.yaml": EMPTY, "exceptions.yaml": EMPTY}, ["policy.yaml", "exceptions.yaml"]),
    "exceptions beside the last file alone": (
        {"sub/a.layer.yaml": EMPTY, "sub/exceptions.yaml": EMPTY, "b.layer.yaml": EMPTY}, ["sub/a.layer.yaml", "b.layer.yaml"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "layers"), ORDER.values(), ids=ORDER)
def test_order(tmp_path: Path, files: Files, layers: list[str]) -> None:
    assert [layer.name for layer in loaded(tmp_path, files).layers] == layers


MISTAKES: dict[str, Files] = {
    "a file that includes itself": {"policy.yaml": including("policy.yaml")},
    "files that include one another": {"policy.yaml": including("a.yaml"), "a.yaml": including("policy.yaml")},
    "an include that is missing": {"policy.yaml": including("base.yaml")},
    "an include that is a directory": {"policy.yaml": including("sub"), "sub/x": ""},
    "an include that is no text": {"policy.yaml": "version: 1\ninclude: [5]\n"},
    "a list that is missing": {"policy.yaml": "version: 1\napps: {a: {endpoints_from: [a.txt, b.txt]}}\n", "a.txt": ""},
    "problems of all files at once": {"policy.yaml": "version: 2\ninclude: [base.yaml]\n", "base.yaml": "version: 1\nx: 1\n"},
    "exceptions that are broken": {"policy.yaml": EMPTY, "exceptions.yaml": "rules: []\n"},
    "too many files in a row": {"policy.yaml": including("f0"), **{f"f{number}": including(f"f{number + 1}") for number in range(40)}},
}  # fmt: skip


def test_mistakes(tmp_path: Path) -> None:
    found = {}
    for number, (case, files) in enumerate(MISTAKES.items()):
        found[case] = problems(tmp_path / str(number), files)
    golden("layers", found)
    assert all(found.values())


def test_fifo_as_policy(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy.yaml")
    with chdir(tmp_path):
        found = read_files([Path("policy.yaml")]).problems
    assert list(map(str, found)) == ["policy.yaml:1:1: not-a-file: this is a FIFO, not a file; name a file"]


def test_watched(tmp_path: Path) -> None:
    files = {
        "policy.yaml": "version: 1\ninclude: [base.yaml, gone.yaml]\napps: {a: {endpoints_from: [a.txt, gone.txt]}}\n",
        "base.yaml": EMPTY,
        "a.txt": "a.example\n",
    }
    paths = write(tmp_path, files)
    with chdir(tmp_path):
        watched = read_files(paths).watched
    names = {"policy.yaml", "base.yaml", "gone.yaml", "a.txt", "gone.txt", "exceptions.yaml"}
    assert set(watched) == {tmp_path / name for name in names}, "also what is not there, but would count"


def test_a_list_named_twice_is_read_once(tmp_path: Path) -> None:
    files = {
        "policy.yaml": "version: 1\napps: {a: {endpoints_from: [l.txt]}, b: {endpoints_from: [./l.txt]}}\n",
        "l.txt": "x.example\n",
    }
    found = loaded(tmp_path, files)
    assert len(found.files.lists) == 1
    assert {names.app for names in found.policy.lists} == {"a", "b"}
