"""Which files are meant by what stands on the command line."""

from contextlib import chdir
from errno import EACCES
from os import mkfifo, scandir
from pathlib import Path

import pytest

from embargo.policy import casefiles
from embargo.policy.problem import PolicyError
from policy_files import write

FILES = dict.fromkeys(
    ["a.yaml", "tests/b.yaml", "tests/c.yml", "tests/deep/d.yaml", "tests/.git/e.yaml", "tests/.f.yaml", "tests/g.txt"],
    "version: 1\n",
)
MEANT = {  # case: (named, meant)
    "a file": (["a.yaml"], ["a.yaml"]),
    "a file that is missing, whose reader tells it": (["gone.yaml"], ["gone.yaml"]),
    "a directory": (["tests"], ["tests/b.yaml", "tests/c.yml", "tests/deep/d.yaml"]),
    "a glob": (["tests/*.yaml"], ["tests/b.yaml"]),
    "a glob of all below": (["tests/**/*.yaml"], ["tests/b.yaml", "tests/deep/d.yaml"]),
    "the same twice": (["tests/b.yaml", "tests"], ["tests/b.yaml", "tests/c.yml", "tests/deep/d.yaml"]),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("named", "meant"), MEANT.values(), ids=MEANT)
def test_meant(tmp_path: Path, named: list[str], meant: list[str]) -> None:
    write(tmp_path, FILES)
    with chdir(tmp_path):
        assert casefiles.test_files(map(Path, named)) == list(map(Path, meant))


@pytest.mark.parametrize("target", ["gone.yaml", "fifo", "loop.yaml"])
def test_a_link_to_what_is_no_file_is_its_readers_to_tell(tmp_path: Path, target: str) -> None:
    """Left out, its tests would not run and nobody would be told."""
    mkfifo(tmp_path / "fifo")
    (tmp_path / "tests").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "tests/a.yaml").symlink_to(tmp_path / target)
    with chdir(tmp_path):
        assert casefiles.test_files([Path("tests")]) == [Path("tests/a.yaml")]


def test_a_directory_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES)
    listing = scandir

    def refusing(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(EACCES, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr("os.scandir", refusing)
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        casefiles.test_files([Path("tests")])
    assert list(map(str, refused.value.problems)) == [
        "tests/deep:1:1: unreadable-file: cannot be read: Permission denied"
    ]


def test_what_stands_for_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        casefiles.test_files([Path("empty"), Path("x*.yaml")])
    assert list(map(str, refused.value.problems)) == [
        "empty:1:1: missing-file: the directory holds no *.yaml and no *.yml; name a test file",
        "x*.yaml:1:1: missing-file: no file has such a name; name a test file",
    ]
