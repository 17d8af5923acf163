"""Going back to a policy that was in force: which files that changes, whether it loads, and doing it.

Exceptions stay as they are unless they are asked for too: going back on an edit takes away nobody's grant.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from embargo.policy.bundle import BrokenBundle, unbundle
from embargo.policy.cases import cases_of, run
from embargo.policy.layers import EXCEPTIONS
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.history import NoSuchPolicy, Version, stored_text

_NO_EXCEPTIONS = b"version: 1\n"


class NotRestorable(Exception):
    """The files cannot be taken back to that policy; says why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A file that would hold something else."""

    path: Path
    old: bytes | None  # None: it is not there now
    new: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What going back would do."""

    replaced: tuple[Replaced, ...]  # empty: the files are that policy
    now: Loaded | None  # None where the files as they are do not load
    then: Loaded  # as it would be, from copies
    below: str  # where those lay, with a slash at the end
    like: Path  # a file of the policy, or its directory, whose mode and owner one gets that is not there now


def plan(paths: Sequence[Path], data: bytes, moment: datetime, *, exceptions: bool = False) -> Plan:
    """What it takes for the policy files *paths* to be the stored *data* again; *moment* (aware, UTC) is now.

    Raises NotRestorable, PolicyError (of what was stored: a newer release may refuse it), OSError.
    """
    base = paths[-1].parent
    stored = _stored(data, exceptions=exceptions)
    for path in paths:
        if os.path.relpath(path, base) not in stored:
            files = ", ".join(sorted(stored))
            raise NotRestorable(f"{path} is no file of that policy, which has {files}; name its files by --policy")
    now: Loaded | None = None
    try:
        loaded = load(paths)
        now, known = loaded, loaded.watched
    except PolicyError as refused:
        known = tuple(refused.watched)
    replaced = []
    for name, new in stored.items():
        _may_write(base / name, base, known)
        if (each := _replaced(base, name, new)) is not None:
            replaced.append(each)
    then, below = _tried(paths, base, stored, moment)
    like = next((path for path in (*reversed(paths), *known) if path.exists()), base)
    return Plan(replaced=tuple(replaced), now=now, then=then, below=below, like=like)


def previous(paths: Sequence[Path], log: Path, known: Sequence[Version], *, exceptions: bool = False) -> str:
    """The digest of the newest policy of the files *paths* in *known* (the newest first) that they are not now.

    Exceptions, granted since or not, make no other policy of it unless they are asked for. Raises NoSuchPolicy,
    NotRestorable, OSError.
    """
    base = paths[-1].parent
    named = {os.path.relpath(path, base) for path in paths}
    for version in known:
        if not version.stored:
            since = f"{version.since:%Y-%m-%dT%H:%M:%SZ}"
            raise NoSuchPolicy(
                f"the text of {version.digest[:12]}, in force from {since}, is not kept, so whether the files are "
                "that cannot be told; name one by its digest"
            )
        stored = _stored(stored_text(log, version.digest), exceptions=exceptions)
        if named <= stored.keys() and any(_replaced(base, name, new) for name, new in stored.items()):
            return version.digest
    raise NoSuchPolicy("the log knows of no policy that these files are not now; `embargo restore` lists what it knows")


def _stored(data: bytes, *, exceptions: bool) -> dict[str, bytes]:
    """The files in *data* by name, as `bundle` gives it, with *exceptions* or without. Raises NotRestorable."""
    try:
        files = unbundle(data)
    except BrokenBundle as broken:
        raise NotRestorable(f"the stored text is none of ours: {broken}") from broken
    for name, _ in files:
        if not name or "\0" in name or Path(name).is_absolute() or name != os.path.normpath(name):
            raise NotRestorable(f"the stored text is none of ours: it has a file {name!r}")
    stored = dict(files)
    if exceptions:
        stored.setdefault(EXCEPTIONS, _NO_EXCEPTIONS)
    else:
        stored.pop(EXCEPTIONS, None)
    return stored


def _replaced(base: Path, name: str, new: bytes) -> Replaced | None:
    """The file *name* below *base*, where it would hold something else. Raises OSError."""
    path = base / name
    old = path.read_bytes() if path.exists() else None
    if old == new or (old is None and name == EXCEPTIONS):
        return None
    return Replaced(path=path, old=old, new=new)


def _may_write(path: Path, base: Path, known: Sequence[Path]) -> None:
    """Raises NotRestorable for a file elsewhere that the policy does not name now."""
    absolute = Path(os.path.normpath(path.absolute()))
    if absolute.is_relative_to(Path(os.path.normpath(base.absolute()))):
        return
    if absolute not in {Path(os.path.normpath(each)) for each in known}:
        raise NotRestorable(f"{path} lies outside {base} and the policy as it is does not name it; write it by hand")


def _tried(paths: Sequence[Path], base: Path, stored: dict[str, bytes], moment: datetime) -> tuple[Loaded, str]:
    """The stored policy, loaded from copies, under the exceptions that are to stay, and where. Raises as `plan`."""
    climbs = max(Path(name).parts.count(os.pardir) for name in stored)
    with tempfile.TemporaryDirectory(prefix="embargo-") as directory:
        copy = Path(directory, *["below"] * climbs)
        for name, new in stored.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(new)
        if EXCEPTIONS not in stored and (base / EXCEPTIONS).exists():
            (copy / EXCEPTIONS).write_bytes((base / EXCEPTIONS).read_bytes())
        try:
            then = load([copy / os.path.relpath(path, base) for path in paths])
        except PolicyError as refused:
            told = [
                replace(problem, file=str(base / os.path.relpath(problem.file, copy))) for problem in refused.problems
            ]
            raise PolicyError(told, refused.watched) from None
    _leads_to([os.path.relpath(source.path, copy) for source in then.files.sources], list(stored))
    failed = [result for result in run(then, list(cases_of(then)), moment) if not result.passed]
    if failed:
        first = failed[0]
        count = f"{len(failed)} of its tests fail" if len(failed) > 1 else "one of its tests fails"
        raise NotRestorable(f"{count}, so a running proxy would refuse it: {first.case.path}: {first.explanation}")
    return then, f"{copy}{os.sep}"


def _leads_to(loaded: Sequence[str], stored: Sequence[str]) -> None:
    """Raises NotRestorable where not all that is *stored* was *loaded*, in that order: the rest would go untried."""
    for name in stored:
        if name not in loaded:
            raise NotRestorable(
                f"that policy has {name} too, to which the files named do not lead; name its files by --policy"
            )
    ordered = [name for name in stored if name != EXCEPTIONS]  # exceptions stand where they stand
    if [name for name in loaded if name in ordered] != ordered:
        raise NotRestorable(f"that policy has its files in another order: {', '.join(stored)}")


def restore(found: Plan, holder: str) -> None:
    """Write the files of *found*, all made ready before the first takes its place; *holder* says who, to others.

    Raises NotWritten, NotRestorable: all are as they were then, unless it says otherwise.
    """
    with ExitStack() as locks:
        files = []
        for each in found.replaced:
            _make_room(each.path)
            file = locks.enter_context(locked(each.path, holder, like=found.like))
            if file.read() != each.old:
                raise NotRestorable(f"{each.path}: somebody else changed it meanwhile; nothing was written: try again")
            files.append(file)
        for file, each in zip(files, found.replaced, strict=True):
            file.stage(each.new)
        for done, file in enumerate(files):
            try:
                file.replace(alone=False)
            except NotWritten as refused:
                _take_back(files[:done], found.replaced[:done], refused)
                raise
        for file in files:
            file.tell()


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise NotWritten(f"{path.parent}: {failure.strerror or failure}") from failure


def _take_back(files: Sequence[LockedFile], replaced: Sequence[Replaced], why: NotWritten) -> None:
    """Have *files*, which are in place, hold again what they held before. Raises NotWritten where that fails."""
    for file, each in zip(files, replaced, strict=True):
        try:
            file.read()
            if each.old is None:
                file.remove()
            else:
                file.stage(each.old)
                file.replace(alone=False)
        except NotWritten as failure:
            raise NotWritten(f"{why}; and {each.path}, changed already, could not be taken back: {failure}") from why
