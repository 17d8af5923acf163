"""The process that tries a policy text: `python -m embargo.console.trying`, asked and answering in JSON by its pipes.

It is one of its own so that nothing that is uploaded can hang the console or take its memory: it has limits, and is
killed when it takes too long. An uploaded text is never written anywhere, and may name no file but those of which the
policy in force is made: else its problems would quote what such a file holds.
"""

import base64
import difflib
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from embargo.core.seen import Seen
from embargo.journal.query import parse_query
from embargo.journal.record import BrokenRecord, Record
from embargo.journal.store import Store
from embargo.policy.cases import cases_of, run
from embargo.policy.document import parse
from embargo.policy.lint import lint
from embargo.policy.load import Loaded, load
from embargo.policy.problem import PolicyError, Problem
from embargo.policy.reading import Source
from embargo.review import difference_tables
from embargo.review.collateral import TrafficEffect
from embargo.review.difference import Difference, Side, difference
from embargo.review.judge import Assumed, Judge
from embargo.review.recorded import recorded
from embargo.review.revision import RevisionError, find_revision, materialize

_YEAR = timedelta(days=365)
_CPU = 90  # seconds of it
_MEMORY = 3 << 30  # bytes of address space: a million names take 90 MB of it
_WRITTEN = 256 << 20  # bytes of a file: what a revision is written to
_TRAFFIC = 25.0  # seconds for past requests; what is beyond is not judged, and that is said
_MOST_PROBLEMS = 200
_LARGEST_PATCH = 4 << 20  # bytes of two files that are compared line by line


def main() -> None:
    """Answer one question."""
    for limit, most in (
        (resource.RLIMIT_CPU, _CPU),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, _WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        soft, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    asked = json.load(sys.stdin)
    json.dump(answer(asked), sys.stdout)


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What *asked* comes to: `refused`, or problems, or all that would change."""
    paths, moment = [Path(each) for each in asked["policy"]], datetime.fromisoformat(asked["now"]).astimezone(UTC)
    try:
        old = Side(label="in force", loaded=load(paths))
    except PolicyError as broken:
        return {"refused": f"the files in force do not load themselves: {broken.problems[0]}"}
    try:
        with tempfile.TemporaryDirectory(prefix="embargo-try-") as directory:
            if asked["revision"] is not None:
                new = _of_revision(asked["revision"], paths, Path(directory))
            else:
                new = _of_text(base64.b64decode(asked["text"]), Path(asked["file"]), paths, old.loaded)
            return _told(old, new, Path(asked["log"]), moment, int(asked["days"]))
    except PolicyError as broken:
        return {
            "problems": [_problem(each) for each in broken.problems[:_MOST_PROBLEMS]],
            "count": len(broken.problems),
        }
    except (RevisionError, OSError) as failure:
        return {"refused": str(failure)}


def _of_text(text: bytes, file: Path, paths: list[Path], loaded: Loaded) -> Side:
    """The policy with *text* in place of what *file* holds. Raises PolicyError."""
    document = parse(Source(str(file), file, text))
    known = {os.path.realpath(path) for path in loaded.watched}
    foreign = [
        document.problem(
            path,
            "foreign-file",
            f"{named!r} is no file of the policy in force",
            "here an uploaded text may name no other; try it with `embargo diff` where the files are",
        )
        for path, named in _named(document.root)
        if os.path.realpath(file.parent / named) not in known
    ]
    if foreign:
        raise PolicyError(foreign)
    return Side(label="proposed", loaded=load(paths, instead={file: text}))


def _named(root: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The files that a policy file names, with where it does."""
    places: list[tuple[tuple[str | int, ...], object]] = [(("include",), root.get("include"))]
    apps = root.get("apps")
    for name, app in apps.items() if isinstance(apps, dict) else ():
        if isinstance(app, dict):
            places.append((("apps", name, "endpoints_from"), app.get("endpoints_from")))
    for path, value in places:
        for number, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(each, str) and "\0" not in each:
                yield (path if number is None else (*path, number)), each


def _of_revision(text: str, paths: list[Path], directory: Path) -> Side:
    """The policy as the revision *text* of git has it. Raises RevisionError, OSError, PolicyError."""
    if not text.isprintable():
        raise RevisionError(f"{text!r} is no revision")
    revision = find_revision(text, paths[-1].parent)
    below, shown = f"{directory}/", f"{text}:"
    try:
        loaded = load(materialize(revision, paths, directory))
    except PolicyError as broken:
        raise PolicyError(
            [
                Problem(
                    file=each.file.replace(below, shown),
                    line=each.line,
                    column=each.column,
                    code=each.code,
                    path=each.path,
                    message=each.message.replace(below, shown),
                    hint=each.hint,
                )
                for each in broken.problems
            ]
        ) from broken
    return Side(label=text, loaded=loaded, below=below, shown=shown)


def _told(old: Side, new: Side, log: Path, moment: datetime, days: int) -> dict[str, Any]:
    warnings = lint(new.loaded, moment)
    results = run(new.loaded, list(cases_of(new.loaded)), moment)
    traffic = _traffic(old, new, log, moment, days) if days else None
    end = (moment + _YEAR).replace(hour=0, minute=0, second=0, microsecond=0)
    found = difference(old, new, moment, end, traffic)
    return {
        "digest": new.loaded.digest,
        "warnings": [_problem(each, new) for each in warnings[:_MOST_PROBLEMS]],
        "warned": len(warnings),
        "tests": len(results),
        "failed": [new.named(str(result)) for result in results if not result.passed][:_MOST_PROBLEMS],
        "summary": difference_tables.summary(found)[1:],
        "changes": found.changes_verdicts,
        "empty": found.is_empty,
        "tables": [_table(each) for each in difference_tables.tables(found)],
        "complete": traffic.complete if traffic is not None else True,
        "patch": _patch(found),
    }


def _traffic(old: Side, new: Side, log: Path, moment: datetime, days: int) -> TrafficEffect:
    assumed = Assumed(time=moment)
    found = TrafficEffect(Judge(old.policy, assumed, at=moment), Judge(new.policy, assumed, at=moment))
    deadline = monotonic() + _TRAFFIC

    def seen() -> Iterator[Seen]:
        store = Store.open(log)
        query = parse_query(["verdict:*"], moment).between(moment - timedelta(days=days), None)
        for _, line in store.lines(store.rows(query, store.snapshot())):
            if monotonic() > deadline:
                found.complete = False
                return
            try:
                past = recorded(Record.parse(line)) if line is not None else None
            except BrokenRecord:  # the store counts it
                continue
            if past is not None:
                yield past

    found.add(seen())
    return found


def _table(table: difference_tables.Table) -> dict[str, Any]:
    return {"title": table.title, "columns": table.columns, "rows": table.rows, "more": table.more}


def _problem(problem: Problem, side: Side | None = None) -> dict[str, Any]:
    named = side.named if side is not None else str
    return {
        "file": named(problem.file),
        "line": problem.line,
        "column": problem.column,
        "code": problem.code,
        "path": problem.path,
        "message": named(problem.message),
        "hint": problem.hint,
        "severity": problem.severity.value,
    }


def _patch(found: Difference) -> str | None:
    """What makes the proposed files of those in force, for `patch -p1` or `git apply`; None where they are too long."""
    before, after = _texts(found.old), _texts(found.new)
    if sum(map(len, before.values())) + sum(map(len, after.values())) > _LARGEST_PATCH:
        changed = {name: text for name, text in after.items() if before.get(name) != text}
        if sum(len(text) + len(before.get(name, "")) for name, text in changed.items()) > _LARGEST_PATCH:
            return None
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        was, is_now = before.get(name), after.get(name)
        if was == is_now:
            continue
        lines += difflib.unified_diff(
            (was or "").splitlines(keepends=True),
            (is_now or "").splitlines(keepends=True),
            f"a/{name}" if was is not None else "/dev/null",
            f"b/{name}" if is_now is not None else "/dev/null",
        )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _texts(side: Side) -> dict[str, str]:
    base = side.loaded.base
    return {
        os.path.relpath(source.path, base): source.data.decode("utf-8", "replace")
        for source in side.loaded.files.sources
    }


if __name__ == "__main__":
    main()
