"""An explanation tells what `decide` did, and why (DESIGN 8)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embargo.core.catalogue import Role
from embargo.core.decision import Verdict
from embargo.core.inquiry import Inquiry, answer
from embargo.core.request import Surface
from embargo.core.rules import AppSelector, Basis, Decrypt, Mode, Policy, Recording, Respond
from embargo.core.timeline import State
from embargo.review.account import account
from embargo.review.explain import explain
from sample import NOW, app, authority, endpoint, group, instant, policy, rule
from strategies import HOSTS, policies

ALIPAY = app(
    "alipay",
    "alipay.com",
    "host:mobilegw.alipay.com",
    endpoint("cdn.example", Role.CDN, shared=True),
    named_in=("eo-13971",),
)
EO = authority("eo-13971", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09")
BANNED = replace(
    rule("banned-apps", "block", AppSelector(named_in=("eo-13971",)), reason="company policy"),
    layer="domains.yaml",
    line=41,
)
EXCEPTION = rule("except-1", "log", exception=True, author="ann", approved_by="ben", ticket="T-1", basis=Basis.COUNSEL)
SHARED = rule("shared-infrastructure", "log", shared=True, record=Recording.ANONYMOUS)
POLICY = policy([ALIPAY], [SHARED, BANNED], [EO])


def inquiry(request: str, **given: object) -> Inquiry:
    return Inquiry(request=request, time=NOW, **given)  # type: ignore[arg-type]


def test_the_example_of_the_design() -> None:
    assert explain(POLICY, inquiry("https://mobilegw.alipay.com/mgw.htm")).document() == {
        "request": "https://mobilegw.alipay.com/mgw.htm",
        "verdict": "block",
        "apps": ["alipay"],
        "endpoint": "host:mobilegw.alipay.com",
        "role": "api",
        "shared": False,
        "rule": "banned-apps",
        "reason": "rule banned-apps (domains.yaml:41) blocks Alipay: company policy",
        "authorities": [{"id": "eo-13971", "state": "revoked"}],
        "against": [],
        "surface": "connect",
        "status": 403,
        "names": ["mobilegw.alipay.com"],
        "would": None,
    }


def test_members_come_in_the_order_of_the_design() -> None:
    members = [
        "request",
        "verdict",
        "apps",
        "endpoint",
        "role",
        "shared",
        "rule",
        "reason",
        "authorities",
        "against",
        "surface",
        "status",
        "names",
        "would",
    ]
    assert list(explain(POLICY, inquiry("alipay.com")).document()) == members
    assert list(explain(POLICY, inquiry("a..b")).document()) == [*members, "error"]


DOCUMENTS = {  # case: (policy, inquiry, members that are told)
    "no owner": (
        POLICY,
        inquiry("example.org"),
        {
            "verdict": "pass",
            "apps": [],
            "endpoint": None,
            "role": None,
            "shared": None,
            "rule": None,
            "reason": "no app owns it",
            "authorities": [],
            "surface": "http",
            "status": None,
            "names": ["example.org"],
        },
    ),
    "shared infrastructure": (
        POLICY,
        inquiry("https://x.cdn.example/"),
        {
            "verdict": "log",
            "endpoint": "domain:cdn.example",
            "role": "cdn",
            "shared": True,
            "rule": "shared-infrastructure",
            "status": None,
        },
    ),
    "the default": (
        policy([ALIPAY]),
        inquiry("alipay.com"),
        {
            "verdict": "log",
            "rule": "default",
            "reason": "no rule holds for Alipay, so the default logs it",
        },
    ),
    "an order that binds and is in force": (
        policy([ALIPAY], [BANNED], [EO], bound_by=frozenset({"eo-13971"})),
        Inquiry(request="alipay.com", time=instant("2021-03-01")),
        {"verdict": "block", "status": 451, "authorities": [{"id": "eo-13971", "state": "in-force"}]},
    ),
    "an exception from an order in force": (
        policy([ALIPAY], [EXCEPTION, BANNED], [EO], bound_by=frozenset({"eo-13971"})),
        Inquiry(request="alipay.com", time=instant("2021-03-01")),
        {"verdict": "log", "rule": "except-1", "against": ["eo-13971"]},
    ),
    "an exception from an order in force, without its basis": (
        policy([ALIPAY], [replace(EXCEPTION, basis=None), BANNED], [EO], bound_by=frozenset({"eo-13971"})),
        Inquiry(request="alipay.com", time=instant("2021-03-01")),
        {"verdict": "block", "rule": "banned-apps", "against": [], "status": 451},
    ),
    "an order before its first date": (
        POLICY,
        Inquiry(request="alipay.com", time=instant("2020-01-01")),
        {"authorities": [{"id": "eo-13971", "state": None}]},
    ),
    "monitor": (
        policy([ALIPAY], [BANNED], [EO], mode=Mode.MONITOR),
        inquiry("alipay.com"),
        {
            "verdict": "log",
            "would": "block",
            "status": None,
            "surface": "connect",
            "reason": "rule banned-apps (domains.yaml:41) blocks Alipay: company policy; "
            "the policy is in monitor mode, so it is only logged",
        },
    ),
    "a shadow rule": (
        policy([ALIPAY], [rule("s", "block", shadow=True), rule("l", "log")]),
        inquiry("alipay.com"),
        {
            "verdict": "log",
            "rule": "l",
            "would": "block",
            "reason": "rule l logs Alipay; the shadow rule s would block it",
        },
    ),
    "tied apps": (
        policy([ALIPAY, app("twin", "alipay.com")], [rule("r", "block")]),
        inquiry("alipay.com"),
        {
            "apps": ["alipay", "twin"],
            "reason": "rule r blocks Alipay and Twin",
        },
    ),
    "malformed": (
        POLICY,
        inquiry("https://a..b/"),
        {
            "verdict": "block",
            "apps": [],
            "rule": None,
            "surface": "connect",
            "names": ["a..b"],
            "error": "'a..b' is no host",
            "reason": "'a..b' is no host, so it is refused",
        },
    ),
    "a scheme that no proxy sees": (
        POLICY,
        inquiry("ftp://alipay.com/"),
        {
            "verdict": "block",
            "apps": [],
            "surface": None,
            "names": [],
            "status": None,
            "error": "'ftp' is no scheme that a proxy is asked for; use one of http, https, ws, wss",
        },
    ),
    "one surface alone": (
        POLICY,
        inquiry("alipay.com", surface=Surface.DNS),
        {"verdict": "block", "surface": "dns", "status": None},
    ),
    "another spelling": (
        POLICY,
        inquiry("ＡＬＩＰＡＹ。com."),
        {"request": "ＡＬＩＰＡＹ。com.", "verdict": "block", "names": ["alipay.com"]},
    ),
    "an address": (POLICY, inquiry("0xcb007109"), {"verdict": "pass", "names": ["203.0.113.9"]}),
}


@pytest.mark.parametrize(("judged", "asked", "members"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_document(judged: Policy, asked: Inquiry, members: dict[str, object]) -> None:
    document = explain(judged, asked).document()
    assert {member: document[member] for member in members} == members


def blocked(*respond: Respond, **settings: object) -> Policy:
    return policy([ALIPAY], [rule("r", "block", respond=respond)], **settings)


GETS = {  # case: (policy, surface, what a client gets, HTTP status)
    "connect": (blocked(), "connect", "HTTP 403 at CONNECT; browsers see the block page", 403),
    "connect, nothing is decrypted": (blocked(decrypt=Decrypt.NONE), "connect", "HTTP 403 at CONNECT", 403),
    "connect, reset": (blocked(Respond.RESET), "connect", "no answer: the connection is closed", None),
    "http": (blocked(), "http", "HTTP 403; browsers see the block page, other clients a problem document", 403),
    "http, what fits dns alone": (
        blocked(Respond.NXDOMAIN),
        "http",
        "HTTP 403; browsers see the block page, other clients a problem document",
        403,
    ),
    "http, the first that fits": (
        blocked(Respond.NXDOMAIN, Respond.RESET),
        "http",
        "no answer: the connection is closed",
        None,
    ),
    "websocket": (
        blocked(),
        "websocket",
        "HTTP 403; browsers see the block page, other clients a problem document",
        403,
    ),
    "tls": (blocked(), "tls", "a TLS alert (access_denied), then the connection is closed", None),
    "dns": (blocked(), "dns", "DNS NXDOMAIN, with an extended error where the query carried EDNS", None),
    "dns, refused": (
        blocked(Respond.PAGE, Respond.REFUSED),
        "dns",
        "DNS REFUSED, with an extended error where the query carried EDNS",
        None,
    ),
    "dns, a null address": (
        blocked(Respond.NULL_ADDRESS),
        "dns",
        "the DNS answer 0.0.0.0 or ::, with an extended error where the query carried EDNS",
        None,
    ),
    "quic": (blocked(), "quic", "a CONNECTION_CLOSE, so that the client turns to TCP; no datagram goes upstream", None),
    "tcp": (blocked(), "tcp", "the connection is closed", None),
    "udp": (blocked(), "udp", "no answer: datagrams are dropped", None),
    "server": (blocked(), "server", "no upstream connection is opened", None),
    "logged": (policy([ALIPAY]), "http", "what it asked for; recorded with client and user", None),
    "logged without saying who": (
        policy([ALIPAY], [rule("r", "log", record=Recording.ANONYMOUS)]),
        "http",
        "what it asked for; recorded without client, user and path",
        None,
    ),
    "passed": (policy([app("x", "x.example")]), "http", "what it asked for; nothing is recorded", None),
}


@pytest.mark.parametrize(("judged", "surface", "gets", "status"), GETS.values(), ids=GETS)
def test_what_a_client_gets(judged: Policy, surface: str, gets: str, status: int | None) -> None:
    found = explain(judged, inquiry("alipay.com", surface=Surface(surface)))
    assert (found.gets, found.status) == (gets, status)


def test_the_rules_asked_in_order() -> None:
    lab = group("lab", clients="10.0.0.0/8")
    rules = [rule("lab", "allow", groups=(lab,)), rule("watch", "log", shadow=True), BANNED, rule("never", "log")]
    [judged] = explain(policy([ALIPAY], rules, [EO]), inquiry("alipay.com")).names
    [ownership] = judged.owners
    assert [(asked.rule.id, asked.failed, asked.why) for asked in ownership.asked] == [
        ("lab", "groups", "wants a member of lab; the client is unknown, the user is unknown"),
        ("watch", None, None),
        ("banned-apps", None, None),
    ]
    assert (str(ownership.owner.endpoint), ownership.app) == ("domain:alipay.com", ALIPAY)


def test_an_owner_behind_the_one_that_decides_is_not_asked() -> None:
    apps = [app("qq", "qq.com"), app("wechat", "weixin.qq.com"), app("unruled", "host:mp.weixin.qq.com")]
    judged = policy(apps, [rule("w", "log", "wechat"), rule("q", "block", "qq")])
    [name] = explain(judged, inquiry("mp.weixin.qq.com")).names
    assert [(each.app.id, [asked.rule.id for asked in each.asked]) for each in name.owners] == [
        ("unruled", []),
        ("wechat", ["w"]),
        ("qq", []),
    ]


def test_each_name_once() -> None:
    found = explain(POLICY, inquiry("https://alipay.com/", surface=Surface.HTTP))
    assert found.request is not None
    assert len(found.request.names) == 3
    assert [name.name.text for name in found.names] == ["alipay.com"]


def test_the_reason_says_what_the_law_spared() -> None:
    rules = [
        rule("law-in-force", "block", AppSelector(named_in=("eo-13971",)), authority=frozenset({State.IN_FORCE})),
        rule("no-law", "log"),
    ]
    judged = policy([ALIPAY], rules, [EO])
    assert explain(judged, replace(inquiry("alipay.com"), time=instant("2021-07-01"))).reason == (
        "rule no-law logs Alipay; rule law-in-force does not block it, since it wants an authority that is in-force; "
        "eo-13971 is revoked since 2021-06-09"
    )
    assert explain(judged, replace(inquiry("alipay.com"), time=instant("2021-03-01"))).verdict is Verdict.BLOCK


def test_standings() -> None:
    [standing] = explain(POLICY, inquiry("alipay.com")).standings
    assert (standing.text, standing.since) == ("revoked since 2021-06-09", instant("2021-06-09"))


ACCOUNTS = {  # case: (policy, request, lines that are among those told)
    "blocked": (
        POLICY,
        "https://mobilegw.alipay.com/mgw.htm",
        [
            ("why", "rule banned-apps (domains.yaml:41) blocks Alipay: company policy"),
            ("app", "alipay: Alipay"),
            ("endpoint", "host:mobilegw.alipay.com, role api"),
            ("rule", "banned-apps domains.yaml:41"),
            ("authority", "eo-13971: EO-13971, revoked since 2021-06-09"),
            ("surface", "connect"),
            ("names", "mobilegw.alipay.com (connect)"),
            ("client gets", "HTTP 403 at CONNECT; browsers see the block page"),
            ("asked", "shared-infrastructure: shared fails, wants shared infrastructure; this endpoint is not"),
            ("asked", "banned-apps: holds, block"),
        ],
    ),
    "shared": (POLICY, "cdn.example", [("endpoint", "domain:cdn.example, role cdn, shared with others")]),
    "the default": (policy([ALIPAY]), "alipay.com", [("rule", "default (settings.default)")]),
    "two owners": (
        policy(
            [app("qq", "qq.com"), app("wechat", "weixin.qq.com")],
            [rule("w", "log", "wechat"), rule("q", "block", "qq")],
        ),
        "weixin.qq.com",
        [
            ("owner", "wechat by domain:weixin.qq.com, role api"),
            ("owner", "qq by domain:qq.com, role api"),
            ("asked", "w: holds, log"),
        ],
    ),
    "a shadow rule": (
        policy([ALIPAY], [rule("s", "block", shadow=True)]),
        "alipay.com",
        [
            ("would", "block (shadow rule s)"),
            ("asked", "s (shadow): holds, block"),
        ],
    ),
    "monitor": (
        policy([ALIPAY], [rule("r", "block")], mode=Mode.MONITOR),
        "alipay.com",
        [("would", "block (enforce in place of monitor)")],
    ),
    "who approved it": (
        policy([ALIPAY], [rule("r", "log", ticket="LEG-7", approved_by="Counsel")]),
        "alipay.com",
        [
            ("ticket", "LEG-7"),
            ("approved by", "Counsel"),
        ],
    ),
    "malformed": (POLICY, "a..b", [("why", "'a..b' is no host, so it is refused"), ("names", "a..b (connect)")]),
    "no scheme that a proxy sees": (
        POLICY,
        "ftp://x/",
        [("why", "'ftp' is no scheme that a proxy is asked for; use one of http, https, ws, wss")],
    ),
}


@pytest.mark.parametrize(("judged", "asked", "lines"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_account(judged: Policy, asked: str, lines: list[tuple[str, str]]) -> None:
    told = account(explain(judged, inquiry(asked)))
    assert [line for line in lines if line not in told] == []


@settings(max_examples=60)
@given(policies(), st.sampled_from(HOSTS), st.sampled_from(["", "http://", "https://"]))
def test_an_explanation_says_what_was_decided(judged: Policy, host: str, scheme: str) -> None:
    """The explanation's verdict is the answer's, and the rules it tells lead to that verdict by themselves."""
    asked = inquiry(f"{scheme}{host}/p/q")
    found, decision = explain(judged, asked), answer(judged, asked).decision
    assert found.decision == decision
    assert found.verdict is decision.verdict
    held = {
        each.rule.id
        for name in found.names
        for own in name.owners
        for each in own.asked
        if each.holds and not each.rule.shadow
    }
    if decision.rule is not None:
        assert decision.rule.id in held
    elif decision.verdict is not Verdict.PASS:
        assert held == set()


def test_an_exception_that_does_not_hold_says_what_it_lacks() -> None:
    judged = policy(
        [ALIPAY], [replace(EXCEPTION, basis=None, ticket=None), BANNED], [EO], bound_by=frozenset({"eo-13971"})
    )
    found = dict(reversed(account(explain(judged, Inquiry(request="alipay.com", time=instant("2021-03-01"))))))
    assert found["asked"] == (
        "except-1: basis fails, wants a basis, a ticket; eo-13971 is in force and binds this organization"
    )


def test_an_exception_says_against_what_it_stands() -> None:
    judged = policy([ALIPAY], [EXCEPTION, BANNED], [EO], bound_by=frozenset({"eo-13971"}))
    found = dict(account(explain(judged, Inquiry(request="alipay.com", time=instant("2021-03-01")))))
    assert found["against"] == "eo-13971: in force, and binding on this organization"
    assert (found["author"], found["basis"], found["approved by"]) == ("ann", "counsel", "ben")
