"""What a decision says of the answer that it asks for."""

import pytest

from embargo.core.decision import PASS, Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Respond
from sample import rule

RESPONSES = {  # case: (wishes, surface, response): the first that fits the surface counts (DESIGN 6)
    "no wish": ("", "http", None),
    "a page": ("page", "http", "page"),
    "a page at connect": ("page", "connect", "page"),
    "a page where none can be shown": ("page", "tls", None),
    "a reset": ("reset", "http", "reset"),
    "a reset of raw traffic": ("reset", "tcp", "reset"),
    "a reset of a DNS question": ("reset", "dns", None),
    "a DNS answer": ("refused", "dns", "refused"),
    "a DNS answer over HTTP": ("nxdomain", "http", None),
    "the first that fits": ("nxdomain reset page", "http", "reset"),
    "the first that fits DNS": ("page null-address refused", "dns", "null-address"),
}


@pytest.mark.parametrize(("wishes", "surface", "response"), RESPONSES.values(), ids=RESPONSES)
def test_response(wishes: str, surface: str, response: str | None) -> None:
    wanted = rule("r", "block", respond=tuple(map(Respond, wishes.split())))
    decision = Decision(verdict=Verdict.BLOCK, reason=Reason.RULE, rule=wanted)
    assert decision.response_on(Surface(surface)) == response


RULE_IDS = {  # case: (decision, id)
    "a rule": (Decision(verdict=Verdict.LOG, reason=Reason.RULE, rule=rule("r", "log")), "r"),
    "the default": (Decision(verdict=Verdict.LOG, reason=Reason.DEFAULT), "default"),
    "no owner": (PASS, None),
    "malformed": (Decision(verdict=Verdict.BLOCK, reason=Reason.MALFORMED), None),
}


@pytest.mark.parametrize(("decision", "identifier"), RULE_IDS.values(), ids=RULE_IDS)
def test_rule_id(decision: Decision, identifier: str | None) -> None:
    assert decision.rule_id == identifier


@pytest.mark.parametrize("verdict", Verdict, ids=str)
def test_only_a_block_is_refused(verdict: Verdict) -> None:
    decision = Decision(verdict=verdict, reason=Reason.RULE)
    assert (decision.blocked, decision.status) == ((True, 403) if verdict is Verdict.BLOCK else (False, None))
