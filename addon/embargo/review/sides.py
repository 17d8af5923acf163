"""The two sides of a comparison, as a user names them: policy files, or what a git revision has of them."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from embargo.policy.load import load
from embargo.policy.problem import PolicyError, Problem
from embargo.review.difference import Side
from embargo.review.revision import Revision, RevisionError, find_revision, materialize

_LAYERS = ","  # between the layers of one policy


class NoSuchSide(Exception):
    """A word names neither files nor a revision; says what could be meant."""


def read_sides(old: str, new: str | None, files: Sequence[Path], default: Path) -> tuple[Side, Side]:
    """The policies that *old* and *new* name.

    Each is layers with commas between (`domains.yaml,site.yaml`), a revision (`HEAD~1`), of which *files* are meant, or
    a revision with files of its own (`HEAD~1:site.yaml`). Where *new* is None, *files* as they are now. Of a revision
    alone without *files*, the files of the other side are meant, else *default*.

    Raises NoSuchSide, RevisionError, OSError, and PolicyError where one does not load.
    """
    named = [_layers(word) if word is not None else None for word in (old, new)]
    asked = tuple(files) or next((layers for layers in reversed(named) if layers), ()) or (default,)
    before = _of_revision(old, asked) if named[0] is None else _of_files(old, named[0])
    if new is None:
        after = _of_files(_LAYERS.join(map(str, asked)), asked)
    elif named[1] is None:
        after = _of_revision(new, asked)
    else:
        after = _of_files(new, named[1])
    return before, after


def _layers(word: str) -> tuple[Path, ...] | None:
    """The files that *word* names, where the first of them is there or looks like one; else None."""
    paths = tuple(Path(each) for each in word.split(_LAYERS) if each)
    if not paths:
        return None
    a_file = (paths[0].exists() and not paths[0].is_dir()) or (
        ":" not in word and (len(paths) > 1 or word.endswith((".yaml", ".yml")))
    )
    return paths if a_file else None


def _of_files(label: str, paths: Sequence[Path]) -> Side:
    return Side(label=label, loaded=load(paths))


def _of_revision(word: str, files: Sequence[Path]) -> Side:
    name, colon, own = word.partition(":")
    chosen = tuple(Path(each) for each in own.split(_LAYERS) if each) if colon else tuple(files)
    if not chosen:
        raise NoSuchSide(f"{word!r} names no file of the revision")
    revision = _revision(name, chosen[0].parent)
    shown = f"{name}:"
    with tempfile.TemporaryDirectory(prefix="embargo-diff-") as directory:
        below = f"{directory}/"
        try:
            loaded = load(materialize(revision, chosen, Path(directory)))
        except PolicyError as refused:
            raise PolicyError([_named(problem, below, shown) for problem in refused.problems]) from refused
    return Side(label=word, loaded=loaded, below=below, shown=shown)


def _revision(name: str, beside: Path) -> Revision:
    try:
        return find_revision(name, beside if beside.is_dir() else Path())
    except RevisionError as refused:
        raise NoSuchSide(f"{name!r} is neither a file nor a revision of git: {refused}") from refused


def _named(problem: Problem, below: str, shown: str) -> Problem:
    return replace(problem, file=problem.file.replace(below, shown), message=problem.message.replace(below, shown))
