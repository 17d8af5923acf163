"""Whether a rule holds for an owner of a name, and if not, which criterion fails."""

from datetime import datetime

from embargo.core.catalogue import App, Authority
from embargo.core.matcher import Owner
from embargo.core.request import Name, Request
from embargo.core.rules import Action, Policy, Recording, Rule
from embargo.core.timeline import State


def failed_criterion(policy: Policy, rule: Rule, owner: Owner, name: Name, request: Request) -> str | None:
    """The first criterion of *rule* (its word in a policy file) that does not hold; None where all do.

    That the rule is for the owner's app is taken as given: `Policy.rules_of` lists only such rules.
    """
    endpoint = owner.endpoint
    if rule.since is not None and request.time < rule.since:
        return "from"
    if rule.until is not None and request.time >= rule.until:
        return "until"
    if rule.shared is not None and rule.shared is not endpoint.shared:
        return "shared"
    if rule.roles and endpoint.role not in rule.roles:
        return "roles"
    if rule.surfaces and request.surface not in rule.surfaces:
        return "surfaces"
    if rule.hosts and not any(pattern.covers(name, request) for pattern in rule.hosts):
        return "hosts"
    if rule.users and request.user not in rule.users:
        return "users"
    if rule.clients and (request.client is None or not any(request.client in net for net in rule.clients)):
        return "clients"
    if rule.groups and not any(group.holds(request.client, request.user) for group in rule.groups):
        return "groups"
    if rule.not_groups and any(group.holds(request.client, request.user) is not False for group in rule.not_groups):
        return "not_groups"
    if rule.authority and not any(
        authority.timeline.state_at(request.time) in rule.authority
        for authority in selecting_authorities(policy, rule, policy.apps[owner.app])
    ):
        return "authority"
    if rule.schedule is not None and not rule.schedule.holds(request.time):
        return "schedule"
    if rule.lets_through and rule.lacks and opposed(policy, rule, policy.apps[owner.app], request.time):
        return "basis"
    if rule.lets_through and _passes_anonymously(without_exceptions(policy, owner, name, request)):
        return "record"  # it would open nothing, and put on record who visits what innocents visit too
    return None


def _passes_anonymously(rule: Rule | None) -> bool:
    return rule is not None and rule.record is Recording.ANONYMOUS and rule.action is not Action.BLOCK


def without_exceptions(policy: Policy, owner: Owner, name: Name, request: Request) -> Rule | None:
    """The rule that decides for *owner* where no exception does; None for the default."""
    for rule in policy.rules_of[owner.app]:
        if not (rule.exception or rule.shadow) and failed_criterion(policy, rule, owner, name, request) is None:
            return rule
    return None


def opposed(policy: Policy, rule: Rule, app: App, instant: datetime) -> tuple[str, ...]:
    """The authorities against which *rule* lets *app* through at *instant*; empty where it is no exception.

    Those that bind the organization, are in force then, and name the app.
    """
    if not rule.lets_through:
        return ()
    bound_by = policy.settings.bound_by
    return tuple(
        identifier
        for identifier in app.named_in
        if identifier in bound_by
        and (authority := policy.authorities.get(identifier)) is not None
        and authority.timeline.state_at(instant) is State.IN_FORCE
    )


def without_warrant(policy: Policy, rule: Rule, instant: datetime) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The apps for which the exception *rule* does not hold at *instant*, each with the orders against it."""
    if not rule.lacks:
        return ()
    apps = [app for app in policy.apps.values() if rule.apps.selects(app)]
    return tuple((app.id, orders) for app in apps if (orders := opposed(policy, rule, app, instant)))


def selecting_authorities(policy: Policy, rule: Rule, app: App) -> list[Authority]:
    """The authorities by which *rule* selects *app*: those of its own `named_in` that name the app, or,
    where it has none, all that do.

    An order that names another app never counts: one order in force must not ban what another one named.
    """
    own = rule.apps.named_in
    return [
        authority
        for identifier in app.named_in
        if (not own or identifier in own) and (authority := policy.authorities.get(identifier)) is not None
    ]
