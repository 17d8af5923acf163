"""The laws are not vacuous: what they speak of does occur among the values that the strategies draw."""

from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from embargo.core.decide import decide
from embargo.core.pattern import Kind
from embargo.core.request import Request
from embargo.core.rules import Policy
from strategies import policies, requests, tight_policies, tight_requests

EXAMPLES = 400
OFTEN, AT_TIMES = 30, 2  # of 400 examples of each kind; what is drawn changes with Hypothesis and with our code
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
}


def test_what_the_laws_speak_of_occurs() -> None:
    seen: Counter[str] = Counter()

    @seed(20210105)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(policies(), requests(), tight_policies(), tight_requests())
    def draw(policy: Policy, request: Request, tight: Policy, crowd: Request) -> None:
        seen.update(_occurring(policy, request))
        seen.update(_occurring(tight, crowd))

    draw()
    assert {what: seen[what] for what, least in WANTED.items() if seen[what] < least} == {}, dict(seen)


def _occurring(policy: Policy, request: Request) -> set[str]:
    decision = decide(policy, request)
    found = {str(decision.verdict)}
    if decision.rule is not None:
        found.add("decided by a rule")
    elif decision.apps:
        found.add("decided by default")
    if decision.mismatch:
        found.add("mismatch")
    if decision.shadow_rule is not None:
        found.add("a shadow rule noted")
    for name in request.names:
        owners = policy.matcher.owners(name, request)
        ranks = [owner.specificity for owner in owners]
        if len(ranks) > len(set(ranks)):
            found.add("tied owners")
        if len(set(ranks)) > 1:
            found.add("owners of two ranks")
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
