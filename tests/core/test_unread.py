"""What no app owns and nobody can read: the setting decides, and only there."""

import pytest

from embargo.core.decide import decide
from embargo.core.decision import Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Action, Mode
from embargo.core.unread import nameless, unread
from sample import app, policy, request, rule

RAW = Surface.TCP
CASES = {  # case: (names, setting, what is inside gets opened, verdict, reason)
    "log, the default": ("innocent.test", "log", False, "log", "unknown-protocol"),
    "block": ("innocent.test", "block", False, "block", "unknown-protocol"),
    "allow": ("innocent.test", "allow", False, "pass", "unknown-protocol"),
    "nothing but an address": ("192.0.2.7", "log", False, "log", "nameless"),
    "an address, and what is no host": ("192.0.2.7 b@d", "log", False, "log", "nameless"),
    "an address, block": ("192.0.2.7", "block", False, "block", "nameless"),
    "an address, allow: still told as nameless": ("192.0.2.7", "allow", False, "pass", "nameless"),
    "an address, block, but it gets opened": ("192.0.2.7", "block", True, "log", "nameless"),
    "an address and a name": ("192.0.2.7 innocent.test", "block", False, "block", "unknown-protocol"),
    "an app's: its rule decides": ("watched.test", "block", False, "log", "rule"),
    "a banned app's": ("banned.test", "allow", False, "block", "rule"),
}


@pytest.mark.parametrize(("names", "setting", "opened", "verdict", "reason"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("mode", Mode)
def test_unread(names: str, setting: str, opened: bool, verdict: str, reason: str, mode: Mode) -> None:
    rules = policy(
        [app("bad", "banned.test"), app("watched", "watched.test")],
        [rule("ban", "block", apps="bad"), rule("watch", "log", apps="watched")],
        unknown_protocol=Action(setting),
        mode=mode,
    )
    asked = request(*names.split(), surface=RAW)
    decision = unread(rules, asked, decide(rules, asked), opened=opened)
    if mode is Mode.MONITOR and verdict == "block":
        assert (str(decision.verdict), decision.would) == ("log", Verdict.BLOCK)
    else:
        assert (str(decision.verdict), decision.would) == (verdict, None)
    assert decision.reason is Reason(reason)


NAMELESS = {"192.0.2.7": True, "2001:db8::7": True, "innocent.test": False, "192.0.2.7 innocent.test": False}


@pytest.mark.parametrize(("names", "answer"), NAMELESS.items(), ids=NAMELESS)
def test_nameless(names: str, answer: bool) -> None:
    assert nameless(request(*names.split())) is answer
