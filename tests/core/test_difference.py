"""What grew stricter or milder between two policies, as a record tells it."""

from dataclasses import replace

import pytest

from embargo.core.difference import summarize
from embargo.core.rules import Mode, Policy
from sample import NOW, app, policy, rule

APP = app("alipay", "alipay.com")
BLOCK, LOG = rule("r", "block"), rule("r", "log")
BLOCKED, LOGGED = policy([APP], [BLOCK]), policy([APP], [LOG])
LINE = "alipay api domain:alipay.com"

CASES = {  # case: (old, new, stricter, milder)
    "the same": (BLOCKED, BLOCKED, [], []),
    "a first policy": (None, BLOCKED, [f"{LINE}: pass to block"], []),
    "log to block": (LOGGED, BLOCKED, [f"{LINE}: log to block"], []),
    "block to log": (BLOCKED, LOGGED, [], [f"{LINE}: block to log"]),
    "an endpoint gone": (BLOCKED, policy([], [BLOCK]), [], [f"{LINE}: block to pass"]),
    "monitor": (
        BLOCKED,
        replace(BLOCKED, settings=replace(BLOCKED.settings, mode=Mode.MONITOR)),
        [],
        [f"{LINE}: block to log"],
    ),
    "a shadow rule changes nothing": (LOGGED, policy([APP], [rule("s", "block", shadow=True), LOG]), [], []),
}


@pytest.mark.parametrize(("old", "new", "stricter", "milder"), CASES.values(), ids=CASES)
def test_summary(old: Policy | None, new: Policy, stricter: list[str], milder: list[str]) -> None:
    assert summarize(old, new, NOW) == (tuple(stricter), tuple(milder))


def test_it_is_short() -> None:
    many = policy([app("a", *(f"n{number}.test" for number in range(200)))], [BLOCK])
    assert len(summarize(None, many, NOW)[0]) == 50
