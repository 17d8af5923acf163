"""An HTTP answer is embargo's, another's, or none."""

import json

import pytest
from mitmproxy import http
from mitmproxy.test import tutils

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Action, AppSelector, Respond, Rule
from embargo.enforce.answers import connect_answer, http_answer, load_template, refusal
from embargo.probe.outcome import Outcome, Response, judged

BLOCK = Decision(verdict=Verdict.BLOCK, reason=Reason.RULE)
RESET = BLOCK._replace(rule=Rule(id="ban", apps=AppSelector(all=True), action=Action.BLOCK, respond=(Respond.RESET,)))


def embargo_says(decision: Decision, *, accept: bytes = b"*/*", agent: bytes = b"curl/8") -> Response:
    request = tutils.treq(headers=http.Headers(((b"accept", accept), (b"user-agent", agent))))
    refused = refusal(None, decision, "0193a5b0-7d1c-7c3e-8b1a-0c6f2d9e4a11")
    answer = (connect_answer if agent.startswith(b"Mozilla/") else http_answer)(refused, request, load_template(""))
    return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content or b"")


def problem(**members: object) -> Response:
    headers = {"cache-control": "no-store", "content-type": "application/problem+json"}
    return Response(403, headers, json.dumps(members).encode())


CASES = {
    "a problem document of embargo": (embargo_says(BLOCK), BLOCK, Outcome.REFUSED),
    "its page": (embargo_says(BLOCK, accept=b"text/html"), BLOCK, Outcome.REFUSED),
    "its page at CONNECT": (embargo_says(BLOCK, agent=b"Mozilla/5.0"), BLOCK, Outcome.REFUSED),
    "a legal demand": (embargo_says(BLOCK._replace(lawful=True)), BLOCK, Outcome.REFUSED),
    "no policy yet": (embargo_says(BLOCK._replace(reason=Reason.NO_POLICY)), BLOCK, Outcome.REFUSED),
    "another proxy's 403": (Response(403, {"content-type": "text/html"}, b"denied"), BLOCK, Outcome.FOREIGN),
    "another's problem document": (problem(status=403, instance="/x"), BLOCK, Outcome.FOREIGN),
    "a list where a document should be": (Response(403, dict(problem().headers), b"[]"), BLOCK, Outcome.FOREIGN),
    "broken JSON": (Response(451, dict(problem().headers), b"{"), BLOCK, Outcome.FOREIGN),
    "a tunnel": (Response(200, {}), BLOCK, Outcome.LEAKED),
    "a proxy that could not resolve the name": (Response(502, {}), BLOCK, Outcome.LEAKED),
    "an origin's 404": (Response(404, {}), BLOCK, Outcome.LEAKED),
    "a login": (Response(407, {}), BLOCK, Outcome.UNCLEAR),
    "a close": (None, BLOCK, Outcome.UNCLEAR),
    "a close that the rule asks for": (None, RESET, Outcome.REFUSED),
}


@pytest.mark.parametrize(("response", "decision", "outcome"), CASES.values(), ids=CASES)
def test_judged(response: Response | None, decision: Decision, outcome: Outcome) -> None:
    assert judged(response, decision, Surface.HTTP).outcome is outcome
