"""When a policy's verdicts may change by themselves."""

from collections.abc import Iterator
from datetime import datetime

from embargo.core.rules import Policy, Rule
from embargo.core.schedule import Schedule


def next_change(policy: Policy, after: datetime) -> datetime | None:
    """The first instant after *after* (aware, UTC) at which a date or a schedule may change a verdict."""
    return min((instant for instant in _instants(policy, after) if instant > after), default=None)


def dates_of(policy: Policy, app: str) -> frozenset[datetime]:
    """The dates at which what *policy* says of *app* may change for good: of the law, and of rules.

    An app that the policy does not have has none. What recurs (schedules) is left out.
    """
    if app not in policy.apps:
        return frozenset()
    named_in = policy.apps[app].named_in
    authorities = [authority for each in named_in if (authority := policy.authorities.get(each)) is not None]
    found = {instant for authority in authorities for instant, _ in authority.timeline.changes}
    found.update(bound for rule in policy.rules_of[app] for bound in _bounds(rule))
    return frozenset(found)


def schedules_of(policy: Policy, app: str) -> frozenset[Schedule]:
    """The schedules that may change what *policy* says of *app* (none for one that it does not have)."""
    return frozenset(rule.schedule for rule in policy.rules_of.get(app, ()) if rule.schedule is not None)


def causes_at(policy: Policy, app: str, instant: datetime) -> tuple[str, ...]:
    """What changes for *app* at *instant*, one of its dates: `authority eo-13971 becomes in-force`, `rule x ends`."""
    found = []
    for identifier in policy.apps[app].named_in if app in policy.apps else ():
        authority = policy.authorities.get(identifier)
        for at, state in authority.timeline.changes if authority is not None else ():
            if at == instant:
                found.append(f"authority {identifier} becomes {state}")
    for rule in policy.rules_of.get(app, ()):
        found += [f"rule {rule.id} begins"] if rule.since == instant else []
        found += [f"rule {rule.id} ends"] if rule.until == instant else []
    return tuple(dict.fromkeys(found))


def spelled(instant: datetime) -> str:
    """*instant* (UTC) as a policy file writes it: a date at midnight, else with its time."""
    if instant.timetz().replace(tzinfo=None) == datetime.min.time():
        return instant.date().isoformat()
    return f"{instant.replace(tzinfo=None, microsecond=0).isoformat()}Z"


def _instants(policy: Policy, after: datetime) -> Iterator[datetime]:
    for authority in policy.authorities.values():
        for instant, _ in authority.timeline.changes:
            yield instant
    for rule in policy.rules:
        yield from _bounds(rule)
        if rule.schedule is not None:
            yield from rule.schedule.boundaries(after)


def _bounds(rule: Rule) -> list[datetime]:
    return [bound for bound in (rule.since, rule.until) if bound is not None]
