"""What a test expects is held against what the proxy would answer: every key, on every surface."""

import pytest

from embargo.core.inquiry import Inquiry, answer
from embargo.core.request import Surface
from embargo.core.rules import Respond
from embargo.policy.expectations import expected, got, mismatches
from embargo.policy.schema import EXPECTATIONS, CaseForm
from sample import NOW, app, policy, rule

BANNED = policy(apps=[app("a", "a.example")], rules=[rule("r", "block")])
RESPONSES = {
    Surface.CONNECT: "page",
    Surface.TLS: "reset",
    Surface.HTTP: "page",
    Surface.WEBSOCKET: "page",
    Surface.DNS: "nxdomain",
    Surface.QUIC: "reset",
    Surface.TCP: "reset",
    Surface.UDP: "reset",
    Surface.SERVER: "reset",
}


@pytest.mark.parametrize(("surface", "response"), RESPONSES.items())
def test_the_usual_response(surface: Surface, response: str) -> None:
    found = answer(BANNED, Inquiry(request="a.example", time=NOW, surface=surface))
    assert got(found, "respond") == response


def test_every_surface_has_a_usual_response() -> None:
    assert set(RESPONSES) == set(Surface)


def test_the_wish_of_the_rule_comes_first() -> None:
    wishing = policy(apps=[app("a", "a.example")], rules=[rule("r", "block", respond=(Respond.RESET, Respond.REFUSED))])
    found = answer(wishing, Inquiry(request="a.example", time=NOW, surface=Surface.DNS))
    assert got(found, "respond") == "refused"


def test_every_expectation_has_an_answer() -> None:
    found = answer(BANNED, Inquiry(request="a.example", time=NOW))
    assert {key: got(found, key) for key in EXPECTATIONS} == {
        "expect": "block",
        "app": "a",
        "rule": "r",
        "endpoint": "domain:a.example",
        "status": "403",
        "would": "none",
        "respond": "page",
        "record": "full",
    }


def test_only_what_is_said_is_expected() -> None:
    form = CaseForm.model_validate({"request": "a.example", "expect": "log", "status": None})
    assert expected(form) == {"expect": "log", "status": "none"}
    found = mismatches(form, answer(BANNED, Inquiry(request="a.example", time=NOW)))
    assert [(miss.key, miss.expected, miss.got) for miss in found] == [
        ("expect", "log", "block"),
        ("status", "none", "403"),
    ]
