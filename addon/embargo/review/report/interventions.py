"""What people did to what is enforced: exceptions granted and ended, break-glass, catalogues taken in, holds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embargo.journal.record import Record

_GRANTED, _ENDED = "exception-added", "exception-ended"
_GLASS = "break-glass-started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """An exception that was granted."""

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
    until: str | None
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

    What was about to be done and failed, or was never confirmed, counts as not done: it is among `acts`.
    """
    ordered = sorted(records, key=lambda each: each.time)
    ended = {each.rule: each.time for each in ordered if each.action == _ENDED and each.outcome == "success"}
    within = [each for each in ordered if start <= each.time < end and each.outcome != "unknown"]
    exemptions = [
        _exemption(each, ended.get(each.rule))
        for each in within
        if each.action == _GRANTED and each.outcome == "success"
    ]
    openings = [_opening(each) for each in within if each.action == _GLASS and each.outcome == "success"]
    told = {(_GRANTED, "success"), (_GLASS, "success")}
    acts = [_act(each) for each in within if _is_act(each) and (each.action, each.outcome) not in told]
    return Interventions(exemptions=tuple(exemptions), openings=tuple(openings), acts=tuple(acts))


_NO_ACTS = frozenset({"policy-load", "seal-checkpoint"})  # told elsewhere


def _is_act(record: Record) -> bool:
    return "configuration" in record.categories and record.action not in _NO_ACTS


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
        ended=ended if ended is not None and ended >= record.time else None,
    )


def _opening(record: Record) -> Opening:
    told = _member(record, "break_glass")
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
