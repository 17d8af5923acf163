"""Endpoints on trial: what is decided with them, what is told, and what they must never do."""

from dataclasses import replace

import pytest

from embargo.core.catalogue import Endpoint
from embargo.core.decide import decide
from embargo.core.decision import Reason, Verdict
from embargo.core.difference import summarize
from embargo.core.opening import openings
from embargo.core.rules import Action, Mode, Policy, Recording
from embargo.core.trials import Trials
from embargo.core.unread import unread
from sample import NOW, app, endpoint, policy, request, rule


def on_trial(text: str, *, shared: bool = False) -> Endpoint:
    return endpoint(text, shared=shared, shadow=True)


POLICY = policy(
    [
        app("bad", "bad.test", on_trial("new.test"), on_trial("x.watched.test"), exclude=["free.new.test"]),
        app("watched", "watched.test", "allowed.test", on_trial("host:w.test")),
        app("quiet", endpoint("cdn.test", shared=True), on_trial("own.cdn.test"), on_trial("y.bad.test", shared=True)),
    ],
    [
        rule("shared", "log", shared=True, record=Recording.ANONYMOUS),
        rule("allow", "allow", apps="watched", hosts=(endpoint("allowed.test").pattern,)),
        rule("ban", "block", apps="bad quiet"),
        rule("watch", "log", apps="watched"),
    ],
)

CASES = {  # case: (host, verdict, rule, would, app of the trial, unowned without it)
    "what is not on trial": ("bad.test", "block", "ban", None, None, None),
    "what nobody owns": ("innocent.test", "pass", None, None, None, None),
    "nobody else owns it": ("a.new.test", "log", "ban", "block", "bad", True),
    "excluded": ("free.new.test", "pass", None, None, None, None),
    "it would only be logged": ("w.test", "log", "watch", "log", "watched", True),
    "another app's already, logged": ("x.watched.test", "log", "watch", "block", "bad", False),
    "its own app's already, shared": ("own.cdn.test", "log", "shared", "block", "quiet", False),
    "it would be milder": ("y.bad.test", "block", "ban", None, None, None),
}


@pytest.mark.parametrize(("host", "verdict", "rule_id", "would", "of", "unowned"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("mode", Mode)
def test_decided(
    host: str, verdict: str, rule_id: str | None, would: str | None, of: str | None, unowned: bool | None, mode: Mode
) -> None:
    decision = decide(policy_in(mode), request(host))
    if mode is Mode.MONITOR and verdict == "block":
        assert (decision.verdict, decision.would, decision.held_back) == (Verdict.LOG, Verdict.BLOCK, True)
    else:
        assert str(decision.verdict) == verdict
        assert str(decision.would) == str(would)
        assert not decision.held_back
    assert decision.rule_id == rule_id
    assert (decision.trial.app if decision.trial else None) == of
    assert (decision.trial.unowned if decision.trial else None) == unowned


def policy_in(mode: Mode) -> Policy:
    return POLICY.varied(settings=replace(POLICY.settings, mode=mode))


def test_the_note_names_the_endpoint_its_rule_and_what_it_would_do() -> None:
    trial = decide(POLICY, request("a.new.test")).trial
    assert trial is not None
    assert (str(trial.endpoint), trial.rule, trial.verdict) == ("domain:new.test", "ban", Verdict.BLOCK)


def test_of_several_names_the_strictest_stands() -> None:
    assert decide(POLICY, request("a.new.test", "bad.test")).blocked
    decision = decide(POLICY, request("a.new.test", "allowed.test"))
    assert (decision.verdict, decision.would, decision.rule_id) == (Verdict.LOG, Verdict.BLOCK, "ban")


def test_an_anonymous_rule_keeps_its_record_so() -> None:
    rules = [rule("quiet", "block", record=Recording.ANONYMOUS)]
    assert decide(policy([app("bad", on_trial("new.test"))], rules), request("new.test")).anonymous


def test_a_policy_without_trials_has_none() -> None:
    assert policy([app("bad", "bad.test")]).trials is None


def test_other_rules_and_settings_keep_the_trials() -> None:
    without = POLICY.varied(rules=())
    assert isinstance(without.trials, Trials)
    decision = decide(without, request("new.test"))
    assert (decision.verdict, decision.rule_id, decision.would) == (Verdict.LOG, "default", Verdict.LOG)


def test_a_shadow_rule_that_would_do_as_much_is_told_as_ever() -> None:
    rules = [rule("ghost", "block", apps="watched", shadow=True), *POLICY.rules]
    decision = decide(POLICY.varied(rules=tuple(rules)), request("x.watched.test"))
    assert (decision.would, decision.shadow_rule) == (Verdict.BLOCK, "ghost")
    assert decision.trial is not None


UNKNOWN = {  # case: (settings.unknown_protocol, host, verdict, reason, whether the trial is told)
    "block: the trial opens nothing": ("block", "new.test", "block", "unknown-protocol", False),
    "log: the trial is told in its place": ("log", "new.test", "log", "rule", True),
    "allow: the trial is told": ("allow", "new.test", "log", "rule", True),
    "owned: the setting is not asked": ("block", "x.watched.test", "log", "rule", True),
}


@pytest.mark.parametrize(("setting", "host", "verdict", "reason", "told"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_protocol(setting: str, host: str, verdict: str, reason: str, told: bool) -> None:
    judged = POLICY.varied(settings=replace(POLICY.settings, unknown_protocol=Action(setting)))
    asked = request(host)
    decision = unread(judged, asked, decide(judged, asked))
    assert (str(decision.verdict), decision.reason) == (verdict, Reason(reason))
    assert (decision.trial is not None) is told


def test_nothing_is_opened_for_it() -> None:
    assert {opening.name for opening in openings(POLICY, NOW)} == {"bad.test"}


def test_enforcing_it_is_told_as_stricter() -> None:
    enforced = replace(POLICY, apps={**POLICY.apps, "bad": app("bad", "bad.test", "new.test", "x.watched.test")})
    stricter, milder = summarize(POLICY, enforced, NOW)
    assert stricter == ("bad api domain:new.test: log to block", "bad api domain:x.watched.test: log to block")
    assert milder == ()
