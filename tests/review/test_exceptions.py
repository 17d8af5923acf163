"""What each exception is at an instant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from embargo.core.rules import Basis, Rule
from embargo.review.exceptions import State, UnknownException, find, standings, state_of
from sample import NOW, app, authority, policy, rule

HOUR = timedelta(hours=1)


def exception(identifier: str, **members: object) -> Rule:
    return replace(rule(identifier, "log", "qq"), exception=True, **members)


STATES = {
    "active": (exception("e", since=NOW - HOUR, until=NOW + HOUR), State.ACTIVE),
    "active from the first instant on": (exception("e", since=NOW, until=NOW + HOUR), State.ACTIVE),
    "upcoming": (exception("e", since=NOW + HOUR, until=NOW + 2 * HOUR), State.UPCOMING),
    "ended at its end": (exception("e", until=NOW), State.ENDED),
    "ended, though disabled": (exception("e", until=NOW, enabled=False), State.ENDED),
    "disabled": (exception("e", until=NOW + HOUR, enabled=False), State.DISABLED),
    "without an end": (exception("e"), State.ACTIVE),
}


@pytest.mark.parametrize(("one", "state"), STATES.values(), ids=STATES)
def test_states(one: Rule, state: State) -> None:
    assert state_of(one, NOW) is state


def test_standings() -> None:
    order = authority("order", in_force="2020-01-01")
    bare = exception("bare", since=NOW - HOUR, until=NOW + HOUR)
    whole = replace(bare, id="whole", author="a", approved_by="b", ticket="t", basis=Basis.LICENSE)
    judged = policy(
        [app("qq", "qq.test", named_in=("order",))],
        [bare, whole, rule("other", "block")],
        [order],
        bound_by=frozenset({"order"}),
    )
    first, second = standings(judged, NOW)
    assert (first.rule.id, first.left, first.void_for) == ("bare", 3600.0, (("qq", ("order",)),))
    assert (second.rule.id, second.void_for) == ("whole", ())


POLICY = policy([app("qq", "qq.test")], [exception("except-1"), exception("except-2"), rule("banned", "block")])


def test_finding() -> None:
    assert find(POLICY, "except-1").id == "except-1"
    assert find(policy([app("qq", "qq.test")], [exception("except-1")]), "ex").id == "except-1"


@pytest.mark.parametrize(
    ("name", "message"),
    [("banned", "no exception"), ("except", "write more"), ("excep-1", "did you mean"), ("x", "list")],
)
def test_not_found(name: str, message: str) -> None:
    with pytest.raises(UnknownException, match=message):
        find(POLICY, name)
