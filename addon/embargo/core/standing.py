"""Rulings that stand until the law or the clock changes them: made once, and not for each request.

Most rules ask nothing of a request but its surface, and of an endpoint its role and whether it is shared.
What they say of an app's endpoints of one kind is then the same for every request, until an authority that
names the app changes its state or a rule begins or ends.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from embargo.core.catalogue import Role
from embargo.core.decision import Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Policy, Rule
from embargo.core.timeline import State

type Kind = tuple[str, Role, bool, Surface]  # app, the endpoint's role, whether it is shared, where it is met

_EVER, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_OF_THE_CLOCK_OR_KIND = frozenset({"from", "until", "shared", "roles", "surfaces", "authority", "basis", "record"})


class Grounds(NamedTuple):
    """The part of a decision that does not change from one request to the next, in the order of its fields."""

    verdict: Verdict
    reason: Reason
    apps: tuple[str, ...]
    rule: Rule | None
    would: Verdict | None
    shadow_rule: str | None
    authorities: tuple[tuple[str, State | None], ...]
    lawful: bool
    against: tuple[str, ...]


class Standing(NamedTuple):
    """Grounds, and the time in which they stand."""

    since: datetime  # the first instant that counts
    until: datetime  # the first that no longer does
    grounds: Grounds


def is_settled_by(rule: Rule, failed: str | None) -> bool:
    """Whether that *rule* holds (or fails by the criterion *failed*) is the same for every request of the kind."""
    if failed is not None:
        return failed in _OF_THE_CLOCK_OR_KIND
    return not (rule.hosts or rule.users or rule.clients or rule.groups or rule.not_groups or rule.schedule)


def interval(policy: Policy, app: str, instant: datetime) -> tuple[datetime, datetime]:
    """The time around *instant* in which no date changes what the rules say of *app*: from, and before."""
    changes = {change for identifier in policy.apps[app].named_in for change in _changes(policy, identifier)}
    for rule in policy.rules_of[app]:
        changes.update(bound for bound in (rule.since, rule.until) if bound is not None)
    return (
        max((change for change in changes if change <= instant), default=_EVER),
        min((change for change in changes if change > instant), default=_NEVER),
    )


def _changes(policy: Policy, identifier: str) -> list[datetime]:
    authority = policy.authorities.get(identifier)
    return [instant for instant, _ in authority.timeline.changes] if authority is not None else []
