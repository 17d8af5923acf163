"""Who the rules tell apart, each once."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.askers import Asker, askers
from embargo.core.rules import Rule
from sample import group, rule
from strategies import CLIENTS, USERS, rules

RESEARCH = group("research", "10.20.0.0/16", "alice")
STAFF = group("staff", "10.0.0.0/8")


def clients(text: str) -> dict[str, object]:
    return {"clients": tuple(map(ip_network, text.split()))}


NAMED = {  # case: (rules, those who are told apart)
    "nobody": ([rule("r", "block")], ["whoever no rule names"]),
    "a group by client and by user is one": (
        [rule("r", "block", groups=(RESEARCH,))],
        ["whoever no rule names", "research"],
    ),
    "a group within another": (
        [rule("r", "block", groups=(RESEARCH,)), rule("s", "log", groups=(STAFF,))],
        ["whoever no rule names", "research", "staff", "research and staff"],
    ),
    "a network of a rule": ([rule("r", "block", **clients("10.0.0.0/8"))], ["whoever no rule names", "10.0.0.0/8"]),
    "a user": ([rule("r", "block", users=frozenset({"bob"}))], ["whoever no rule names", "bob"]),
    "users of one rule are one": (
        [rule("r", "block", users=frozenset({"bob", "alice"}))],
        ["whoever no rule names", "alice, bob"],
    ),
    "many users": (
        [rule("r", "block", users=frozenset({"a", "b", "c", "d", "e", "f"}))],
        ["whoever no rule names", "a, b, c, d and 2 more"],
    ),
    "a user who is not known": (
        [rule("r", "block", not_groups=(RESEARCH,))],
        ["whoever no rule names", "unknown users", "research"],
    ),
    "a network that others cover is nobody's": (
        [rule("r", "block", **clients("10.0.0.0/8 10.0.0.0/9 10.128.0.0/9"))],
        ["whoever no rule names", "10.0.0.0/8, 10.0.0.0/9, 10.128.0.0/9"],
    ),
    "all addresses": (
        [rule("r", "block", **clients("0.0.0.0/0 ::/0")), rule("s", "block", groups=(STAFF,))],
        ["0.0.0.0/0, ::/0", "0.0.0.0/0, ::/0 and staff"],
    ),
}


@pytest.mark.parametrize(("asked", "told"), NAMED.values(), ids=NAMED)
def test_told_apart(asked: list[Rule], told: list[str]) -> None:
    found = askers([asked])
    assert sorted(map(str, found.each)) == sorted(told)
    assert found.complete


def test_a_group_that_two_policies_define_otherwise_is_two() -> None:
    wider = group("research", "10.0.0.0/8", "alice")
    found = askers([[rule("r", "log", groups=(RESEARCH,))], [rule("r", "log", groups=(wider,))]])
    assert [str(asker) for asker in found.each] == [
        "whoever no rule names",
        "research as it is new",
        "research and research as it is new",
    ]


def test_too_many_are_left_out_and_told() -> None:
    many = [rule(f"r{number}", "log", groups=(group(f"g{number}", "", f"u{number} all"),)) for number in range(300)]
    found = askers([many])
    assert len(found.each) == 256
    assert not found.complete
    assert max(len(asker.among) for asker in found.each) == 1


def test_a_large_group_costs_no_square() -> None:
    networks = tuple(ip_network((number << 8, 24)) for number in range(0, 20_000, 2))
    found = askers([[rule("r", "log", groups=(group("large"),)), rule("s", "log", clients=networks)]])
    assert len(found.each) == 2


def signature(asked: list[Rule], asker: Asker) -> list[object]:
    """All that rules can see of who asks."""
    return [
        (
            [each.holds(asker.client, asker.user) for each in one.not_groups],
            [bool(each.holds(asker.client, asker.user)) for each in one.groups],
            any(asker.client in network for network in one.clients),
            asker.user in one.users,
        )
        for one in asked
    ]


@given(st.lists(rules(), max_size=4), st.sampled_from(CLIENTS), st.none() | st.sampled_from((*USERS, "dora")))
def test_everybody_is_one_of_them(asked: list[Rule], client: str, user: str | None) -> None:
    """Whoever asks from a known address looks to the rules like exactly one of the askers."""
    somebody = Asker(client=ip_network(client)[0], user=user)
    found = askers([asked])
    assert found.complete
    assert [signature(asked, asker) for asker in found.each].count(signature(asked, somebody)) == 1
