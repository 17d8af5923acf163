"""Which rules leave nothing to a later one: shadowed, contradicting, or against a final rule."""

from collections.abc import Iterator, Set
from dataclasses import replace
from datetime import datetime

from embargo.core.address import Network
from embargo.core.catalogue import Role
from embargo.core.pattern import Pattern
from embargo.core.rules import Action, AppSelector, Policy, Rule
from embargo.policy.problem import Problem
from embargo.policy.survey import Survey

type _Part = tuple[str, Role, bool]  # an app's endpoints of one role, shared or not

_STRICTNESS = {Action.ALLOW: 0, Action.LOG: 1, Action.BLOCK: 2}
_MOST_NAMED = 3  # apps in a message


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for number, rule in enumerate(survey.policy.rules):
        if not rule.enabled or (rule.until is not None and rule.until <= survey.now) or not survey.apps_of(rule):
            continue
        if against := _against(survey, number):
            yield against
        elif earlier := shadowing(survey.policy, number, survey.now):
            layer = survey.layer_of(rule)
            if all(survey.layer_of(other) > layer for other in earlier):
                continue  # what a later layer is for
            yield _shadowed(survey, rule, earlier)


def _shadowed(survey: Survey, rule: Rule, earlier: list[Rule]) -> Problem:
    first = earlier[0]
    if len(earlier) == 1 and first.action is not rule.action and _criteria(first) == _criteria(rule):
        message = (
            f"the rule {rule.id!r} contradicts {survey.where(first)}: the same criteria, {rule.action} in place of "
            f"{first.action}; the earlier one decides"
        )
        return survey.of_rule(rule, "contradicting-rules", message, "delete one of them", "action")
    names = ", ".join(map(survey.where, earlier))
    message = f"the rule {rule.id!r} can never match: what stands before it ({names}) decides for all its apps"
    return survey.of_rule(rule, "never-matches", message, "move it up, or delete it")


def _against(survey: Survey, number: int) -> Problem | None:
    """That rule *number* opens nothing, or less than it says, because a final rule is asked first; None: it may."""
    rule = survey.policy.rules[number]
    for final in survey.policy.rules[:number]:
        if not (final.final and final.enabled) or final.shadow or final.action is not Action.BLOCK:
            continue
        if (final.until is not None and final.until <= survey.now) or rule.shadow:
            continue
        if _STRICTNESS[rule.action] >= _STRICTNESS[final.action] or survey.layer_of(final) > survey.layer_of(rule):
            continue
        parts = _parts(survey.policy, rule)
        closed = {part for part in parts if final.apps.selects(survey.policy.apps[part[0]]) and final.fits(*part[1:])}
        if not closed or not _may_both_hold(final, rule):
            continue
        always = _holds_wherever(final, rule, survey.now)
        if survey.layer_of(final) == survey.layer_of(rule) and not (always and closed == parts):
            continue  # in one file that is how a final rule and its exceptions are written
        return survey.of_rule(
            rule, "against-final", _why(survey, rule, final, parts, closed, always), _ask(rule, final)
        )
    return None


def _why(survey: Survey, rule: Rule, final: Rule, parts: set[_Part], closed: set[_Part], always: bool) -> str:
    apps = sorted({app for app, _, _ in closed})
    named = ", ".join(map(repr, apps[:_MOST_NAMED])) + (f" and {len(apps) - _MOST_NAMED} more" if apps[3:] else "")
    of = "" if closed == parts else f" of {named}"
    if not always:
        return (
            f"the rule {rule.id!r} opens nothing{of} while the final rule {survey.where(final)} holds, which is asked "
            f"before it and blocks"
        )
    return f"the rule {rule.id!r} opens nothing{of}: the final rule {survey.where(final)} is asked before it and blocks"


def _ask(rule: Rule, final: Rule) -> str:
    return "delete one of them" if rule.layer == final.layer else f"ask for an exception in {final.layer}"


def shadowing(policy: Policy, number: int, now: datetime) -> list[Rule]:
    """The rules before rule *number* that together decide all it could; empty where something is left to it."""
    rule = policy.rules[number]
    left = _parts(policy, rule)
    found: list[Rule] = []
    for earlier in policy.rules[:number]:
        if not earlier.enabled or earlier.shadow or not _holds_wherever(earlier, rule, now):
            continue
        decided = {part for part in left if earlier.apps.selects(policy.apps[part[0]]) and earlier.fits(*part[1:])}
        if decided:
            found.append(earlier)
            left -= decided
        if not left:
            return found
    return []


def _parts(policy: Policy, rule: Rule) -> set[_Part]:
    """What *rule* is for: of each app that it selects, the roles and sharing of endpoints that fit it."""
    return {
        (app.id, role, shared)
        for app in policy.apps.values()
        if rule.apps.selects(app)
        for role, shared in policy.kinds_of(app) or {(Role.API, False)}
        if rule.fits(role, shared)
    }


def _criteria(rule: Rule) -> Rule:
    """*rule* with nothing but its apps and criteria."""
    return replace(
        rule, id="", action=Action.LOG, respond=(), final=False, message={}, reason=None, ticket=None,
        approved_by=None, record=Rule(id="", apps=AppSelector(), action=Action.LOG).record, layer="", line=0,
    )  # fmt: skip


def _may_both_hold(final: Rule, rule: Rule) -> bool:
    """Whether there may be a request for which both hold; False only where that is plain."""
    if final.users and rule.users and not final.users & rule.users:
        return False
    if final.surfaces and rule.surfaces and not final.surfaces & rule.surfaces:
        return False
    if rule.groups and {group.id for group in rule.groups} <= {group.id for group in final.not_groups}:
        return False  # just those whom the final rule spares
    return not (final.clients and rule.clients and not any(_overlap(one, rule.clients) for one in final.clients))


def _holds_wherever(earlier: Rule, rule: Rule, now: datetime) -> bool:
    """Whether *earlier* holds wherever *rule* does, from *now* on, for an endpoint that fits both."""
    return (
        _wider(earlier.surfaces, rule.surfaces)
        and _hosts_wider(earlier.hosts, rule.hosts)
        and _wider(earlier.users, rule.users)
        and _clients_wider(earlier.clients, rule.clients)
        and _wider({group.id for group in earlier.groups}, {group.id for group in rule.groups})
        and {group.id for group in earlier.not_groups} <= {group.id for group in rule.not_groups}
        and (earlier.schedule is None or earlier.schedule == rule.schedule)
        and _wider(earlier.authority, rule.authority)
        and (not earlier.authority or earlier.apps.named_in == rule.apps.named_in)
        and (earlier.since is None or earlier.since <= now or (rule.since is not None and earlier.since <= rule.since))
        and (earlier.until is None or (rule.until is not None and rule.until <= earlier.until))
        and not (earlier.lets_through and earlier.lacks)  # an order in force may stand against it
    )


def _wider[Value](earlier: Set[Value], later: Set[Value]) -> bool:
    """Whether the criterion *earlier* holds wherever *later* does; an empty one holds always."""
    return not earlier or (bool(later) and later <= earlier)


def _hosts_wider(earlier: tuple[Pattern, ...], later: tuple[Pattern, ...]) -> bool:
    return not earlier or (bool(later) and all(any(one.contains(other) for one in earlier) for other in later))


def _clients_wider(earlier: tuple[Network, ...], later: tuple[Network, ...]) -> bool:
    return not earlier or (bool(later) and all(any(_within(each, one) for one in earlier) for each in later))


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def _overlap(network: Network, others: tuple[Network, ...]) -> bool:
    return any(network.version == other.version and network.overlaps(other) for other in others)
