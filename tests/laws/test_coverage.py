"""The laws are not vacuous: what they speak of does occur among the values that the strategies draw."""

from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from embargo.core.criteria import failed_criterion
from embargo.core.decide import decide
from embargo.core.pattern import Kind
from embargo.core.request import Request
from embargo.core.rules import Policy
from strategies import CRITERIA, excepting_policies, policies, requests, ruled_policies, tight_policies, tight_requests

EXAMPLES = 250
OFTEN, AT_TIMES = 12, 2  # of 250 examples of each kind; what is drawn changes with Hypothesis and with our code
WANTED = {
    "block": OFTEN,
    "log": OFTEN,
    "allow": OFTEN,
    "pass": OFTEN,
    "decided by a rule": OFTEN,
    "decided by default": OFTEN,
    "owner by domain": OFTEN,
    "mismatch": OFTEN,
    "a listed owner": OFTEN,
    "tied owners": AT_TIMES,
    "owners of two ranks": AT_TIMES,
    "an exclude that frees a name": AT_TIMES,
    "a shadow rule noted": AT_TIMES,
    "owner by url": AT_TIMES,
    "owner by host": AT_TIMES,
    "owner by cidr": AT_TIMES,
    "owner by user_agent": AT_TIMES,
    **{f"decided by a rule with {criterion}": AT_TIMES for criterion in CRITERIA},
    **{f"passed over for {criterion}": AT_TIMES for criterion in CRITERIA},
    "monitor held a block back": AT_TIMES,
    "a lawful block": AT_TIMES,
    "an exception from an order in force": AT_TIMES,
    "passed over for basis": AT_TIMES,
    "passed over for record": AT_TIMES,
}

_NONE = (None, (), frozenset())
_FIELDS = {"from": "since"}  # the field of a rule, where it has another name than the criterion


def test_what_the_laws_speak_of_occurs() -> None:
    seen: Counter[str] = Counter()

    @seed(20210105)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(policies(), requests(), tight_policies(), ruled_policies(), excepting_policies(), tight_requests())
    def draw(policy: Policy, request: Request, tight: Policy, ruled: Policy, excepting: Policy, crowd: Request) -> None:
        seen.update(_occurring(policy, request))
        seen.update(_occurring(tight, crowd))
        seen.update(_occurring(ruled, crowd))
        seen.update(_occurring(excepting, crowd))

    draw()
    assert {what: seen[what] for what, least in WANTED.items() if seen[what] < least} == {}, dict(seen)


def _occurring(policy: Policy, request: Request) -> set[str]:
    decision = decide(policy, request)
    found = {str(decision.verdict)}
    if decision.rule is not None:
        found.add("decided by a rule")
        found |= {f"decided by a rule with {each}" for each in CRITERIA if getattr(decision.rule, each) not in _NONE}
    elif decision.apps:
        found.add("decided by default")
    if decision.mismatch:
        found.add("mismatch")
    if decision.held_back:
        found.add("monitor held a block back")
    if decision.against:
        found.add("an exception from an order in force")
    if decision.lawful:
        found.add("a lawful block")
    if decision.shadow_rule is not None:
        found.add("a shadow rule noted")
    for name in request.names:
        owners = policy.matcher.owners(name, request)
        ranks = [owner.specificity for owner in owners]
        if len(ranks) > len(set(ranks)):
            found.add("tied owners")
        if len(set(ranks)) > 1:
            found.add("owners of two ranks")
        for owner in owners:
            failed = {failed_criterion(policy, rule, owner, name, request) for rule in policy.rules_of[owner.app]}
            found |= {f"passed over for {_FIELDS.get(each, each)}" for each in failed if each is not None}
        found |= {f"owner by {owner.endpoint.pattern.kind.key}" for owner in owners}
        if any(evidence.startswith("lists/") for owner in owners for evidence in owner.endpoint.evidence):
            found.add("a listed owner")
        if name.host is not None and any(
            entry.app not in {owner.app for owner in owners} and not entry.excluded
            for entry in policy.matcher.entries_of_host(name.host)
            if entry.endpoint.pattern.kind in (Kind.DOMAIN, Kind.HOST)
        ):
            found.add("an exclude that frees a name")
    return found
