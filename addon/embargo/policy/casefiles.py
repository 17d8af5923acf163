"""Which files `embargo test FILE…` means: files, directories of them, and globs that no shell has expanded."""

import glob
from collections.abc import Iterable
from pathlib import Path

from embargo.policy.problem import PolicyError, Problem

_SUFFIXES = (".yaml", ".yml")


def test_files(named: Iterable[Path]) -> list[Path]:
    """The test files that *named* stand for, each once: of a directory all YAML files in it, hidden ones left out.

    Raises PolicyError (missing-file) for a directory or a glob that stands for none.
    """
    found: dict[Path, None] = {}
    problems = []
    for path in named:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if _is_test_file(file.relative_to(path)) and file.is_file())
            what = "the directory holds no *.yaml and no *.yml"
        elif not path.exists() and glob.has_magic(str(path)):
            files = [Path(file) for file in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - may be absolute
            what = "no file has such a name"
        else:
            files, what = [path], ""
        if not files:
            problems.append(Problem(str(path), 1, 1, "missing-file", "", what, "name a test file"))
        found.update(dict.fromkeys(files))
    if problems:
        raise PolicyError(problems)
    return list(found)


def _is_test_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not any(part.startswith(".") for part in path.parts)
