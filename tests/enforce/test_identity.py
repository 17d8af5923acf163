"""Who asks, and when a verdict has to wait for that."""

import pytest
from mitmproxy import ctx
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.test import taddons, tflow

from embargo.core.rules import Policy, Rule
from embargo.enforce.gate import Gate
from embargo.enforce.identity import Identity
from sample import app, group, policy, request, rule

APPS = [app("bad", "banned.test"), app("other", "other.test")]


def judged(*rules: Rule) -> Policy:
    return policy(APPS, [*rules, rule("ban", "block")])


WAITS = {  # case: (policy, host, whether the user may change the verdict)
    "no rule asks for a user": (judged(), "banned.test", False),
    "a rule for users": (judged(rule("r", "allow", "bad", users=frozenset({"alice"}))), "banned.test", True),
    "a rule for a group of users": (
        judged(rule("r", "allow", groups=(group("g", users="alice"),))),
        "banned.test",
        True,
    ),
    "a rule for all but a group": (judged(rule("r", "log", not_groups=(group("g", users="a"),))), "banned.test", True),
    "a group of clients": (judged(rule("r", "allow", groups=(group("g", "10.0.0.0/8"),))), "banned.test", False),
    "a rule for another app": (judged(rule("r", "allow", "other", users=frozenset({"alice"}))), "banned.test", False),
}


@pytest.mark.parametrize(("rules", "host", "waits"), WAITS.values(), ids=WAITS)
def test_whether_a_verdict_waits(rules: Policy, host: str, waits: bool) -> None:
    gate = Gate()
    gate.policy = rules
    with taddons.context(ProxyAuth()) as context:
        identity = Identity(gate)
        asked = request(host)
        assert not identity.may_change(gate.decide(asked), asked), "nobody is asked for a password"
        context.options.proxyauth = "any"
        assert identity.may_change(gate.decide(asked), asked) is waits
        known = request(host, user="bob")
        assert not identity.may_change(gate.decide(known), known)


def test_a_malformed_request_does_not_wait() -> None:
    gate = Gate()
    gate.policy = judged(rule("r", "allow", users=frozenset({"alice"})))
    with taddons.context(ProxyAuth()) as context:
        context.options.proxyauth = "any"
        asked = request("no host")
        assert not Identity(gate).may_change(gate.decide(asked), asked)


def test_the_user_and_never_the_password() -> None:
    with taddons.context(ProxyAuth()):
        identity = Identity(Gate())
        flow = tflow.tflow()
        assert identity.user(flow) is None
        flow.metadata["proxyauth"] = ("alice", "password")
        assert identity.user(flow) == "alice"
        inner = tflow.tflow()
        ctx.master.addons.get("proxyauth").authenticated[inner.client_conn] = ("bob", "password")
        assert identity.user(inner) == "bob"
        assert identity.user_of(inner.client_conn) == "bob"
