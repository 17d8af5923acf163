"""Judge a request by a policy: each name on its own, and the strictest verdict stands.

Pure and deterministic; the time is the request's. DESIGN 5 has the semantics, `tests/laws` the laws.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from embargo.core.catalogue import App
from embargo.core.criteria import failed_criterion, selecting_authorities
from embargo.core.decision import PASS, Decision, Reason, Verdict
from embargo.core.matcher import Owner
from embargo.core.request import Name, Request
from embargo.core.rules import Action, Mode, Policy, Rule
from embargo.core.timeline import State

VERDICTS = {Action.BLOCK: Verdict.BLOCK, Action.LOG: Verdict.LOG, Action.ALLOW: Verdict.ALLOW}


def decide(policy: Policy, request: Request) -> Decision:
    """The decision on *request*: the strictest over all its names; refused where it has no well-formed one."""
    owners = policy.matcher.owners
    judged: list[tuple[Name, tuple[Owner, ...]]] = []
    owned = False
    for name in request.names:
        if name.host is not None:
            found = owners(name, request)
            judged.append((name, found))
            owned = owned or bool(found)
    if not judged:
        return monitored(policy, _nothing_to_judge(request))
    if not owned:
        return PASS
    decision = max(
        (_judge(policy, request, name, found) for name, found in judged if found),
        key=lambda candidate: candidate.verdict,  # max keeps the first of equals: the order of names
    )
    if _differ(judged):
        decision = replace(decision, mismatch=True)
    return monitored(policy, decision)


def monitored(policy: Policy | None, decision: Decision) -> Decision:
    """*decision* as the policy's mode has it: monitor turns every block into a log that says so."""
    if policy is None or policy.settings.mode is Mode.ENFORCE or decision.verdict is not Verdict.BLOCK:
        return decision
    return replace(decision, verdict=Verdict.LOG, would=Verdict.BLOCK)


def _nothing_to_judge(request: Request) -> Decision:
    if request.names:
        name = request.names[0]
        return Decision(
            verdict=Verdict.BLOCK, reason=Reason.MALFORMED, name=name, error=f"{name.text[:256]!r} is no host"
        )
    return Decision(verdict=Verdict.BLOCK, reason=Reason.NAMELESS, error="the request carries no name")


def _differ(judged: list[tuple[Name, tuple[Owner, ...]]]) -> bool:
    """Whether two host names (addresses aside) have different owners, no owner being one."""
    owners = {
        frozenset(owner.app for owner in found)
        for name, found in judged
        if name.host is not None and name.host.address is None
    }
    return len(owners) > 1


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one owner of a name."""

    owner: Owner
    rule: Rule | None  # the first that holds; None where none does
    shadow: Rule | None  # the first shadow rule that held before it


def rulings(policy: Policy, request: Request, name: Name, owner: Owner) -> Ruling:
    """The first rule that holds for *owner*, and the first shadow rule that held before it."""
    shadow = None
    for rule in policy.rules_of[owner.app]:
        if failed_criterion(policy, rule, owner, name, request) is None:
            if not rule.shadow:
                return Ruling(owner, rule, shadow)
            shadow = shadow or rule
    return Ruling(owner, None, shadow)


def _judge(policy: Policy, request: Request, name: Name, owners: tuple[Owner, ...]) -> Decision:
    for _, tied in groupby(owners, key=lambda owner: owner.specificity):
        group = [rulings(policy, request, name, owner) for owner in tied]
        held = [(VERDICTS[ruling.rule.action], ruling) for ruling in group if ruling.rule is not None]
        if held:
            verdict = max(strictness for strictness, _ in held)
            deciding = [ruling for strictness, ruling in held if strictness is verdict]
            return _explained(policy, request, name, verdict, deciding)
    first = rulings(policy, request, name, owners[0])
    return _explained(policy, request, name, VERDICTS[policy.settings.default], [first])


def _explained(
    policy: Policy, request: Request, name: Name, verdict: Verdict, deciding: list[Ruling]
) -> Decision:
    first = deciding[0]
    apps = [policy.apps[ruling.owner.app] for ruling in deciding]
    shadow = next((ruling.shadow for ruling in deciding if ruling.shadow is not None), None)
    return Decision(
        verdict=verdict,
        reason=Reason.RULE if first.rule is not None else Reason.DEFAULT,
        apps=tuple(app.id for app in apps),
        endpoint=first.owner.endpoint,
        rule=first.rule,
        name=name,
        would=VERDICTS[shadow.action] if shadow is not None else None,
        shadow_rule=shadow.id if shadow is not None else None,
        authorities=tuple(dict.fromkeys(_states(policy, request, apps))),
        lawful=first.rule is not None and _demanded(policy, request, first.rule, apps),
    )


def _states(policy: Policy, request: Request, apps: list[App]) -> Iterator[tuple[str, State | None]]:
    for app in apps:
        for identifier in app.named_in:
            if (authority := policy.authorities.get(identifier)) is not None:
                yield identifier, authority.timeline.state_at(request.time)


def _demanded(policy: Policy, request: Request, rule: Rule, apps: list[App]) -> bool:
    """Whether *rule* selects by an authority that is in force now and binds the organization (RFC 7725)."""
    if not (rule.apps.named_in or rule.authority) or rule.action is not Action.BLOCK:
        return False
    return any(
        authority.id in policy.settings.bound_by
        and authority.timeline.state_at(request.time) is State.IN_FORCE
        for app in apps
        for authority in selecting_authorities(policy, rule, app)
    )
