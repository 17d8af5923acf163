"""Going back to a policy that was in force: which files that changes, whether it loads, and doing it.

Exceptions stay as they are unless they are asked for too: going back on an edit takes away nobody's grant.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from embargo.policy.bundle import BrokenBundle, unbundle
from embargo.policy.cases import cases_of, run
from embargo.policy.layers import EXCEPTIONS
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import locked

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
    like: Path  # a file of the policy, whose mode and owner one gets that is not there now


def plan(paths: Sequence[Path], data: bytes, moment: datetime, *, exceptions: bool = False) -> Plan:
    """What it takes for the policy files *paths* to be the stored *data* again; *moment* (aware, UTC) is now.

    Raises NotRestorable, PolicyError (of what was stored: a newer release may refuse it), OSError.
    """
    base = paths[-1].parent
    try:
        stored = dict(unbundle(data))
    except BrokenBundle as broken:
        raise NotRestorable(f"the stored text is none of ours: {broken}") from broken
    for path in paths:
        if os.path.relpath(path, base) not in stored:
            files = ", ".join(sorted(stored))
            raise NotRestorable(f"{path} is no file of that policy, which has {files}; name its files by --policy")
    if exceptions:
        stored.setdefault(EXCEPTIONS, _NO_EXCEPTIONS)
    else:
        stored.pop(EXCEPTIONS, None)
    try:
        now: Loaded | None = load(paths)
        known = load(paths).watched
    except PolicyError as refused:
        now, known = None, tuple(refused.watched)
    replaced = []
    for name, new in stored.items():
        path = base / name
        _may_write(path, base, known)
        old = path.read_bytes() if path.exists() else None
        if old != new and not (old is None and name == EXCEPTIONS):
            replaced.append(Replaced(path=path, old=old, new=new))
    then, below = _tried(paths, base, stored, moment)
    return Plan(replaced=tuple(replaced), now=now, then=then, below=below, like=paths[-1])


def _may_write(path: Path, base: Path, known: Sequence[Path]) -> None:
    """Raises NotRestorable for a file elsewhere that the policy does not name now."""
    absolute = Path(os.path.normpath(path.absolute()))
    if absolute.is_relative_to(Path(os.path.normpath(base.absolute()))):
        return
    if absolute not in {Path(os.path.normpath(each)) for each in known}:
        raise NotRestorable(f"{path} lies outside {base} and the policy as it is does not name it; write it by hand")


def _tried(paths: Sequence[Path], base: Path, stored: dict[str, bytes], moment: datetime) -> tuple[Loaded, str]:
    """The stored policy, loaded from copies, under the exceptions that are to stay, and where. Raises as `plan`."""
    climbs = max(name.split(os.sep).count(os.pardir) for name in stored)
    with tempfile.TemporaryDirectory(prefix="embargo-") as directory:
        copy = Path(directory, *["below"] * climbs)
        for name, new in stored.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(new)
        if EXCEPTIONS not in stored and (base / EXCEPTIONS).exists():
            (copy / EXCEPTIONS).write_bytes((base / EXCEPTIONS).read_bytes())
        then = load([copy / os.path.relpath(path, base) for path in paths])
        failed = [result for result in run(then, list(cases_of(then)), moment) if not result.passed]
    if failed:
        first = failed[0]
        count = f"{len(failed)} of its tests fail" if len(failed) > 1 else "one of its tests fails"
        raise NotRestorable(f"{count}, so a running proxy would refuse it: {first.case.path}: {first.explanation}")
    return then, f"{copy}{os.sep}"


def restore(found: Plan, holder: str) -> None:
    """Write the files of *found*, all made ready before the first takes its place; *holder* says who, to others.

    Raises NotWritten.
    """
    with ExitStack() as locks:
        files = []
        for each in found.replaced:
            file = locks.enter_context(locked(each.path, holder, like=found.like))
            if file.read() != each.old:
                raise NotRestorable(f"{each.path}: somebody else changed it meanwhile; nothing was written: try again")
            files.append(file)
        for file, each in zip(files, found.replaced, strict=True):
            file.stage(each.new)
        for file in files:
            file.replace()
