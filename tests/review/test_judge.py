"""The quick judge of past requests agrees with the way that `explain` asks."""

from datetime import datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from embargo.core.decision import Decision, Verdict
from embargo.core.inquiry import UnreadableRequest, answer
from embargo.core.request import Surface
from embargo.core.rules import Mode, Policy
from embargo.core.seen import Seen
from embargo.review.judge import Assumed, Judge
from sample import NOW, app, policy, rule
from strategies import (
    ADDRESSES,
    AGENTS,
    CLIENTS,
    TARGETS,
    USERS,
    excepting_policies,
    hosts,
    policies,
    ruled_policies,
    spellings,
    tight_policies,
    times,
)

_SCHEMES = ("", "https://", "http://", "wss://", "ws://", "HTTPS://")
_ODD = ("a..b", "", "x y.example", "user@{}", "{}\\x", " {} ", "{}:99999", "{}:", "[{}]", "{}#f", "{}?k=1", "{}//p")
_OTHERS = (*ADDRESSES, "a..b", "[2001:db8::1]:443", "elsewhere.test:443")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A request: mostly as logs have them, sometimes in an odd spelling."""
    host = draw(st.one_of(hosts, st.sampled_from((*ADDRESSES, "elsewhere.test", "x.elsewhere.test"))))
    if draw(st.integers(0, 9)) == 0:
        host = draw(spellings(host))
    if draw(st.integers(0, 9)) == 0:
        host = draw(st.sampled_from(_ODD)).format(host)
    port = draw(st.sampled_from(("", "", "", ":443", ":80", ":8443")))
    target = draw(st.sampled_from(("", "/", *TARGETS)))
    return f"{draw(st.sampled_from(_SCHEMES))}{host}{port}{target}"


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    return Seen(
        request=draw(texts()),
        time=draw(st.one_of(st.none(), times)),
        client=draw(st.one_of(st.none(), st.sampled_from(CLIENTS).map(ip_address))),
        user=draw(st.one_of(st.none(), st.sampled_from(USERS))),
        user_agent=draw(st.one_of(st.none(), st.sampled_from((*AGENTS, "Mozilla/5.0")))),
        surface=draw(st.one_of(st.none(), st.none(), st.sampled_from(Surface))),
        names=tuple(draw(st.lists(st.one_of(hosts, st.sampled_from(_OTHERS)), max_size=2))),
    )


def told(decision: Decision) -> tuple[object, ...]:
    """What a replay counts, and the endpoint."""
    return (
        decision.verdict,
        decision.rule_id,
        decision.reason,
        decision.apps,
        decision.would,
        decision.shadow_rule,
        decision.endpoint,
    )


def agree(judged_by: Policy, asked: list[Seen], at: datetime | None) -> None:
    judge = Judge(judged_by, Assumed(time=NOW), at=at)
    for each in [*asked, *asked]:  # the second time much is remembered
        try:
            expected = answer(judged_by, judge.inquiry(each)).decision
        except UnreadableRequest:
            with pytest.raises(UnreadableRequest):
                judge.judge(each)
            continue
        found = judge.judge(each)
        event(f"verdict {expected.verdict}")
        assert told(found.decision) == told(expected), each
        if expected.name is not None and expected.name.host is not None:
            assert found.host == expected.name.host.text


MANY = settings(max_examples=250)
ASKED = st.lists(seen(), min_size=6, max_size=6)
AT = st.one_of(st.none(), times)


@MANY
@given(st.one_of(policies(modes=tuple(Mode)), excepting_policies()), ASKED, AT)
def test_it_agrees_with_explain(judged_by: Policy, asked: list[Seen], at: datetime | None) -> None:
    """Whatever the policy and the request: verdict, rule, apps and endpoint are those that `explain` tells."""
    agree(judged_by, asked, at)


@MANY
@given(st.one_of(tight_policies(), ruled_policies()), ASKED, AT)
def test_it_agrees_where_apps_crowd(judged_by: Policy, asked: list[Seen], at: datetime | None) -> None:
    """The same, of apps that tie, exclude and have no rule, and of rules that look at everything."""
    agree(judged_by, asked, at)


def test_a_date_that_passes_between_two_requests_counts() -> None:
    judge = Judge(
        policy([app("bad", "bad.test")], [rule("ban", "block", until=NOW)]), Assumed(time=NOW - timedelta(days=1))
    )
    first, second = Seen(request="bad.test", time=NOW - timedelta(hours=1)), Seen(request="bad.test", time=NOW)
    assert [judge.judge(each).decision.verdict for each in (first, second, first)] == [
        Verdict.BLOCK,
        Verdict.LOG,
        Verdict.BLOCK,
    ]


def test_the_names_of_a_request_are_judged_too() -> None:
    judge = Judge(policy([app("bad", "bad.test")], [rule("ban", "block")]), Assumed(time=NOW))
    fronted = Seen(request="https://innocent.test/", names=("www.bad.test",))
    assert judge.judge(fronted).decision.verdict is Verdict.BLOCK
    assert judge.judge(fronted).host == "www.bad.test"
    assert judge.judge(Seen(request="https://innocent.test/", names=("other.test",))).decision.verdict is Verdict.PASS


def test_what_a_source_does_not_say_is_assumed() -> None:
    judged_by = policy([app("bad", "bad.test")], [rule("ban", "block", users=frozenset({"bob"}))])
    assert Judge(judged_by, Assumed(time=NOW)).judge(Seen(request="bad.test")).decision.verdict is Verdict.LOG
    judge = Judge(judged_by, Assumed(time=NOW, user="bob"))
    assert judge.judge(Seen(request="bad.test")).decision.verdict is Verdict.BLOCK
    assert judge.judge(Seen(request="bad.test", user="alice")).decision.verdict is Verdict.LOG


def test_of_equal_owners_the_stricter_counts_though_one_is_known() -> None:
    judged_by = policy(
        [app("one", "tie.test", "one.test"), app("two", "tie.test")],
        [rule("watch", "log", "one"), rule("ban", "block", "two")],
    )
    judge = Judge(judged_by, Assumed(time=NOW))
    found = [judge.judge(Seen(request=request)).decision.verdict for request in ("one.test", "tie.test")]
    assert found == [Verdict.LOG, Verdict.BLOCK]


def test_a_network_may_be_limited_to_a_port() -> None:
    judge = Judge(policy([app("raw", "cidr:203.0.113.0/24 22")], [rule("ban", "block")]), Assumed(time=NOW))
    asked = ("203.0.113.9:22", "203.0.113.9:443", "203.0.113.9:22")
    found = [judge.judge(Seen(request=request)).decision.verdict for request in asked]
    assert found == [Verdict.BLOCK, Verdict.PASS, Verdict.BLOCK]
