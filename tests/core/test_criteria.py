"""Every criterion of a rule: when it holds, and which one is told where it does not (DESIGN 4)."""

from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network

import pytest

from embargo.core.catalogue import Role
from embargo.core.criteria import failed_criterion, opposed, selecting_authorities, without_warrant
from embargo.core.request import Request, Surface
from embargo.core.rules import Action, AppSelector, Basis, Recording, Rule, same_person
from embargo.core.timeline import State
from sample import app, authority, endpoint, group, instant, pattern, policy, request, rule, schedule

ALIPAY = app("alipay", "alipay.com", endpoint("cdn.example", Role.CDN, shared=True), named_in=("eo", "statute"))
AUTHORITIES = [
    authority("eo", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09"),
    authority("statute", in_force="2022-01-01"),
    authority("elsewhere", in_force="2000-01-01"),
]
POLICY = policy([ALIPAY], authorities=AUTHORITIES)

LAB = group("lab", clients="10.20.0.0/16 2001:db8::/32")
STAFF = group("staff", users="alice bob")
BOTH = group("both", clients="10.20.0.0/16", users="alice")
NOBODY = group("nobody")
OFFICE = schedule("tue", "09:00-17:00")
EO = AppSelector(named_in=("eo",))
IN_FORCE = frozenset({State.IN_FORCE})


def networks(text: str) -> tuple[object, ...]:
    return tuple(map(ip_network, text.split()))


HERE = request("alipay.com")
CDN = request("cdn.example")

CRITERIA = {  # case: (rule's criteria, request, criterion that fails or None)
    "none: always": ({}, HERE, None),
    "roles: the endpoint's": ({"roles": frozenset({Role.API})}, HERE, None),
    "roles: any of them": ({"roles": frozenset({Role.CDN, Role.API})}, HERE, None),
    "roles: another": ({"roles": frozenset({Role.CDN})}, HERE, "roles"),
    "roles: of the endpoint that owns the name": ({"roles": frozenset({Role.CDN})}, CDN, None),
    "shared: it is": ({"shared": True}, CDN, None),
    "shared: it is not": ({"shared": True}, HERE, "shared"),
    "shared: false wants one that is not": ({"shared": False}, CDN, "shared"),
    "shared: false holds": ({"shared": False}, HERE, None),
    "surfaces: this one": ({"surfaces": frozenset({Surface.HTTP, Surface.DNS})}, HERE, None),
    "surfaces: another": ({"surfaces": frozenset({Surface.DNS})}, HERE, "surfaces"),
    "hosts: the name lies under one": ({"hosts": (pattern("example.org"), pattern("alipay.com"))}, HERE, None),
    "hosts: it lies under none": ({"hosts": (pattern("pay.alipay.com"),)}, HERE, "hosts"),
    "hosts: a host alone": ({"hosts": (pattern("host:alipay.com"),)}, request("www.alipay.com"), "hosts"),
    "hosts: a url": ({"hosts": (pattern("url:alipay.com/pay/*"),)}, request("alipay.com", target="/pay/x"), None),
    "hosts: a url, another path": (
        {"hosts": (pattern("url:alipay.com/pay/*"),)},
        request("alipay.com", target="/"),
        "hosts",
    ),
    "hosts: a url where none is seen": ({"hosts": (pattern("url:alipay.com/pay/*"),)}, HERE, "hosts"),
    "users: one of them": ({"users": frozenset({"alice", "bob"})}, request("alipay.com", user="bob"), None),
    "users: another": ({"users": frozenset({"alice"})}, request("alipay.com", user="carol"), "users"),
    "users: case counts": ({"users": frozenset({"alice"})}, request("alipay.com", user="Alice"), "users"),
    "users: unknown": ({"users": frozenset({"alice"})}, HERE, "users"),
    "clients: inside": ({"clients": networks("10.0.0.0/8")}, request("alipay.com", client="10.1.2.3"), None),
    "clients: any of them": (
        {"clients": networks("192.0.2.0/24 10.0.0.0/8")},
        request("alipay.com", client="10.1.2.3"),
        None,
    ),
    "clients: outside": ({"clients": networks("10.0.0.0/8")}, request("alipay.com", client="192.0.2.1"), "clients"),
    "clients: IPv6": ({"clients": networks("2001:db8::/32")}, request("alipay.com", client="2001:db8::1"), None),
    "clients: another family": (
        {"clients": networks("0.0.0.0/0")},
        request("alipay.com", client="2001:db8::1"),
        "clients",
    ),
    "clients: unknown": ({"clients": networks("0.0.0.0/0")}, HERE, "clients"),
    "groups: a member by client": ({"groups": (LAB,)}, request("alipay.com", client="10.20.1.1"), None),
    "groups: a member by IPv6 client": ({"groups": (LAB,)}, request("alipay.com", client="2001:db8::1"), None),
    "groups: a member by user": ({"groups": (STAFF,)}, request("alipay.com", user="bob"), None),
    "groups: a member of either": (
        {"groups": (LAB, STAFF)},
        request("alipay.com", client="192.0.2.1", user="bob"),
        None,
    ),
    "groups: by user though the client is outside": (
        {"groups": (BOTH,)},
        request("alipay.com", client="192.0.2.1", user="alice"),
        None,
    ),
    "groups: by client though the user is unknown": (
        {"groups": (BOTH,)},
        request("alipay.com", client="10.20.1.1"),
        None,
    ),
    "groups: no member": ({"groups": (LAB, STAFF)}, request("alipay.com", client="192.0.2.1", user="carol"), "groups"),
    "groups: who is unknown is in none": ({"groups": (LAB, STAFF)}, HERE, "groups"),
    "groups: an empty group has no member": (
        {"groups": (NOBODY,)},
        request("alipay.com", client="10.20.1.1", user="alice"),
        "groups",
    ),
    "not_groups: no member": ({"not_groups": (LAB,)}, request("alipay.com", client="192.0.2.1"), None),
    "not_groups: a member": ({"not_groups": (LAB,)}, request("alipay.com", client="10.20.1.1"), "not_groups"),
    "not_groups: a member of one of two": (
        {"not_groups": (LAB, STAFF)},
        request("alipay.com", client="192.0.2.1", user="bob"),
        "not_groups",
    ),
    "not_groups: an unknown client does not satisfy it": ({"not_groups": (LAB,)}, HERE, "not_groups"),
    "not_groups: an unknown user does not satisfy it": (
        {"not_groups": (STAFF,)},
        request("alipay.com", client="192.0.2.1"),
        "not_groups",
    ),
    "not_groups: a group of clients asks for no user": (
        {"not_groups": (LAB,)},
        request("alipay.com", client="192.0.2.1"),
        None,
    ),
    "not_groups: a group of users asks for no client": (
        {"not_groups": (STAFF,)},
        request("alipay.com", user="carol"),
        None,
    ),
    "not_groups: the client is outside, the user unknown": (
        {"not_groups": (BOTH,)},
        request("alipay.com", client="192.0.2.1"),
        "not_groups",
    ),
    "not_groups: both known and outside": (
        {"not_groups": (BOTH,)},
        request("alipay.com", client="192.0.2.1", user="carol"),
        None,
    ),
    "not_groups: an empty group": ({"not_groups": (NOBODY,)}, HERE, None),
    "from: its first instant": (
        {"since": instant("2026-01-01")},
        request("alipay.com", time=instant("2026-01-01")),
        None,
    ),
    "from: just before": (
        {"since": instant("2026-01-01")},
        request("alipay.com", time=instant("2025-12-31T23:59:59.999999Z")),
        "from",
    ),
    "until: its last instant": (
        {"until": instant("2026-01-01")},
        request("alipay.com", time=instant("2025-12-31T23:59:59.999999Z")),
        None,
    ),
    "until: it no longer counts": (
        {"until": instant("2026-01-01")},
        request("alipay.com", time=instant("2026-01-01")),
        "until",
    ),
    "schedule: inside": ({"schedule": OFFICE}, request("alipay.com", time=instant("2026-11-24T09:00:00Z")), None),
    "schedule: outside": (
        {"schedule": OFFICE},
        request("alipay.com", time=instant("2026-11-24T17:00:00Z")),
        "schedule",
    ),
    "authority: no named_in, any that names the app": (
        {"authority": IN_FORCE},
        request("alipay.com", time=instant("2023-01-01")),
        None,
    ),
    "authority: none that names the app is in that state": (
        {"authority": IN_FORCE},
        request("alipay.com", time=instant("2021-07-01")),
        "authority",
    ),
    "authority: one that does not name the app never counts": (
        {"authority": IN_FORCE},
        request("alipay.com", time=instant("2010-01-01")),
        "authority",
    ),
    "authority: own named_in, in that state": (
        {"apps": EO, "authority": IN_FORCE},
        request("alipay.com", time=instant("2021-02-19")),
        None,
    ),
    "authority: own named_in, its last instant": (
        {"apps": EO, "authority": IN_FORCE},
        request("alipay.com", time=instant("2021-06-08T23:59:59Z")),
        None,
    ),
    "authority: own named_in, over": (
        {"apps": EO, "authority": IN_FORCE},
        request("alipay.com", time=instant("2021-06-09")),
        "authority",
    ),
    "authority: own named_in, another in that state does not count": (
        {"apps": EO, "authority": IN_FORCE},
        request("alipay.com", time=instant("2023-01-01")),
        "authority",
    ),
    "authority: before its first date it has no state": (
        {"apps": EO, "authority": frozenset(State)},
        request("alipay.com", time=instant("2021-01-04")),
        "authority",
    ),
    "authority: any of the states": (
        {"apps": EO, "authority": frozenset({State.ISSUED, State.REVOKED})},
        request("alipay.com", time=instant("2021-01-06")),
        None,
    ),
    "all criteria must hold": (
        {"roles": frozenset({Role.API}), "users": frozenset({"alice"}), "surfaces": frozenset({Surface.DNS})},
        request("alipay.com", user="alice"),
        "surfaces",
    ),
}


@pytest.mark.parametrize(("criteria", "asked", "failed"), CRITERIA.values(), ids=CRITERIA)
def test_failed_criterion(criteria: dict[str, object], asked: Request, failed: str | None) -> None:
    [owner] = POLICY.matcher.owners(asked.names[0], asked)
    assert failed_criterion(POLICY, rule("r", "block", **criteria), owner, asked.names[0], asked) == failed


SELECTING = {  # case: (rule's apps, authorities)
    "no named_in: all that name the app": (AppSelector(all=True), ["eo", "statute"]),
    "by id: all that name the app": (AppSelector(ids=frozenset({"alipay"})), ["eo", "statute"]),
    "its own named_in": (AppSelector(named_in=("statute",)), ["statute"]),
    "of its own, only those that name the app": (AppSelector(named_in=("elsewhere", "eo")), ["eo"]),
}


@pytest.mark.parametrize(("apps", "identifiers"), SELECTING.values(), ids=SELECTING)
def test_selecting_authorities(apps: AppSelector, identifiers: list[str]) -> None:
    selecting: Rule = rule("r", "block", apps)
    assert [each.id for each in selecting_authorities(POLICY, selecting, ALIPAY)] == identifiers


SELECTORS = {  # case: (selector, selected)
    "all": (AppSelector(all=True), True),
    "its id": (AppSelector(ids=frozenset({"x", "alipay"})), True),
    "another id": (AppSelector(ids=frozenset({"x"})), False),
    "its vendor": (AppSelector(vendors=frozenset({"Ant Group"})), True),
    "another vendor": (AppSelector(vendors=frozenset({"Tencent"})), False),
    "an authority that names it": (AppSelector(named_in=("x", "eo")), True),
    "an authority that does not": (AppSelector(named_in=("x",)), False),
    "nothing": (AppSelector(), False),
}


@pytest.mark.parametrize(("selector", "selected"), SELECTORS.values(), ids=SELECTORS)
def test_selector(selector: AppSelector, selected: bool) -> None:
    assert selector.selects(app("alipay", "alipay.com", vendor="Ant Group", named_in=("eo",))) is selected


def test_no_vendor_is_nobodys() -> None:
    assert not AppSelector(vendors=frozenset({"Ant Group"})).selects(app("x", "x.example"))


WHOLE = {"author": "ann", "approved_by": "ben", "ticket": "T-1", "basis": Basis.COUNSEL}
IN_2021 = instant("2021-03-01")
EXCEPTIONS = {  # case: (members of the exception, bound by, instant, criterion that fails, what it lacks)
    "all that an order asks for": (WHOLE, {"eo"}, IN_2021, None, ()),
    "no basis": (WHOLE | {"basis": None}, {"eo"}, IN_2021, "basis", ("a basis",)),
    "no ticket": (WHOLE | {"ticket": None}, {"eo"}, IN_2021, "basis", ("a ticket",)),
    "no approver": (WHOLE | {"approved_by": None}, {"eo"}, IN_2021, "basis", ("an approver other than the author",)),
    "the author approves": (
        WHOLE | {"approved_by": " Ann"}, {"eo"}, IN_2021, "basis", ("an approver other than the author",),
    ),
    "nobody knows who wrote it": (WHOLE | {"author": None}, {"eo"}, IN_2021, "basis", ("an author",)),
    "the order is not in force yet": ({}, {"eo"}, instant("2021-02-18"), None, None),
    "the order is revoked": ({}, {"eo"}, instant("2021-06-09"), None, None),
    "the order does not bind": ({}, {"elsewhere"}, IN_2021, None, None),
    "one of two orders is in force": ({}, {"eo", "statute"}, IN_2021, "basis", None),
    "it blocks": ({"action": Action.BLOCK}, {"eo"}, IN_2021, None, None),
    "it is no exception": ({"exception": False}, {"eo"}, IN_2021, None, None),
    "it is for another": ({"users": frozenset({"zoe"})}, {"eo"}, IN_2021, "users", None),
}  # fmt: skip


@pytest.mark.parametrize(("members", "bound", "time", "failed", "lacks"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_exceptions_from_orders(
    members: dict[str, object], bound: set[str], time: datetime, failed: str | None, lacks: tuple[str, ...] | None
) -> None:
    judged = policy([ALIPAY], authorities=AUTHORITIES, bound_by=frozenset(bound))
    rest = {key: value for key, value in members.items() if key != "action"}
    one = rule("e", str(members.get("action", "log")), **{"exception": True, **rest})
    asked = request("alipay.com", time=time)
    (owner,) = judged.matcher.owners(asked.names[0], asked)
    assert failed_criterion(judged, one, owner, asked.names[0], asked) == failed
    if lacks is not None:
        assert one.lacks == lacks
    void = without_warrant(judged, one, time)
    assert void != () or failed != "basis"
    assert void == () or failed is not None
    if failed == "basis":
        assert void == (("alipay", ("eo",)),)
        assert opposed(judged, one, ALIPAY, time) == ("eo",)


QUIET = rule("quiet", "log", record=Recording.ANONYMOUS)
ANYWAY = {  # case: (members of the exception, rules beneath it, criterion that fails)
    "an anonymous rule lets it through anyway": ({}, [QUIET, rule("ban", "block")], "record"),
    "it allows what that logs": ({"action": Action.ALLOW}, [QUIET], "record"),
    "it notes only what it would do": ({"shadow": True}, [QUIET], "record"),
    "a full rule lets it through anyway": ({}, [rule("open", "log"), QUIET], None),
    "it opens what is blocked": ({}, [rule("ban", "block"), QUIET], None),
    "it opens what is blocked anonymously": ({}, [replace(QUIET, action=Action.BLOCK)], None),
    "the default lets it through": ({}, [], None),
    "the anonymous rule is for others": ({}, [replace(QUIET, users=frozenset({"zoe"})), rule("ban", "block")], None),
    "the anonymous rule is for another app": ({}, [rule("q", "log", "qq", record=Recording.ANONYMOUS)], None),
    "the anonymous rule is off": ({}, [replace(QUIET, enabled=False)], None),
    "the anonymous rule is on trial": ({}, [replace(QUIET, shadow=True), rule("ban", "block")], None),
    "the anonymous rule is an exception": ({}, [replace(QUIET, exception=True), rule("ban", "block")], None),
    "the anonymous rule is final": ({}, [replace(QUIET, final=True)], "record"),
    "it blocks": ({"action": Action.BLOCK}, [QUIET], None),
    "it is no exception": ({"exception": False}, [QUIET], None),
    "it is for another": ({"users": frozenset({"zoe"})}, [QUIET], "users"),
}


@pytest.mark.parametrize(("members", "beneath", "failed"), ANYWAY.values(), ids=ANYWAY)
def test_exceptions_put_nobody_on_record_for_nothing(
    members: dict[str, object], beneath: list[Rule], failed: str | None
) -> None:
    one = replace(rule("e", "log", exception=True), **members)
    judged = policy([ALIPAY], [one, *beneath])
    asked = request("alipay.com", time=IN_2021)
    (owner,) = judged.matcher.owners(asked.names[0], asked)
    assert failed_criterion(judged, one, owner, asked.names[0], asked) == failed


@pytest.mark.parametrize("name", [" ann  lee ", "ANN LEE", "Ann\u200b Lee", "\uff21nn\u00a0Lee", "A\u00adnn Lee\ufeff"])
def test_who_is_one_person(name: str) -> None:
    assert same_person("Ann Lee", name)


@pytest.mark.parametrize("name", ["Anne Lee", "AnnLee", "Lee Ann", ""])
def test_who_is_another(name: str) -> None:
    assert not same_person("Ann Lee", name)
