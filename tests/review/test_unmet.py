"""Why a criterion does not hold, in words."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from embargo.core.catalogue import Role
from embargo.core.criteria import failed_criterion
from embargo.core.request import Request, Surface
from embargo.core.rules import AppSelector, Recording
from embargo.core.timeline import State, Timeline
from embargo.review.unmet import hours_of, state_of, unmet, when
from sample import app, authority, endpoint, group, instant, pattern, policy, request, rule, schedule

POLICY = policy(
    [app("alipay", "alipay.com", endpoint("cdn.example", Role.CDN, shared=True), named_in=("eo", "draft"))],
    [],
    [authority("eo", in_force="2021-02-19", revoked="2021-06-09"), authority("draft")],
)
LAB = group("lab", clients="10.20.0.0/16")
STAFF = group("staff", users="alice")
HERE = request("alipay.com")

WORDS = {  # case: (criteria, request, words)
    "from": ({"since": instant("2027-01-01")}, HERE, "wants 2027-01-01 or later; it is 2026-11-24T12:00:00Z"),
    "until": (
        {"until": instant("2026-01-01T08:00:00Z")},
        HERE,
        "wants a time before 2026-01-01T08:00:00Z; it is 2026-11-24T12:00:00Z",
    ),
    "shared": ({"shared": True}, HERE, "wants shared infrastructure; this endpoint is not"),
    "not shared": (
        {"shared": False},
        request("cdn.example"),
        "wants an endpoint that is not shared; this endpoint is shared",
    ),
    "roles": (
        {"roles": frozenset({Role.STORE, Role.CDN})},
        HERE,
        "wants the role cdn or store; this endpoint's is api",
    ),
    "surfaces": ({"surfaces": frozenset({Surface.DNS})}, HERE, "wants the surface dns; this is http"),
    "hosts": (
        {"hosts": (pattern("host:x.example"), pattern("y.example"))},
        HERE,
        "wants a name under host:x.example or domain:y.example; this is alipay.com",
    ),
    "users": (
        {"users": frozenset({"bob"})},
        request("alipay.com", user="carol"),
        "wants the user bob; the user is carol",
    ),
    "users, unknown": ({"users": frozenset({"bob"})}, HERE, "wants the user bob; the user is unknown"),
    "clients": (
        {"clients": (ip_network("10.0.0.0/8"),)},
        request("alipay.com", client="192.0.2.1"),
        "wants a client in 10.0.0.0/8; the client is 192.0.2.1",
    ),
    "groups": (
        {"groups": (LAB, STAFF)},
        HERE,
        "wants a member of lab or staff; the client is unknown, the user is unknown",
    ),
    "not_groups, a member": (
        {"not_groups": (STAFF, LAB)},
        request("alipay.com", client="10.20.0.1", user="carol"),
        "wants nobody in lab; the client is 10.20.0.1, the user is carol",
    ),
    "not_groups, unknown": (
        {"not_groups": (LAB,)},
        HERE,
        "wants somebody known not to be in lab; the client is unknown, the user is unknown",
    ),
    "authority": (
        {"authority": frozenset({State.IN_FORCE})},
        HERE,
        "wants an authority that is in-force; eo is revoked since 2021-06-09, draft is without any date",
    ),
    "authority, none names the app": (
        {"apps": AppSelector(ids=frozenset({"alipay"}), named_in=("other",)), "authority": frozenset({State.IN_FORCE})},
        HERE,
        "wants an authority that is in-force; none that counts names alipay",
    ),
    "schedule": (
        {"schedule": schedule("mon tue", "22:00-06:00", "Asia/Tokyo")},
        HERE,
        "wants Mon Tue 22:00-06:00 Asia/Tokyo; there it is Tue 21:00",
    ),
}


@pytest.mark.parametrize(("criteria", "asked", "words"), WORDS.values(), ids=WORDS)
def test_unmet(criteria: dict[str, object], asked: Request, words: str) -> None:
    [owner] = POLICY.matcher.owners(asked.names[0], asked)
    judged = rule("r", "block", **criteria)
    failed = failed_criterion(POLICY, judged, owner, asked.names[0], asked)
    assert failed is not None
    assert unmet(POLICY, judged, owner, asked.names[0], asked, failed) == words


def test_every_criterion_has_its_words() -> None:
    told = {case.split(",")[0] for case in WORDS} - {"not shared"}
    known = {
        "from",
        "until",
        "shared",
        "roles",
        "surfaces",
        "hosts",
        "users",
        "clients",
        "groups",
        "not_groups",
        "authority",
        "schedule",
    }
    assert told == known
    [owner] = POLICY.matcher.owners(HERE.names[0], HERE)
    with pytest.raises(ValueError, match="'colour' is no criterion"):
        unmet(POLICY, rule("r", "block"), owner, HERE.names[0], HERE, "colour")


def test_an_exception_that_opens_nothing() -> None:
    quiet = rule("quiet", "log", record=Recording.ANONYMOUS)
    judged = replace(POLICY, rules=(one := rule("e", "log", exception=True), quiet))
    [owner] = judged.matcher.owners(HERE.names[0], HERE)
    assert failed_criterion(judged, one, owner, HERE.names[0], HERE) == "record"
    words = "wants something to open; rule quiet lets it through anyway, and records nobody"
    assert unmet(judged, one, owner, HERE.names[0], HERE, "record") == words


STATES = {  # case: (timeline, words)
    "in a state": (authority("eo", in_force="2021-02-19", revoked="2021-06-09").timeline, "revoked since 2021-06-09"),
    "before its first date": (authority("eo", issued="2030-01-01").timeline, "without effect before 2030-01-01"),
    "no dates": (Timeline(), "without any date"),
}


@pytest.mark.parametrize(("timeline", "words"), STATES.values(), ids=STATES)
def test_state(timeline: Timeline, words: str) -> None:
    assert state_of(timeline, instant("2026-11-24")) == words


def test_when() -> None:
    assert when(instant("2026-01-01")) == "2026-01-01"
    assert when(instant("2026-01-01T08:00:00+08:00")) == "2026-01-01"
    assert when(instant("2026-01-01T08:30:00Z")) == "2026-01-01T08:30:00Z"
    assert when(None) == "never"


def test_hours() -> None:
    assert hours_of(schedule("sat", "00:00-08:00 20:00-24:00")) == "Sat 00:00-08:00, 20:00-24:00 UTC"
