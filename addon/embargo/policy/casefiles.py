"""Which files `embargo test FILE…` means: files, directories of them, and globs that no shell has expanded."""

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from embargo.policy.problem import PolicyError, Problem

_SUFFIXES = (".yaml", ".yml")


def test_files(named: Iterable[Path]) -> list[Path]:
    """The test files that *named* stand for, each once: of a directory all YAML files in it, hidden ones left out.

    Raises PolicyError (missing-file) for a directory or a glob that stands for none.
    """
    found: dict[Path, None] = {}
    problems: list[Problem] = []
    for path in named:
        before = len(problems)
        if path.is_dir():
            files = sorted(_inside(path, problems))
            what = "the directory holds no *.yaml and no *.yml"
        elif not path.exists() and glob.has_magic(str(path)):
            files = [Path(file) for file in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - may be absolute
            what = "no file has such a name"
        else:
            files, what = [path], ""
        if not files and len(problems) == before:
            problems.append(Problem(str(path), 1, 1, "missing-file", "", what, "name a test file"))
        found.update(dict.fromkeys(files))
    if problems:
        raise PolicyError(problems)
    return list(found)


def _inside(directory: Path, problems: list[Problem]) -> Iterator[Path]:
    """The test files in *directory* and below; *problems* gets those directories that cannot be read.

    What is named like one is one, a link to nowhere too: its reader tells that, and no test is left out in silence.
    """

    def unread(refused: OSError) -> None:
        message = f"cannot be read: {refused.strerror}"
        problems.append(Problem(str(refused.filename), 1, 1, "unreadable-file", "", message))

    for parent, _, names in directory.walk(on_error=unread):
        for file in (parent / name for name in names):
            if _is_test_file(file.relative_to(directory)) and not file.is_dir():
                yield file


def _is_test_file(path: Path) -> bool:
    return path.suffix in _SUFFIXES and not any(part.startswith(".") for part in path.parts)
