"""What people did to what is enforced: exceptions granted and ended, break-glass, catalogues taken in, holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embargo.journal import break_glass
from embargo.journal.record import Record

_GRANTED, _ENDED = "exception-added", "exception-ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """An exception that was in effect."""

    time: datetime
    id: str  # of the rule
    event: str  # event.id
    apps: tuple[str, ...]  # ids; `all`
    whom: tuple[str, ...]  # clients, users, groups; empty: everybody
    hosts: tuple[str, ...] = ()
    action: str = "allow"
    until: str | None = None
    reason: str | None = None
    ticket: str | None = None
    granted_by: str | None = None  # who entered it
    approved_by: str | None = None
    basis: str | None = None
    against: tuple[str, ...] = ()  # orders in force against which it lets through
    ended: datetime | None = None  # by hand, before its time


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A break-glass: nothing was refused for a time."""

    time: datetime
    id: str
    until: str | None  # as it was meant to end
    author: str | None
    reason: str | None
    ticket: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something else that was done to what is enforced."""

    time: datetime
    event: str
    action: str  # event.action
    who: str | None
    reason: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interventions:
    """All of a period, each by time."""

    exemptions: tuple[Exemption, ...] = ()
    openings: tuple[Opening, ...] = ()
    acts: tuple[Act, ...] = field(default=())


def interventions(records: Iterable[Record], start: datetime, end: datetime) -> Interventions:
    """What *records* of category configuration tell of the time from *start* to *end*.

    Exceptions and break-glass are those in effect then, so the records of the time before are needed too. What was
    about to be done and failed, or was never confirmed, counts as not done: it is among `acts`.
    """
    ordered = sorted(records, key=lambda each: each.time)
    done = [each for each in ordered if each.outcome == "success" and each.time < end]
    ends = [each for each in done if each.action in (_ENDED, break_glass.ENDED)]
    exemptions = [
        exemption
        for each in done
        if each.action == _GRANTED
        and _reaches(exemption := _exemption(each, _end_of(each, ends)), start, exemption.ended)
    ]
    openings = [
        opening
        for each in done
        if each.action == break_glass.STARTED and _reaches(opening := _opening(each), start, _end_of(each, ends))
    ]
    told = {(_GRANTED, "success"), (break_glass.STARTED, "success")}
    within = [each for each in ordered if start <= each.time < end and each.outcome != "unknown"]
    acts = [_act(each) for each in within if _is_act(each) and (each.action, each.outcome) not in told]
    return Interventions(exemptions=tuple(exemptions), openings=tuple(openings), acts=tuple(acts))


_NO_ACTS = frozenset({"policy-load", "seal-checkpoint"})  # told elsewhere


def _is_act(record: Record) -> bool:
    return "configuration" in record.categories and record.action not in _NO_ACTS


def _reaches(found: Exemption | Opening, start: datetime, ended: datetime | None) -> bool:
    """Whether it was in effect at *start* or began later; one that no end is known of was."""
    ends = (_instant(found.until), ended)
    return found.time >= start or all(each > start for each in ends if each is not None)


def _end_of(record: Record, ends: Iterable[Record]) -> datetime | None:
    """When what *record* began was ended, by hand or by its time; None where none of *ends* says so."""
    return next((each.time for each in ends if each.time >= record.time and _name(each) == _name(record)), None)


def _name(record: Record) -> tuple[str, str | None]:
    """What a beginning and its end have in common."""
    if record.action in (_GRANTED, _ENDED):
        return "exception", record.rule
    return break_glass.SUBJECT, _text(_member(record, break_glass.SUBJECT), "id")


def _instant(value: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _exemption(record: Record, ended: datetime | None) -> Exemption:
    told = _member(record, "exception")
    whom = [*_texts(told, "clients"), *_texts(told, "users"), *_texts(told, "groups")]
    return Exemption(
        time=record.time,
        id=record.rule or _text(told, "id") or "?",
        event=record.id,
        apps=_texts(told, "apps") or record.apps,
        whom=tuple(whom),
        hosts=_texts(told, "hosts"),
        action=_text(told, "action") or "allow",
        until=_text(told, "until"),
        reason=_text(told, "reason") or record.reason,
        ticket=_text(told, "ticket"),
        granted_by=record.user,
        approved_by=_text(told, "approved_by"),
        basis=_text(told, "basis"),
        against=_texts(told, "against"),
        ended=ended,
    )


def _opening(record: Record) -> Opening:
    told = _member(record, break_glass.SUBJECT)
    return Opening(
        time=record.time,
        id=_text(told, "id") or record.id,
        until=_text(told, "until"),
        author=_text(told, "author") or record.user,
        reason=record.reason,
        ticket=_text(told, "ticket"),
    )


def _act(record: Record) -> Act:
    return Act(
        time=record.time,
        event=record.id,
        action=record.action,
        who=record.user,
        reason=record.error or record.reason,
        outcome=record.outcome,
    )


def _member(record: Record, name: str) -> dict[str, Any]:
    found = record.document.get("embargo", {}).get(name)
    return found if isinstance(found, dict) else {}


def _text(members: dict[str, Any], name: str) -> str | None:
    found = members.get(name)
    return found if isinstance(found, str) else None


def _texts(members: dict[str, Any], name: str) -> tuple[str, ...]:
    found = members.get(name)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()
