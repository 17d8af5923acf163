"""Granting an exception and ending one: what it would do is told first, then the file is replaced and that recorded.

The order of the steps holds two promises. Nothing takes effect unrecorded: the record that it is about to be written
(`event.outcome: unknown`) is on the disk before the file is replaced, and where it cannot be, nothing changes. Nothing
recorded is false: only a second record says what came of it, so that a process killed in between leaves an attempt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from embargo.core.address import Address, Network
from embargo.core.criteria import opposed
from embargo.core.rules import Action, Basis, Policy, Rule
from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged, Outcome
from embargo.policy.cases import cases_of, run
from embargo.policy.exception_text import Entry, Value, appended, changed
from embargo.policy.load import Loaded, load
from embargo.policy.problem import nearest
from embargo.policy.replacement import LockedFile, NotWritten
from embargo.review.exceptions import State, find, state_of
from embargo.review.opened import Effect, Subject, effects
from embargo.review.selection import Selection, as_hosts, select

LONGEST = timedelta(days=366)  # that an exception may last; what lasts longer is policy
_LONGEST_ID = 64
_SHORT = 30  # characters of an app's id within an exception's
_MILLISECOND = timedelta(milliseconds=1)


class NotGranted(ValueError):
    """What was asked for cannot be: says why, and what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An exception as it is asked for."""

    names: tuple[str, ...]  # apps or endpoints
    since: datetime  # aware, UTC
    until: datetime
    reason: str
    author: str
    action: Action = Action.LOG
    clients: tuple[Network, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    approved_by: str | None = None
    ticket: str | None = None
    basis: Basis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change of the file, ready to be made, and what it would do."""

    rule: Rule  # as it will be
    data: bytes  # the file's text
    effects: tuple[Effect, ...] = ()
    against: tuple[str, ...] = ()  # authorities in force, at any time of it, that bind the organization
    change: Change = Change.CREATION
    policy: Policy = field(repr=False)  # as it will be
    failed: tuple[str, ...] = ()  # tests of the policy, for whose sake a running proxy refuses to follow

    @property
    def opened(self) -> tuple[Effect, ...]:
        """The endpoints whose verdict becomes milder."""
        return tuple(effect for effect in self.effects if effect.opened)

    @property
    def kept(self) -> tuple[Effect, ...]:
        """The endpoints that stay as they are."""
        return tuple(effect for effect in self.effects if not effect.opened)


def grant(paths: Sequence[Path], data: bytes | None, wish: Wish, now: datetime) -> Plan:
    """What *wish* would make of the exceptions file that holds *data*, beside the policy *paths*.

    Raises PolicyError where the policy does not load, with the exception or without; NotGranted; Unselectable;
    Mistake where the file cannot be edited.
    """
    _within_bounds(wish, now)
    before = load(paths, data)
    for group in wish.groups:
        if group not in before.policy.groups:
            hint = nearest(group, before.policy.groups) or "define it under `groups:`"
            raise NotGranted(f"there is no group {group!r}; {hint}")
    selection = select(before.policy, wish.names)
    identifier = _identifier(before.policy, selection, now)
    text = appended(data, _entry(identifier, selection, wish))
    after = load(paths, text)
    rule = next(rule for rule in after.policy.rules if rule.id == identifier)
    found = effects(
        before.policy,
        after.policy,
        selection,
        _subjects(rule),
        wish.since,
        wish.until,
        _listed(before),
    )
    against = _against(after.policy, rule, selection)
    return Plan(rule=rule, data=text, effects=found, against=against, policy=after.policy, failed=_failed(after, now))


def end(paths: Sequence[Path], data: bytes | None, name: str, now: datetime) -> Plan:
    """What ending the exception *name* (its id, or a beginning that no other has) at *now* makes of the file.

    One that has not begun yet is disabled in place of being given an end before its beginning.
    Raises as `grant`.
    """
    before = load(paths, data)
    rule = find(before.policy, name)
    if (state := state_of(rule, now)) in (State.ENDED, State.DISABLED):
        raise NotGranted(f"{rule.id!r} is {state} already")
    assert data is not None, "what has a rule has a text"
    text = changed(data, rule.id, _ended(rule, now))
    after = load(paths, text)
    ended = next(found for found in after.policy.rules if found.id == rule.id)
    assert state_of(ended, now + _MILLISECOND) in (State.ENDED, State.DISABLED), "ended"
    return Plan(rule=ended, data=text, change=Change.CHANGE, policy=after.policy, failed=_failed(after, now))


def _failed(loaded: Loaded, now: datetime) -> tuple[str, ...]:
    return tuple(str(result) for result in run(loaded, list(cases_of(loaded)), now) if not result.passed)


def make(
    file: LockedFile,
    plan: Plan,
    log: Path,
    *,
    author: str,
    login: str,
    now: Callable[[], datetime],
    reason: str | None = None,
) -> str | None:
    """Carry *plan* out and record it; what went wrong with the second record, in words, or None.

    *login* is the operating system's name of who does it, recorded where it is not the *author*.
    Raises NotWritten, and nothing has changed then.
    """
    rule = plan.rule
    granted = plan.change is Change.CREATION
    happened = ConfigurationChanged(
        time=now(),
        action="exception-added" if granted else "exception-ended",
        change=plan.change,
        outcome=Outcome.UNKNOWN,
        user=author,
        reason=reason or (rule.reason if granted else None),
        apps=tuple(sorted(rule.apps.ids)),
        rule=rule.id,
        policy=plan.policy.digest,
        subject="exception",
        details=details_of(plan, file.path) | {"login": login if login != author else None},
    )
    file.stage(plan.data)
    try:
        audit.record(log, happened, plan.policy.settings.log)
    except OSError as failure:
        why = failure.strerror or str(failure)
        raise NotWritten(f"{log}: the change cannot be recorded ({why}), so it was not made") from failure
    try:
        file.replace()
    except NotWritten as refused:
        _try_record(log, replace(happened, time=now(), outcome=Outcome.FAILURE, error=str(refused)), plan)
        raise
    return _try_record(log, replace(happened, time=now(), outcome=Outcome.SUCCESS), plan)


def _try_record(log: Path, event: ConfigurationChanged, plan: Plan) -> str | None:
    try:
        audit.record(log, event, plan.policy.settings.log)
    except OSError as failure:
        return f"{log}: what came of it could not be recorded: {failure.strerror or failure}"
    return None


def _within_bounds(wish: Wish, now: datetime) -> None:
    if wish.until <= max(now, wish.since):
        raise NotGranted(f"it would end at {wish.until:%Y-%m-%dT%H:%M:%SZ}, before it begins")
    if wish.until - max(now, wish.since) > LONGEST:
        raise NotGranted(
            f"it would last longer than {LONGEST.days} days; what lasts is policy: write a rule in a layer of yours"
        )


def _identifier(policy: Policy, selection: Selection, now: datetime) -> str:
    """`except-20261129-tiktok`, with a number behind it where that is taken."""
    taken = {rule.id for rule in policy.rules}
    first = selection.apps[0][:_SHORT]
    stem = f"except-{now:%Y%m%d}-{first}"[:_LONGEST_ID]
    number = 1
    while (identifier := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return identifier


def _entry(identifier: str, selection: Selection, wish: Wish) -> Entry:
    entry: dict[str, Value | None] = {
        "id": identifier,
        "apps": "all" if selection.apps == ("all",) else selection.apps,
        "hosts": as_hosts(selection.patterns) or None,
        "groups": wish.groups or None,
        "users": wish.users or None,
        "clients": tuple(map(_network, wish.clients)) or None,
        "action": wish.action.value,
        "from": wish.since,
        "until": wish.until,
        "reason": wish.reason,
        "author": wish.author,
        "approved_by": wish.approved_by,
        "ticket": wish.ticket,
        "basis": wish.basis.value if wish.basis is not None else None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _network(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _ended(rule: Rule, now: datetime) -> Entry:
    if rule.since is not None and rule.since > now:
        return {"enabled": False}
    second = now.replace(microsecond=0)
    if rule.since is None or rule.since < second:
        return {"until": second}
    millisecond = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return {"until": max(millisecond, rule.since + _MILLISECOND)}  # it began within this second


def _subjects(rule: Rule) -> list[Subject]:
    """Those for whom *rule* is, one for each network and name that it says: all its criteria hold for them."""
    members = [Subject(network.network_address, None) for group in rule.groups for network in group.clients]
    members += [Subject(None, user) for group in rule.groups for user in sorted(group.users)]
    clients: list[Address | None] = [network.network_address for network in rule.clients]
    users: list[str | None] = [*sorted(rule.users)]
    return [
        Subject(member.client or client, member.user or user)
        for member in members or [Subject()]
        for client in clients or [None]
        for user in users or [None]
    ]


def _listed(loaded: Loaded) -> dict[str, list[str]]:
    samples: dict[str, list[str]] = {}
    for named in loaded.assembly.lists():
        samples.setdefault(named.domains.app, []).extend(named.names[:1])
    return samples


def _against(policy: Policy, rule: Rule, selection: Selection) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for app in selection.chosen(policy):
        dates = {rule.since or datetime.min, *_dates(policy, app.named_in)}
        for instant in dates:
            if (rule.since is None or instant >= rule.since) and (rule.until is None or instant < rule.until):
                found |= dict.fromkeys(opposed(policy, rule, app, instant))
    return tuple(found)


def _dates(policy: Policy, authorities: Sequence[str]) -> list[datetime]:
    known = [policy.authorities[name] for name in authorities if name in policy.authorities]
    return [instant for authority in known for instant, _ in authority.timeline.changes]


def details_of(plan: Plan, path: Path) -> dict[str, str | datetime | tuple[str, ...] | None]:
    """What the record of *plan*, a change of the file at *path*, says of the exception."""
    rule = plan.rule
    return {
        "id": rule.id,
        "apps": ("all",) if rule.apps.all else tuple(sorted(rule.apps.ids)),
        "hosts": tuple(f"{pattern.kind.key}:{pattern.text}" for pattern in rule.hosts),
        "clients": tuple(map(_network, rule.clients)),
        "users": tuple(sorted(rule.users)),
        "groups": tuple(group.id for group in rule.groups),
        "action": rule.action.value,
        "from": rule.since,
        "until": rule.until,
        "reason": rule.reason,
        "ticket": rule.ticket,
        "approved_by": rule.approved_by,
        "basis": rule.basis.value if rule.basis is not None else None,
        "against": plan.against,
        "file": str(path),
    }
