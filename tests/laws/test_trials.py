"""Laws of endpoints on trial: they may be noted, and change nothing that anybody would miss."""

from dataclasses import replace

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.request import Name, Request
from embargo.core.rules import Mode, Policy
from oracle import decision_with_trials
from strategies import names, policies, requests, tight_policies, tight_requests

MANY = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])  # policies are large to draw

QUIET = settings(suppress_health_check=[HealthCheck.too_slow])


@st.composite
def tried(draw: st.DrawFn, drawn: st.SearchStrategy[Policy]) -> Policy:
    """A policy, some of whose endpoints are on trial."""
    policy = draw(drawn)
    chosen = draw(st.integers(0, 2**24 - 1))  # a bit an endpoint
    apps = {}
    for app in policy.apps.values():
        endpoints = []
        for each in app.endpoints:
            endpoints.append(replace(each, shadow=bool(chosen & 1)))
            chosen >>= 1
        apps[app.id] = replace(app, endpoints=tuple(endpoints))
    return replace(policy, apps=apps)


def without(policy: Policy) -> Policy:
    """*policy* without what is on trial."""
    apps = {
        app.id: replace(app, endpoints=tuple(each for each in app.endpoints if not each.shadow))
        for app in policy.apps.values()
    }
    return replace(policy, apps=apps)


def enforced(policy: Policy) -> Policy:
    """*policy* with all of it enforced."""
    apps = {
        app.id: replace(app, endpoints=tuple(replace(each, shadow=False) for each in app.endpoints))
        for app in policy.apps.values()
    }
    return replace(policy, apps=apps)


@MANY
@given(tried(policies(modes=tuple(Mode))), requests(well_formed=0))
def test_decide_agrees_with_the_oracle(policy: Policy, request: Request) -> None:
    """One lookup more finds what judging twice by plain loops finds."""
    found, expected = decide(policy, request), decision_with_trials(policy, request)
    event("noted" if found.trial else "not noted")
    assert (found.verdict, found.rule_id, found.apps) == (expected.verdict, expected.rule, expected.apps)
    assert (found.would, found.shadow_rule) == (expected.would, expected.shadow)


@MANY
@given(tried(tight_policies()), st.lists(tight_requests(), min_size=3, max_size=3))
def test_decide_agrees_with_the_oracle_where_apps_crowd(policy: Policy, asked: list[Request]) -> None:
    """The same, of apps that tie and exclude at a handful of names."""
    for request in asked:
        found, expected = decide(policy, request), decision_with_trials(policy, request)
        event("noted" if found.trial else "not noted")
        assert (found.verdict, found.rule_id, found.would) == (expected.verdict, expected.rule, expected.would)


@MANY
@given(tried(policies()), requests(well_formed=0))
def test_a_trial_never_blocks_and_never_makes_milder(policy: Policy, request: Request) -> None:
    """A verdict is the one without what is on trial, or a log in place of allow or pass; a block stays one, and none
    is made."""
    bare, found = decide(without(policy), request), decide(policy, request)
    event("another verdict" if found.verdict is not bare.verdict else "the same")
    assert found.blocked is bare.blocked
    assert bare.verdict <= found.verdict <= max(bare.verdict, Verdict.LOG)


@MANY
@given(tried(policies()), requests(well_formed=0))
def test_what_is_told_is_what_enforcing_would_do(policy: Policy, request: Request) -> None:
    """The note says the verdict with everything on trial enforced, and stands where that is stricter than without."""
    bare, whole, found = (decide(one, request) for one in (without(policy), enforced(policy), policy))
    assert (found.trial is not None) is (whole.verdict > bare.verdict)
    if found.trial is not None:
        assert found.trial.verdict is whole.verdict
        assert found.would is not None and found.would >= whole.verdict
        assert found.trial.endpoint.shadow
        event(f"{bare.verdict} to {whole.verdict}")


@QUIET
@given(tried(policies()), requests(), names, st.data())
def test_another_name_never_makes_it_milder(policy: Policy, request: Request, name: Name, data: st.DataObject) -> None:
    """The law of names holds with trials as without."""
    position = data.draw(st.integers(0, len(request.names)))
    more = replace(request, names=(*request.names[:position], name, *request.names[position:]))
    assert decide(policy, more).verdict >= decide(policy, request).verdict


@QUIET
@given(tried(policies()), requests(well_formed=0))
def test_monitor_holds_back_what_enforce_blocks(policy: Policy, request: Request) -> None:
    """Monitor refuses nothing, and says of a block that it would have been one, whatever is on trial."""
    monitored = policy.varied(settings=replace(policy.settings, mode=Mode.MONITOR))
    enforce, monitor = decide(policy, request), decide(monitored, request)
    assert not monitor.blocked
    assert monitor.held_back is enforce.blocked
    assert (monitor.trial is None) is (enforce.trial is None)
