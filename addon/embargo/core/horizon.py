"""When a policy's verdicts may next change by themselves."""

from collections.abc import Iterator
from datetime import datetime

from embargo.core.rules import Policy


def next_change(policy: Policy, after: datetime) -> datetime | None:
    """The first instant after *after* (aware, UTC) at which a date or a schedule may change a verdict."""
    return min((instant for instant in _instants(policy, after) if instant > after), default=None)


def _instants(policy: Policy, after: datetime) -> Iterator[datetime]:
    for authority in policy.authorities.values():
        for instant, _ in authority.timeline.changes:
            yield instant
    for rule in policy.rules:
        if rule.since is not None:
            yield rule.since
        if rule.until is not None:
            yield rule.until
        if rule.schedule is not None:
            yield from rule.schedule.boundaries(after)
