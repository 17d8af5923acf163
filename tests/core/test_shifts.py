"""From situations that change to few words: nothing left out, nothing added."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core import shifts as module
from embargo.core.askers import askers
from embargo.core.catalogue import Role
from embargo.core.decision import Verdict
from embargo.core.shifts import Changed, Shift, kind_words, listed, shifts, together, who_words
from embargo.core.situations import situations
from sample import app, endpoint, group, policy, rule

GROUPS = [group("research", "10.20.0.0/16", "alice"), group("staff", "10.0.0.0/8"), group("guests", "192.168.0.0/16")]
EVERYBODY = {str(asker): asker for asker in askers([[rule("r", "log", groups=tuple(GROUPS))]]).each}

WHO = {  # those whose verdict changes: in words
    "whoever no rule names, research, staff, guests, research and staff, research and guests": "",
    "research, research and staff, research and guests": "research",
    "guests, staff, research and guests, research and staff": "staff, guests",
    "whoever no rule names, staff, guests": "all but research",
    "staff": "staff but not research",
    "staff, research and staff": "staff",
    "whoever no rule names": "whoever no rule names",
    "whoever no rule names, research": "all but staff and guests",
    "whoever no rule names, staff": "all but research and guests",
    "research": "research but not staff or guests",
    "staff, research": "research but not staff or guests, staff but not research",
}


@pytest.mark.parametrize(("names", "words"), WHO.items(), ids=WHO)
def test_who(names: str, words: str) -> None:
    assert who_words({EVERYBODY[name] for name in names.split(", ")}, list(EVERYBODY.values())) == words


API, WEB, STORE, SHARED_API, CDN = KINDS = (
    (Role.API, False),
    (Role.WEB, False),
    (Role.STORE, False),
    (Role.API, True),
    (Role.CDN, True),
)
WHAT = {  # in words: kinds
    "": KINDS,
    "what is shared": (SHARED_API, CDN),
    "what is not shared": (API, WEB, STORE),
    "web": (WEB,),
    "api": (API, SHARED_API),
    "api, web": (API, WEB),
    "all but web": (API, STORE, SHARED_API, CDN),
    "shared api": (SHARED_API,),
}


@pytest.mark.parametrize(("words", "kinds"), WHAT.items(), ids=WHAT)
def test_what(words: str, kinds: tuple[tuple[Role, bool], ...]) -> None:
    assert kind_words(kinds, KINDS) == words


def test_two_kinds_that_are_left_out_are_not_taken_for_one() -> None:
    own = [(role, False) for role in (Role.API, Role.WEB, Role.MESSAGING)]
    assert kind_words(own, [*own, STORE, SHARED_API, CDN]) == "neither shared nor store"
    assert kind_words([*own, SHARED_API], [*own, SHARED_API, CDN, STORE]) == "all but cdn and store"


def test_long_lists_are_cut() -> None:
    assert listed([]) == ""
    assert listed(list("abcde")) == "a, b, c, d, e"
    assert listed(list("abcdef")) == "a, b, c, d and 2 more"


def test_what_changes_alike_is_one_shift() -> None:
    own = app("tiktok", "tiktok.com", endpoint("cdn.test", Role.CDN, shared=True))
    whole = situations([policy([own], [rule("r", "log", groups=tuple(GROUPS[:1]))])], "tiktok")
    changed = [Changed(each, frozenset(), Verdict.LOG, Verdict.BLOCK) for each in whole.each if not each.shared]
    [shift] = shifts(changed, whole, lambda held: "")
    assert str(shift) == "tiktok (what is not shared) goes from log to block"


def shift(*apps: str, who: str = "", before: str = "LOG", after: str = "BLOCK") -> Shift:
    return Shift(apps=apps, what="", who=who, hours="", before=Verdict[before], after=Verdict[after])


def test_apps_that_shift_alike_are_told_together() -> None:
    found = together(
        [shift("wechat"), shift("alipay", before="BLOCK", after="LOG"), shift("alipay"), shift("a", who="x")]
    )
    assert list(map(str, found)) == [
        "a for x goes from log to block",
        "alipay, wechat go from log to block",
        "alipay goes from block to log",
    ]


@given(st.sets(st.tuples(*[st.integers(0, 2)] * 5), max_size=40))
def test_boxes_hold_the_points_and_nothing_else(points: set[tuple[int, ...]]) -> None:
    boxes = module._boxes({tuple(frozenset((value,)) for value in point) for point in points})
    held = [point for box in boxes for point in product(*box)]
    assert sorted(held) == sorted(points)
