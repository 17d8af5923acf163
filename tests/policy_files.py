"""Policy files for tests: written to a directory, loaded by relative names, their problems as printed."""

import os
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path

from embargo.policy.lint import lint
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError
from sample import NOW

GOLDEN = Path(__file__).parent / "golden" / "policy"

type Files = str | bytes | Mapping[str, str | bytes]  # a lone text is policy.yaml


def write(directory: Path, files: Files) -> list[Path]:
    """Write *files*; the paths of those that are policies named outright: `policy.yaml`, or `*.layer.yaml` in order."""
    named = files if isinstance(files, Mapping) else {"policy.yaml": files}
    for name, text in named.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [Path(name) for name in named if name == "policy.yaml" or name.endswith(".layer.yaml")]


def loaded(directory: Path, files: Files) -> Loaded:
    """The policy that *files* make, loaded from inside *directory*. Raises PolicyError."""
    paths = write(directory, files)
    with chdir(directory):
        return load(paths)


def problems(directory: Path, files: Files) -> list[str]:
    """The problems of *files* as they are printed; empty where they load."""
    try:
        loaded(directory, files)
    except PolicyError as refused:
        return list(map(str, refused.problems))
    return []


def warned(directory: Path, files: Files) -> list[str]:
    """The warnings on *files*, which load, as they are printed: as of `sample.NOW`."""
    return list(map(str, lint(loaded(directory, files), NOW)))


def golden(name: str, found: Mapping[str, list[str]]) -> None:
    """Compare *found*, lines by case, with the golden file *name*.

    Renew with `RENEW_GOLDEN=1 pytest tests/policy`, and read the difference.
    """
    text = "".join(f"# {case}\n" + "".join(f"{line}\n" for line in lines) + "\n" for case, lines in found.items())
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
