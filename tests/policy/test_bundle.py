"""The text of a policy as one stream: complete, unambiguous, the same wherever the files lie."""

from contextlib import chdir
from pathlib import Path

import pytest

from embargo.policy.bundle import BrokenBundle, digest, unbundle
from embargo.policy.load import load
from policy_files import loaded, write

FILES = {
    "site/policy.yaml": "version: 1\ninclude: [../base.yaml]\n",
    "base.yaml": "version: 1\napps: {a: {endpoints_from: [lists/a.txt]}}\n",
    "lists/a.txt": "a.example",
    "site/exceptions.yaml": "version: 1\n",
}


def text(directory: Path) -> bytes:
    write(directory, FILES)
    with chdir(directory):
        return b"".join(load([Path("site/policy.yaml")]).bundle())


def test_every_file_in_order(tmp_path: Path) -> None:
    assert text(tmp_path).decode() == (
        'embargo-policy-file "../base.yaml" 54\nversion: 1\napps: {a: {endpoints_from: [lists/a.txt]}}\n'
        'embargo-policy-file "policy.yaml" 35\nversion: 1\ninclude: [../base.yaml]\n'
        'embargo-policy-file "exceptions.yaml" 11\nversion: 1\n'
        'embargo-policy-file "../lists/a.txt" 9\na.example\n'
    )


def test_the_same_elsewhere(tmp_path: Path) -> None:
    assert text(tmp_path / "one") == text(tmp_path / "two")
    with chdir(tmp_path):
        assert digest([text(tmp_path / "one")]) == load([Path("two/site/policy.yaml")]).digest


def test_a_list_counts(tmp_path: Path) -> None:
    policy = "version: 1\napps: {a: {endpoints_from: [a.txt]}}\n"
    one, two = (loaded(tmp_path / name, {"policy.yaml": policy, "a.txt": name}) for name in ("a.example", "b.example"))
    assert one.digest != two.digest


def test_taken_apart(tmp_path: Path) -> None:
    files = unbundle(text(tmp_path))
    assert [name for name, _ in files] == ["../base.yaml", "policy.yaml", "exceptions.yaml", "../lists/a.txt"]
    assert dict(files) == {
        "../base.yaml": FILES["base.yaml"].encode(),
        "policy.yaml": FILES["site/policy.yaml"].encode(),
        "exceptions.yaml": FILES["site/exceptions.yaml"].encode(),
        "../lists/a.txt": FILES["lists/a.txt"].encode(),
    }


BROKEN = {
    "no head": b"version: 1\n",
    "cut in a file": b'embargo-policy-file "a.yaml" 100\nversion: 1\n',
    "something behind a file": b'embargo-policy-file "a.yaml" 2\na\nb\n',
    "cut in a head": b'embargo-policy-file "a.y',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_broken(data: bytes) -> None:
    with pytest.raises(BrokenBundle):
        unbundle(data)
