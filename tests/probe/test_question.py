"""A refusal of embargo's is told from the answers of other resolvers, whatever form the policy gives it."""

import struct

import pytest

from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.dns_message import parse
from embargo.core.rules import Action, AppSelector, Respond, Rule
from embargo.enforce.dns.answer import refusal
from embargo.probe.question import Answer, query, read

INCIDENT = "0193a5b0-7d1c-7c3e-8b1a-0c6f2d9e4a11"
ASKED = query("www.banned.test")


def refused(*respond: Respond) -> bytes:
    rule = Rule(id="ban", apps=AppSelector(all=True), action=Action.BLOCK, respond=respond)
    decision = Decision(verdict=Verdict.BLOCK, reason=Reason.RULE, apps=("bad",), rule=rule)
    return refusal(parse(ASKED), decision, INCIDENT)


def upstream(code: int, *, error: int | None = None, text: bytes = b"") -> bytes:
    """An answer that another resolver could give."""
    question = ASKED[12:-11]
    option = struct.pack("!HHH", 15, 2 + len(text), error) + text if error is not None else b""
    additional = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option
    return ASKED[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, 0, 0, 1) + question + additional


ANSWERS = {
    "NXDOMAIN of embargo": (refused(), Answer(3, 15, True)),
    "REFUSED of embargo": (refused(Respond.REFUSED), Answer(5, 15, True)),
    "a null address of embargo": (refused(Respond.NULL_ADDRESS), Answer(0, 15, True)),
    "NXDOMAIN of the world": (upstream(3), Answer(3, None, False)),
    "SERVFAIL": (upstream(2), Answer(2, None, False)),
    "another filter": (upstream(3, error=15, text=b"blocked by somebody"), Answer(3, 15, False)),
    "another question's answer": (b"\xff\xff" + refused()[2:], None),
    "a question": (ASKED, None),
    "cut": (refused()[:40], None),
    "empty": (b"", None),
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS)
def test_read(answer: bytes, said: Answer | None) -> None:
    assert read(answer, ASKED) == said


def test_the_question_is_one() -> None:
    message = parse(ASKED)
    assert [question.name for question in message.questions] == ["www.banned.test"]
    assert message.edns is not None
