"""What an exception opens is what `explain` says before and after it."""

from datetime import timedelta
from ipaddress import ip_address

import pytest

from embargo.core.catalogue import Role
from embargo.core.decision import Verdict
from embargo.core.rules import AppSelector, Mode, Policy
from embargo.core.timeline import State
from embargo.review.opened import Subject, effects, obstacle
from embargo.review.selection import Selection
from sample import NOW, app, authority, endpoint, instant, pattern, policy, rule

QQ = app(
    "qq",
    "qq.test",
    endpoint("cdn.test", Role.CDN, shared=True),
    "url:store.test/id1",
    "cidr:203.0.113.0/24 8080",
    "user_agent:QQ/",
)
BLOCK = rule("banned", "block")
ALICE = Subject(user="alice")
OPEN = rule("except", "log", "qq", users=frozenset({"alice"}))


def found(before: Policy, after: Policy, selection: Selection, *subjects: Subject, days: int = 1) -> dict[str, str]:
    each = effects(before, after, selection, subjects, NOW, NOW + timedelta(days=days))
    return {effect.endpoint: f"{effect.before} {effect.after}" for effect in each}


def test_each_kind_of_endpoint() -> None:
    before, after = policy([QQ], [BLOCK]), policy([QQ], [OPEN, BLOCK])
    assert found(before, after, Selection(("qq",)), ALICE) == {
        "domain:qq.test": "block log",
        "domain:cdn.test": "block log",
        "url:store.test/id1": "block log",
        "cidr:203.0.113.0/24": "block log",
        "user_agent:QQ/": "block log",
    }
    assert set(found(before, after, Selection(("qq",)), Subject(user="bob")).values()) == {"block block"}


def test_places_alone() -> None:
    one = rule("except", "log", "qq", hosts=(pattern("www.qq.test"),))
    before, after = policy([QQ], [BLOCK]), policy([QQ], [one, BLOCK])
    selection = Selection(("qq",), (pattern("www.qq.test"),))
    assert found(before, after, selection) == {"domain:www.qq.test": "block log"}


def test_a_page_of_what_is_blocked_whole_stays_blocked() -> None:
    """A rule for a URL is seen inside TLS alone, and the CONNECT before it is refused."""
    one = rule("except", "log", "qq", hosts=(pattern("url:qq.test/page"),))
    (effect,) = effects(
        policy([QQ], [BLOCK]),
        policy([QQ], [one, BLOCK]),
        Selection(("qq",), (pattern("url:qq.test/page"),)),
        [],
        NOW,
        NOW + timedelta(days=1),
    )
    assert not effect.opened
    assert obstacle(effect) == "rule banned still blocks it, at connect"


def test_monitor_shows_what_enforcing_would() -> None:
    before, after = (policy([QQ], rules, mode=Mode.MONITOR) for rules in ([BLOCK], [OPEN, BLOCK]))
    assert found(before, after, Selection(("qq",)), ALICE)["domain:qq.test"] == "block log"


def test_what_is_opened_later_is_opened() -> None:
    """What passes until an order comes into force is opened from then on."""
    ordered = app("qq", "qq.test", named_in=("order",))
    order = authority("order", in_force="2026-12-01")
    lawful = rule("lawful", "block", AppSelector(named_in=("order",)), authority=frozenset({State.IN_FORCE}))
    before, after = policy([ordered], [lawful], [order]), policy([ordered], [OPEN, lawful], [order])
    assert found(before, after, Selection(("qq",)), ALICE) == {"domain:qq.test": "log log"}
    (effect,) = effects(before, after, Selection(("qq",)), [ALICE], NOW, NOW + timedelta(days=30))
    assert (effect.before, effect.after, effect.at) == (Verdict.BLOCK, Verdict.LOG, instant("2026-12-01"))


def test_any_subject_counts() -> None:
    inside = rule("except", "log", "qq", users=frozenset({"alice"}))
    before, after = policy([QQ], [BLOCK]), policy([QQ], [inside, BLOCK])
    subjects = [Subject(ip_address("10.0.0.1"), "bob"), Subject(ip_address("10.0.0.1"), "alice")]
    assert found(before, after, Selection(("qq",)), *subjects)["domain:qq.test"] == "block log"


def test_what_another_app_owns_is_left_out() -> None:
    """mp.qq.test is another app's by a more specific endpoint."""
    other = app("other", "mp.qq.test")
    before, after = policy([QQ, other], [BLOCK]), policy([QQ, other], [OPEN, BLOCK])
    selection = Selection(("qq",), (pattern("host:mp.qq.test"),))
    assert found(before, after, selection, ALICE) == {}


OBSTACLES = {  # case: (rules before, words)
    "a final rule": ([rule("shut", "block", final=True), OPEN], "the final rule shut blocks it"),
    "a rule that comes first": ([rule("first", "block"), OPEN], "rule first still blocks it, at connect"),
    "it passes already": ([OPEN, rule("logged", "log")], "log already, by rule logged"),
}


@pytest.mark.parametrize(("rules", "words"), OBSTACLES.values(), ids=OBSTACLES)
def test_obstacles(rules: list, words: str) -> None:
    plain = app("qq", "qq.test")
    before = policy([plain], [each for each in rules if each is not OPEN])
    (effect,) = effects(before, policy([plain], rules), Selection(("qq",)), [ALICE], NOW, NOW + timedelta(days=1))
    assert obstacle(effect).startswith(words)
