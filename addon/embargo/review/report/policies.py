"""Which policies were in force when, what each change did and who answers for it, and which edits were refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embargo.journal.record import Record

LOADED = "policy-load"  # event.action of the record that a policy took effect, or was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A policy, and the time in which it was the newest that a proxy of this log had taken up."""

    digest: str
    start: datetime  # within the period
    end: datetime
    files: tuple[str, ...] = ()  # its layers, the earliest first
    modes: tuple[str, ...] = ()  # what workers said that they did under it: words of `review.enforcement.State`


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A policy that took effect, or was refused."""

    time: datetime
    id: str  # event.id
    old: str | None  # digest
    new: str | None
    accepted: bool
    stricter: tuple[str, ...] = ()  # in words, as far as the record names them
    milder: tuple[str, ...] = ()
    stricter_count: int = 0
    milder_count: int = 0
    problems: tuple[str, ...] = ()  # why it was refused


def edits(records: Iterable[Record]) -> list[Edit]:
    """The edits that *records* tell of, by time; several workers take up or refuse one policy together: it counts once.

    The start of a proxy with the policy that it had before is no edit.
    """
    found: list[Edit] = []
    for record in sorted((each for each in records if each.action == LOADED), key=lambda each: each.time):
        edit = _edit(record)
        if edit.accepted and edit.old == edit.new:
            continue
        if not any(_is_same(edit, before) for before in found[-_WORKERS:]):
            found.append(edit)
    return found


def _is_same(edit: Edit, before: Edit) -> bool:
    """Whether *edit* is what another worker told before."""
    alike = (edit.old, edit.new, edit.accepted) == (before.old, before.new, before.accepted)
    return alike and (edit.time - before.time).total_seconds() < _TOGETHER


_WORKERS = 64  # of a site, whose records of one edit stand beside each other
_TOGETHER = 60.0  # seconds within which workers take up one policy


def in_force(records: Iterable[Record], start: datetime, end: datetime) -> list[InForce]:
    """The policies from *start* to *end*, as the loads among *records* tell; some from before *start* are needed.

    The time before the first load that is known is left out.
    """
    loads = sorted(
        (record for record in records if record.action == LOADED and record.outcome == "success"),
        key=lambda each: each.time,
    )
    found: list[InForce] = []
    untils = [*(following.time for following in loads[1:]), end]
    for load, until in zip(loads, untils, strict=False):
        begin, stop = max(load.time, start), min(until, end)
        digest = _text(_policy(load).get("new"))
        if begin >= stop or digest is None:
            continue
        if found and found[-1].digest == digest:
            found[-1] = InForce(digest=digest, start=found[-1].start, end=stop, files=found[-1].files)
        else:
            files = tuple(map(str, _list(_policy(load).get("files"))))
            found.append(InForce(digest=digest, start=begin, end=stop, files=files))
    return found


def _edit(record: Record) -> Edit:
    policy = _policy(record)
    stricter, milder = _texts(policy, "stricter"), _texts(policy, "milder")
    return Edit(
        time=record.time,
        id=record.id,
        old=_text(policy.get("old")),
        new=_text(policy.get("new")),
        accepted=record.outcome == "success",
        stricter=stricter,
        milder=milder,
        stricter_count=_count(policy, "stricter", stricter),
        milder_count=_count(policy, "milder", milder),
        problems=_texts(policy, "problems"),
    )


def _policy(record: Record) -> dict[str, Any]:
    found = record.document.get("embargo", {}).get("policy")
    return found if isinstance(found, dict) else {}


def _texts(policy: dict[str, Any], member: str) -> tuple[str, ...]:
    return tuple(each for each in _list(policy.get(member)) if isinstance(each, str))


def _count(policy: dict[str, Any], member: str, named: Sequence[str]) -> int:
    total = policy.get(f"{member}_count")
    return total if type(total) is int else len(named)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
