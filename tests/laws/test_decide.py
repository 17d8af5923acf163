"""Laws of `decide`: what holds for every policy and every request (DESIGN 5, Laws)."""

from dataclasses import replace
from datetime import datetime

from hypothesis import event, given, settings
from hypothesis import strategies as st

from embargo.core.catalogue import App, Endpoint
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.pattern import Kind
from embargo.core.request import Name, Request
from embargo.core.rules import AppSelector, Mode, Policy, Rule
from oracle import decision as oracle
from oracle import mismatched, owners
from strategies import (
    APPS,
    apps,
    endpoints,
    excepting_policies,
    names,
    policies,
    requests,
    ruled_policies,
    rules,
    spellings,
    tight_policies,
    tight_requests,
    times,
)

THOUSANDS = settings(max_examples=200)  # policies, each asked five times: 4000 decisions in the four laws that have it


def agree(policy: Policy, request: Request) -> None:
    """What `decide` finds is what plain loops find: the verdict, its rule and apps, shadow, monitor, law, mismatch."""
    found, expected = decide(policy, request), oracle(policy, request)
    event(f"verdict {found.verdict}")
    assert (found.verdict, found.rule_id, found.apps) == (expected.verdict, expected.rule, expected.apps)
    assert (found.would, found.shadow_rule, found.lawful) == (expected.would, expected.shadow, expected.lawful)
    assert frozenset(found.against) == expected.against
    assert found.mismatch is (bool(found.apps) and mismatched(policy, request))


@THOUSANDS
@given(policies(modes=tuple(Mode)), st.lists(requests(well_formed=0), min_size=5, max_size=5))
def test_decide_agrees_with_the_oracle(policy: Policy, asked: list[Request]) -> None:
    """The fast way (indexes, memory, names judged once) makes the decision that plain loops make."""
    for request in asked:
        agree(policy, request)


@THOUSANDS
@given(tight_policies(), st.lists(tight_requests(), min_size=5, max_size=5))
def test_decide_agrees_with_the_oracle_where_apps_crowd(policy: Policy, asked: list[Request]) -> None:
    """The same, of apps that tie, exclude and have no rule at a handful of names."""
    for request in asked:
        tied = [owner.specificity for name in request.names for owner in policy.matcher.owners(name, request)]
        event("tied" if len(tied) > len(set(tied)) else "not tied")
        agree(policy, request)


@THOUSANDS
@given(ruled_policies(), st.lists(tight_requests(), min_size=5, max_size=5))
def test_decide_agrees_with_the_oracle_where_rules_crowd(policy: Policy, asked: list[Request]) -> None:
    """The same, of many rules of every criterion for an app or two, so that each criterion decides now and then."""
    for request in asked:
        agree(policy, request)


@THOUSANDS
@given(excepting_policies(), st.lists(tight_requests(), min_size=5, max_size=5))
def test_decide_agrees_with_the_oracle_where_orders_stand_against_exceptions(
    policy: Policy, asked: list[Request]
) -> None:
    """The same, of exceptions that an order in force stands against: they hold where they say all that this needs."""
    for request in asked:
        event(f"against {len(decide(policy, request).against)}")
        agree(policy, request)


@given(policies(), requests())
def test_the_matcher_agrees_with_the_oracle(policy: Policy, request: Request) -> None:
    """Every name has the owners, in the order and by the endpoints, that comparing all patterns finds."""
    for name in request.names:
        found = list(policy.matcher.owners(name, request))
        event(f"{min(len(found), 3)} owners")
        expected = owners(policy, name, request)
        assert [(owner.app, owner.specificity) for owner in found] == [(own.app, own.specificity) for own in expected]
        assert [owner.endpoint for owner in found] == [owner.endpoint for owner in expected]


@given(policies(), st.lists(requests(), min_size=2, max_size=4))
def test_what_was_judged_before_changes_nothing(policy: Policy, asked: list[Request]) -> None:
    """`decide` is a function of policy and request: its memory of hosts and of rulings never shows."""
    afterwards = [decide(policy, request) for request in asked]
    for request, remembered in zip(asked, afterwards, strict=True):
        policy.matcher.forget()
        policy.standing.clear()
        assert decide(policy, request) == remembered


@settings(max_examples=300)
@given(tight_policies(), st.lists(st.tuples(tight_requests(), times), min_size=2, max_size=6))
def test_a_ruling_stands_no_longer_than_its_dates(policy: Policy, asked: list[tuple[Request, datetime]]) -> None:
    """Requests of other instants, in any order, are decided as if each were the first."""
    for request, time in asked:
        request = replace(request, time=time)
        decision = decide(policy, request)
        event("stands" if any(policy.standing.values()) else "does not stand")
        policy_anew = replace(policy)
        assert not policy_anew.standing
        assert decision == decide(policy_anew, request)


@given(policies(), requests(), names, st.data())
def test_another_name_never_makes_it_milder(policy: Policy, request: Request, name: Name, data: st.DataObject) -> None:
    """A well-formed name more, wherever it stands, leaves the verdict as it is or makes it stricter."""
    position = data.draw(st.integers(0, len(request.names)))
    more = replace(request, names=(*request.names[:position], name, *request.names[position:]))
    before, after = decide(policy, request).verdict, decide(policy, more).verdict
    event("stricter" if after > before else "the same")
    assert after >= before


@given(policies(), requests(), st.data())
def test_the_order_of_names_does_not_change_the_verdict(policy: Policy, request: Request, data: st.DataObject) -> None:
    """Where a name stands is of no account for the verdict."""
    shuffled = data.draw(st.permutations(request.names))
    assert decide(policy, replace(request, names=tuple(shuffled))).verdict is decide(policy, request).verdict


@given(policies(), requests(), st.data())
def test_spellings_never_change_the_decision(policy: Policy, request: Request, data: st.DataObject) -> None:
    """A host in capitals, fullwidth letters, with a trailing dot, in octal, … is judged as its canonical form."""
    respelled = []
    for name in request.names:
        if name.host is None:
            respelled.append(name)
        else:
            text = data.draw(spellings(name.host.text))
            event("another spelling" if text != name.text else "the same spelling")
            respelled.append(Name.parse(name.source, text, name.port))
    before, after = decide(policy, request), decide(policy, replace(request, names=tuple(respelled)))
    assert after.verdict is before.verdict
    assert (after.apps, after.rule, after.endpoint, after.mismatch) == (
        before.apps,
        before.rule,
        before.endpoint,
        before.mismatch,
    )


def _touches(endpoint: Endpoint, host: str) -> bool:
    """Whether *endpoint* has *host* as its own, or as a name below it, label by label."""
    pattern = endpoint.pattern
    wanted = (pattern.host if pattern.kind is Kind.URL else pattern.text).split(".")
    return host.split(".")[-len(wanted) :] == wanted


@given(policies(), requests())
def test_without_a_whole_label_suffix_nothing_matches(policy: Policy, request: Request) -> None:
    """A name that has no endpoint as a whole-label suffix has no owner, whatever letters they share."""
    named = (Kind.DOMAIN, Kind.HOST, Kind.URL)
    listed = list(getattr(policy.listed, "_lists", {}))
    catalogue = [each for app in policy.apps.values() for each in app.endpoints if each.pattern.kind in named]
    quiet = replace(request, user_agent=None)
    for name in quiet.names:
        if name.host is None or name.host.address is not None:
            continue
        text = name.host.text
        if any(_touches(each, text) for each in catalogue) or any(f".{text}".endswith(f".{one}") for one in listed):
            event("has a suffix")
            continue
        event("has none")
        assert policy.matcher.owners(name, quiet) == ()


@given(policies(), st.lists(endpoints, min_size=1, max_size=4), st.booleans(), requests())
def test_a_new_app_that_no_rule_names_opens_nothing(
    policy: Policy, added: list[Endpoint], first: bool, request: Request
) -> None:
    """An app that no rule selects never makes a verdict milder, though its endpoints be the most specific."""
    new = App(id="aaa" if first else "zzz", name="New", endpoints=tuple(added))
    known = tuple(rule for rule in policy.rules if not rule.apps.all)
    before = replace(policy, rules=known)
    after = replace(before, apps={**policy.apps, new.id: new})
    if policy.matcher.owners(request.names[0], request):
        event("owned before")
    assert decide(after, request).verdict >= decide(before, request).verdict


@given(policies(shadow=False), st.lists(rules(shadow=True), min_size=1, max_size=3), requests(), st.data())
def test_shadow_rules_never_change_a_verdict(
    policy: Policy, shadows: list[Rule], request: Request, data: st.DataObject
) -> None:
    """A shadow rule, wherever it stands, is noted and changes neither verdict nor rule nor answer."""
    mixed = list(policy.rules)
    for shadow in shadows:
        mixed.insert(data.draw(st.integers(0, len(mixed))), shadow)
    before, after = decide(policy, request), decide(replace(policy, rules=tuple(mixed)), request)
    event("noted" if after.would is not None else "not noted")
    assert after._replace(would=None, shadow_rule=None) == before


@given(policies(), requests(well_formed=0))
def test_monitor_never_blocks_and_tells_what_enforce_would_do(policy: Policy, request: Request) -> None:
    """In monitor nothing is refused; `would` is block exactly where enforce blocks; all else is the same."""
    enforced = decide(policy, request)
    watched = decide(replace(policy, settings=replace(policy.settings, mode=Mode.MONITOR)), request)
    event(f"enforce: {enforced.verdict}")
    assert watched.verdict is not Verdict.BLOCK
    assert watched.held_back is (enforced.verdict is Verdict.BLOCK)
    if enforced.verdict is Verdict.BLOCK:
        assert watched == enforced._replace(verdict=Verdict.LOG, would=Verdict.BLOCK, shadow_rule=None)
    else:
        assert watched == enforced


@given(policies(), requests(well_formed=0))
def test_pass_is_for_what_nobody_owns(policy: Policy, request: Request) -> None:
    """A verdict is `pass` exactly where no well-formed name has an owner and there is such a name."""
    named = [name for name in request.names if name.host is not None]
    unowned = bool(named) and not any(owners(policy, name, request) for name in named)
    assert (decide(policy, request).verdict is Verdict.PASS) is unowned


@given(policies(), requests())
def test_a_block_for_all_blocks_whatever_is_owned(policy: Policy, request: Request) -> None:
    """With one rule that blocks all apps, what is owned is blocked and all else passes: nothing banned gets through."""
    strict = replace(policy, rules=(Rule(id="all", apps=AppSelector(all=True), action="block"),))  # type: ignore[arg-type]
    owned = any(owners(policy, name, request) for name in request.names)
    assert decide(strict, request).verdict is (Verdict.BLOCK if owned else Verdict.PASS)


@given(st.lists(apps, min_size=1, max_size=4, unique_by=lambda app: app.id), requests(), st.data())
def test_the_order_of_apps_does_not_matter(catalogue: list[App], request: Request, data: st.DataObject) -> None:
    """A catalogue is a set of apps: in another order each name has the same owners."""
    one = Policy(apps={app.id: app for app in catalogue})
    other = Policy(apps={app.id: app for app in data.draw(st.permutations(catalogue))})
    assert {app.id for app in catalogue} <= set(APPS)
    for name in request.names:
        assert one.matcher.owners(name, request) == other.matcher.owners(name, request)
