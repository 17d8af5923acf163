"""YAML text: what is refused, where, and in which words; what is taken, and where it stands."""

from pathlib import Path

import pytest

from embargo.policy.document import DEEPEST, Document, parse
from embargo.policy.problem import Mistake
from embargo.policy.reading import LARGEST_POLICY, Source, read
from policy_files import golden, problems


def document(text: str | bytes) -> Document:
    return parse(Source("policy.yaml", Path("policy.yaml"), text if isinstance(text, bytes) else text.encode()))


EXPLOSION = "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
MISTAKES: dict[str, str | bytes] = {
    "an empty file": "",
    "nothing but comments": "# a policy\n\n# to be written\n",
    "nothing but a document start": "---\n",
    "a list at the top": "- version: 1\n",
    "text at the top": "version 1\n",
    "a binary file": b"\x7fELF\x02\x01\x01\0\0\0",
    "UTF-16": "version: 1\n".encode("utf-16"),
    "a byte that is not UTF-8": b"version: 1\nsettings: {organization: B\xe4r}\n",
    "a control character": 'version: 1\nsettings: {organization: "a\x07b"}\n',
    "a duplicate key at the top": "version: 1\nrules: []\nversion: 1\n",
    "a duplicate key below": "version: 1\napps:\n  a:\n    endpoints: [a.example]\n    endpoints: [b.example]\n",
    "a duplicate key in a list": "version: 1\nrules:\n  - {id: a, apps: all, action: log, id: b}\n",
    "a second document": "version: 1\n---\nversion: 1\n",
    "a custom tag": "version: 1\nsettings: {organization: !env ORGANIZATION}\n",
    "a tag that does not fit": "version: !!int one\n",
    "a tag on a key": "version: 1\n!x rules: []\n",
    "a tag on a list": "version: 1\nrules: !!set []\n",
    "a merge key": "version: 1\nsettings: {<<: {mode: monitor}}\n",
    "exploding aliases": f"version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n{EXPLOSION}",
    "an alias of itself": "version: 1\nrules: &a [*a]\n",
    "an alias without anchor": "version: 1\nrules: *all\n",
    "a wildcard that YAML takes for an alias": "version: 1\napps: {a: {endpoints: [*.a.example]}}\n",
    "an alias as key": "version: &v 1\n*v : 2\n",
    "a list as key": "version: 1\n? [a]\n: b\n",
    "too deep": f"version: 1\nrules: {'[' * DEEPEST}{']' * DEEPEST}\n",
    "too deep by aliases": f"version: 1\na: &a {'[' * 20}{']' * 20}\nb: {'[' * 20}*a{']' * 20}\n",
    "an unclosed bracket": "version: 1\napps: {a: {endpoints: [a.example}}\n",
    "a bracket that the file's end leaves open": "version: 1\napps:\n  a: {endpoints: [a.example, b.example\n",
    "an unclosed quotation mark": 'version: 1\nsettings: {organization: "Example\n',
    "a tab as indentation": "version: 1\napps:\n\ta: {}\n",
    "a tab in a list": "version: 1\nrules:\n  - a\n\t- b\n",
    "a colon in plain text": "version: 1\nsettings:\n  organization: Example: the company\n",
    "wrong indentation": "version: 1\napps:\n   a: {endpoints: [a.example]}\n  b: {endpoints: [b.example]}\n",
    "an unquoted @": "version: 1\nrules:\n  - {id: a, approved_by: @alice}\n",
    "a missing value": "version: 1\nrules:\n  - {id: a, apps: all, action: log, groups: }\nsettings:\n",
    "an unfinished first line of a good file": b"version",
}  # fmt: skip


def test_mistakes(tmp_path: Path) -> None:
    golden("document", {case: problems(tmp_path, text) for case, text in MISTAKES.items()})


VALUES = {  # case: (text, tree)
    "a byte order mark": (b"\xef\xbb\xbfversion: 1\n", {"version": 1}),
    "carriage returns": (b"a: x\r\nb: y\r\n", {"a": "x", "b": "y"}),
    "keys are text": ("1: a\ntrue: b\n2021-02-19: c\n", {"1": "a", "true": "b", "2021-02-19": "c"}),
    "quoted text stays text": ("a: '1'\nb: \"true\"\nc: !!str 1\n", {"a": "1", "b": "true", "c": "1"}),
    "standard tags": ("a: !!int 1\nb: !!seq []\nc: !!map {}\n", {"a": 1, "b": [], "c": {}}),
    "an alias": ("a: &x [1, {b: 2}]\nc: *x\n", {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}),
    "an alias of a scalar, and of a key": ("&k a: &v x\nb: *v\nc: *k\n", {"a": "x", "b": "x", "c": "a"}),
    "as deep as allowed": (f"a: {'[' * (DEEPEST - 1)}{']' * (DEEPEST - 1)}", None),
    "a block of text": ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
}


@pytest.mark.parametrize(("text", "tree"), VALUES.values(), ids=VALUES)
def test_values(text: str | bytes, tree: object) -> None:
    found = document(text)
    assert found.problems == ()
    if tree is not None:
        assert found.root == tree


POSITIONS = {  # case: (path, at the key, line and column)
    "a key": (("apps",), True, (2, 1)),
    "a value": (("apps", "a"), False, (3, 6)),
    "an item": (("apps", "a", "endpoints", 1), False, (3, 30)),
    "behind letters of several bytes": (("apps", "b", "name"), False, (4, 22)),
    "what is not there: its parent": (("apps", "b", "vendor"), False, (4, 6)),
    "the root": ((), False, (1, 1)),
}


@pytest.mark.parametrize(("path", "key", "expected"), POSITIONS.values(), ids=POSITIONS)
def test_position(path: tuple[str | int, ...], key: bool, expected: tuple[int, int]) -> None:
    text = "version: 1\napps:\n  a: {endpoints: [a.example, b.example]}\n  b: {vendor名: x, name: 微信}\n"
    assert document(text.replace("vendor名", "名名名名")).position(path, key=key) == expected


def test_aliases_below_the_limit_expand() -> None:
    listed = ", ".join(f"n{number}.example" for number in range(30))
    found = document(f"a: &a [{listed}]\nb: [*a, *a, *a, *a]\n")
    assert found.problems == ()
    assert len(found.root["b"]) == 4


def test_limit_of_64_mebibytes(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    with path.open("wb") as file:
        file.write(b"version: 1\n")
        file.truncate(LARGEST_POLICY + 1)  # a hole: no disk is used
    with pytest.raises(Mistake) as refused:
        read("policy.yaml", path)
    assert refused.value.code == "too-large"
    assert "64 MiB are allowed" in str(refused.value)
