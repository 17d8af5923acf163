"""Which files are meant by what stands on the command line."""

from contextlib import chdir
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


def test_what_stands_for_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with chdir(tmp_path), pytest.raises(PolicyError) as refused:
        casefiles.test_files([Path("empty"), Path("x*.yaml")])
    assert list(map(str, refused.value.problems)) == [
        "empty:1:1: missing-file: the directory holds no *.yaml and no *.yml; name a test file",
        "x*.yaml:1:1: missing-file: no file has such a name; name a test file",
    ]
