"""Which rules leave nothing to a later one."""

from collections.abc import Set
from datetime import datetime

from embargo.core.rules import Policy, Rule


def shadowing(policy: Policy, number: int, now: datetime) -> list[Rule]:
    """The rules before rule *number* that together decide all it could; empty where something is left to it."""
    rule = policy.rules[number]
    left = {app.id for app in policy.apps.values() if rule.apps.selects(app)}
    found: list[Rule] = []
    for earlier in policy.rules[:number]:
        if not earlier.enabled or earlier.shadow or not _holds_wherever(earlier, rule, now):
            continue
        decided = {app for app in left if earlier.apps.selects(policy.apps[app])}
        if decided:
            found.append(earlier)
            left -= decided
        if not left:
            return found
    return []


def _holds_wherever(earlier: Rule, rule: Rule, now: datetime) -> bool:
    """Whether *earlier* holds wherever *rule* does, for an app that both select, from *now* on."""
    return (
        _wider(earlier.roles, rule.roles)
        and (earlier.shared is None or earlier.shared is rule.shared)
        and _wider(earlier.surfaces, rule.surfaces)
        and _wider(set(earlier.hosts), set(rule.hosts))
        and _wider(earlier.users, rule.users)
        and _wider(set(earlier.clients), set(rule.clients))
        and _wider({group.id for group in earlier.groups}, {group.id for group in rule.groups})
        and {group.id for group in earlier.not_groups} <= {group.id for group in rule.not_groups}
        and (earlier.schedule is None or earlier.schedule == rule.schedule)
        and _wider(earlier.authority, rule.authority)
        and (not earlier.authority or earlier.apps.named_in == rule.apps.named_in)
        and (earlier.since is None or earlier.since <= now or (rule.since is not None and earlier.since <= rule.since))
        and (earlier.until is None or (rule.until is not None and rule.until <= earlier.until))
    )


def _wider[Value](earlier: Set[Value], later: Set[Value]) -> bool:
    """Whether the criterion *earlier* holds wherever *later* does; an empty one holds always."""
    return not earlier or (bool(later) and later <= earlier)
