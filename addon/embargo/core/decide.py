"""Judge a request by a policy: each name on its own, and the strictest verdict stands.

Pure and deterministic; the time is the request's. DESIGN 5 has the semantics, `tests/laws` the laws.
"""

from typing import NamedTuple

from embargo.core.catalogue import App
from embargo.core.criteria import failed_criterion, opposed, selecting_authorities
from embargo.core.decision import PASS, Decision, Reason, Verdict
from embargo.core.matcher import Owner
from embargo.core.noted import noted
from embargo.core.request import Name, Request
from embargo.core.rules import Action, Mode, Policy, Rule
from embargo.core.standing import Grounds, Standing, interval, is_settled_by
from embargo.core.timeline import State

VERDICTS = {Action.BLOCK: Verdict.BLOCK, Action.LOG: Verdict.LOG, Action.ALLOW: Verdict.ALLOW}


def decide(policy: Policy, request: Request) -> Decision:
    """The decision on *request*: the strictest over all its names; refused where it has no well-formed one."""
    trials = policy.trials
    if trials is not None and (met := trials.meet(request)) is not None:
        return noted(decide(trials.without, request), decide(trials.within, request), met)
    if policy.beneath is not None and (closed := _closed(policy.beneath, request)) is not None:
        return closed
    owners = policy.matcher.owners
    judged: list[tuple[Name, tuple[Owner, ...]]] = []
    owned: list[tuple[Name, tuple[Owner, ...]]] = []
    text, port = "", None
    for name in request.names:
        host = name.host
        if host is None:
            continue
        if host.text == text and name.port == port:
            continue  # CONNECT, SNI and Host mostly agree, and a verdict never depends on a name's source
        text, port = host.text, name.port
        found = owners(name, request)
        pair = (name, found)
        judged.append(pair)
        if found:
            owned.append(pair)
    if not owned:
        return PASS if judged else monitored(policy, _nothing_to_judge(request))
    mismatch = len(judged) > 1 and _differ(judged)
    if len(owned) == 1 and len(owned[0][1]) == 1:  # the usual case
        name, (owner,) = owned[0]
        grounds = _standing_grounds(policy, request, name, owner)
        if grounds is not None:
            return monitored(policy, Decision._make((*grounds, owner.endpoint, name, mismatch, None, None)))
    return monitored(policy, _explained(policy, request, _strictest(policy, request, owned), mismatch=mismatch))


def _closed(beneath: Policy, request: Request) -> Decision | None:
    """What a `final` rule of lower layers closes, whatever the layers above them have; None where none does.

    That a final rule is asked first keeps later rules from opening what it closes for its own app. A later layer could
    still give the name to another app, by a more specific endpoint, or give such an app its first rule.
    """
    decision = decide(beneath, request)
    final = decision.rule is not None and decision.rule.final
    return decision if final and (decision.blocked or decision.held_back) else None


def decide_owned(policy: Policy, request: Request, name: Name, owner: Owner) -> Decision:
    """The decision on *request* were *name* its only one, and *owner* the only app that owns it."""
    judgement = _judge(policy, request, name, (owner,))
    return monitored(policy, _explained(policy, request, judgement, mismatch=False))


def _standing_grounds(policy: Policy, request: Request, name: Name, owner: Owner) -> Grounds | None:
    """What the rules say of every endpoint of this kind; None where they look at more of the request."""
    endpoint = owner.endpoint
    kind = (owner.app, endpoint.role, endpoint.shared, request.surface)
    try:
        standing = policy.standing[kind]
    except KeyError:
        standing = policy.standing[kind] = _stand(policy, request, name, owner)
    if standing is None:
        return None
    if not standing.since <= request.time < standing.until:  # a date has passed, or another time is asked about
        standing = policy.standing[kind] = _stand(policy, request, name, owner)
    return standing.grounds if standing is not None else None


def _stand(policy: Policy, request: Request, name: Name, owner: Owner) -> Standing | None:
    for rule in policy.rules_of[owner.app]:
        failed = failed_criterion(policy, rule, owner, name, request)
        if not is_settled_by(rule, failed):
            return None
        if failed is None and not (rule.shadow or rule.lets_through):  # whether that one opens anything, the next say
            break
    decision = _explained(policy, request, _judge(policy, request, name, (owner,)), mismatch=False)
    return Standing(*interval(policy, owner.app, request.time), Grounds._make(decision[: len(Grounds._fields)]))


def _strictest(policy: Policy, request: Request, owned: list[tuple[Name, tuple[Owner, ...]]]) -> "Judgement":
    """The strictest judgement on any of the names; of equals, the first name's."""
    strictest: Judgement | None = None
    for name, found in owned:
        judgement = _judge(policy, request, name, found)
        if strictest is None or judgement.verdict > strictest.verdict:
            strictest = judgement
        if strictest.verdict is Verdict.BLOCK:
            break
    assert strictest is not None, "an owned name was judged"
    return strictest


def monitored(policy: Policy | None, decision: Decision) -> Decision:
    """*decision* as the policy's mode has it: monitor turns every block into a log that says so."""
    if policy is None or policy.settings.mode is Mode.ENFORCE or decision.verdict is not Verdict.BLOCK:
        return decision
    # what enforce would do outweighs what a shadow rule would, and must not be told as that rule's
    return decision._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, shadow_rule=None)


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


class Ruling(NamedTuple):
    """What the rules say of one owner of a name. (A tuple: made for each request, in a third of the time.)"""

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


class Judgement(NamedTuple):
    """The verdict on one name, and the equally specific owners that agree on it."""

    verdict: Verdict
    name: Name
    deciding: list[Ruling]  # never empty
    shadow: Rule | None  # of the most specific owner that has one; of tied owners, the strictest


def _judge(policy: Policy, request: Request, name: Name, owners: tuple[Owner, ...]) -> Judgement:
    """The most specific of *owners* (in that order) for which a rule holds decides; tied ones by the strictest."""
    verdict = VERDICTS[policy.settings.default]
    deciding: list[Ruling] = []
    shadow: Rule | None = None
    shadow_specificity = None
    for owner in owners:
        if deciding and owner.specificity != deciding[0].owner.specificity:
            break
        ruling = rulings(policy, request, name, owner)
        if ruling.shadow is not None and (
            shadow is None
            or (owner.specificity == shadow_specificity and VERDICTS[ruling.shadow.action] > VERDICTS[shadow.action])
        ):
            shadow, shadow_specificity = ruling.shadow, owner.specificity
        if ruling.rule is None:
            continue
        own = VERDICTS[ruling.rule.action]
        if not deciding or own > verdict:
            verdict, deciding = own, [ruling]
        elif own is verdict:
            deciding.append(ruling)
    if not deciding:
        deciding = [Ruling(owner, None, None) for owner in owners if owner.specificity == owners[0].specificity]
    return Judgement(verdict, name, deciding, shadow)


def _explained(policy: Policy, request: Request, judgement: Judgement, *, mismatch: bool) -> Decision:
    first = judgement.deciding[0]
    shadow = judgement.shadow
    states: dict[str, State | None] = {}  # by authority, each once, in the order in which the apps name them
    lawful = False
    against: dict[str, None] = {}
    for ruling in judgement.deciding:
        app = policy.apps[ruling.owner.app]
        for identifier in app.named_in:
            if (authority := policy.authorities.get(identifier)) is not None:
                states[identifier] = authority.timeline.state_at(request.time)
        if ruling.rule is not None and not lawful:
            lawful = _demanded(policy, request, ruling.rule, app)
        if ruling.rule is not None and ruling.rule.exception:
            against |= dict.fromkeys(opposed(policy, ruling.rule, app, request.time))
    return Decision(
        verdict=judgement.verdict,
        reason=Reason.RULE if first.rule is not None else Reason.DEFAULT,
        apps=tuple([ruling.owner.app for ruling in judgement.deciding]),
        endpoint=first.owner.endpoint,
        rule=first.rule,
        name=judgement.name,
        would=VERDICTS[shadow.action] if shadow is not None else None,
        shadow_rule=shadow.id if shadow is not None else None,
        authorities=tuple(states.items()),
        mismatch=mismatch,
        lawful=lawful,
        against=tuple(against),
    )


def _demanded(policy: Policy, request: Request, rule: Rule, app: App) -> bool:
    """Whether *rule* blocks *app* by an authority that is in force now and binds the organization (RFC 7725)."""
    bound_by = policy.settings.bound_by
    if not bound_by or rule.action is not Action.BLOCK or not (rule.apps.named_in or rule.authority):
        return False
    return any(
        authority.id in bound_by and authority.timeline.state_at(request.time) is State.IN_FORCE
        for authority in selecting_authorities(policy, rule, app)
    )
