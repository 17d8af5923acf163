"""The verdict on a request: rules, owners, names, modes (DESIGN 5)."""

import pytest

from embargo.core.catalogue import App, Role
from embargo.core.decide import decide, monitored
from embargo.core.decision import PASS, Decision, Reason, Verdict
from embargo.core.request import Request
from embargo.core.rules import Action, AppSelector, Mode, Policy, Recording, Respond, Rule
from embargo.core.timeline import State
from sample import app, authority, endpoint, instant, policy, request, rule

QQ = app("qq", "qq.com")
WECHAT = app("wechat", "weixin.qq.com")
TWIN = app("twin", "qq.com")
NAMED = app("named", "named.example", named_in=("eo",))
SHARED = app("cdn", endpoint("cdn.example", Role.CDN, shared=True), "api.example")

RULES = {  # case: (apps, rules, host, verdict, apps, rule)
    "no owner passes": ([QQ], [rule("r", "block")], "example.org", "pass", (), None),
    "first match decides": ([QQ], [rule("one", "log"), rule("two", "block")], "qq.com", "log", ("qq",), "one"),
    "a rule that does not hold is passed over": (
        [QQ],
        [rule("one", "log", shared=True), rule("two", "block")],
        "qq.com",
        "block",
        ("qq",),
        "two",
    ),
    "a disabled rule is no rule": (
        [QQ],
        [rule("one", "log", enabled=False), rule("two", "block")],
        "qq.com",
        "block",
        ("qq",),
        "two",
    ),
    "no rule holds: the default": ([QQ], [rule("r", "block", "wechat")], "qq.com", "log", ("qq",), "default"),
    "allow is a verdict": ([QQ], [rule("r", "allow")], "qq.com", "allow", ("qq",), "r"),
    "the most specific owner decides": (
        [QQ, WECHAT],
        [rule("q", "block", "qq"), rule("w", "log", "wechat")],
        "mp.weixin.qq.com",
        "log",
        ("wechat",),
        "w",
    ),
    "the most specific owner, whatever the order of rules": (
        [QQ, WECHAT],
        [rule("w", "allow", "wechat"), rule("q", "block", "qq")],
        "weixin.qq.com",
        "allow",
        ("wechat",),
        "w",
    ),
    "an app that no rule names opens nothing": (
        [QQ, WECHAT],
        [rule("q", "block", "qq")],
        "mp.weixin.qq.com",
        "block",
        ("qq",),
        "q",
    ),
    "no owner has a rule: the default, of the most specific": (
        [QQ, WECHAT],
        [rule("x", "block", "x")],
        "mp.weixin.qq.com",
        "log",
        ("wechat",),
        "default",
    ),
    "tied owners: the strictest": (
        [QQ, TWIN],
        [rule("t", "log", "twin"), rule("q", "block", "qq")],
        "qq.com",
        "block",
        ("qq",),
        "q",
    ),
    "tied owners: log before allow": (
        [QQ, TWIN],
        [rule("t", "log", "twin"), rule("q", "allow", "qq")],
        "qq.com",
        "log",
        ("twin",),
        "t",
    ),
    "tied owners that agree are both told": (
        [TWIN, QQ],
        [rule("r", "block")],
        "qq.com",
        "block",
        ("qq", "twin"),
        "r",
    ),
    "tied owners of which one has no rule": (
        [QQ, TWIN],
        [rule("t", "allow", "twin")],
        "qq.com",
        "allow",
        ("twin",),
        "t",
    ),
    "tied owners without any rule": ([QQ, TWIN], [rule("x", "block", "x")], "qq.com", "log", ("qq", "twin"), "default"),
    "each owner by its own endpoint's role": (
        [SHARED],
        [rule("c", "log", roles=frozenset({Role.CDN})), rule("b", "block")],
        "cdn.example",
        "log",
        ("cdn",),
        "c",
    ),
    "the other endpoint of that app": (
        [SHARED],
        [rule("c", "log", roles=frozenset({Role.CDN})), rule("b", "block")],
        "api.example",
        "block",
        ("cdn",),
        "b",
    ),
    "shared infrastructure": (
        [SHARED],
        [rule("s", "log", shared=True), rule("b", "block")],
        "x.cdn.example",
        "log",
        ("cdn",),
        "s",
    ),
    "an excluded name is nobody's": (
        [app("a", "a.example", exclude=["x.a.example"])],
        [rule("r", "block")],
        "x.a.example",
        "pass",
        (),
        None,
    ),
}


@pytest.mark.parametrize(("apps", "rules", "host", "verdict", "owners", "name"), RULES.values(), ids=RULES)
def test_rules(
    apps: list[App], rules: list[Rule], host: str, verdict: str, owners: tuple[str, ...], name: str | None
) -> None:
    decision = decide(policy(apps, rules), request(host))
    assert (str(decision.verdict), decision.apps, decision.rule_id) == (verdict, owners, name)


DEFAULTS = {"block": Verdict.BLOCK, "log": Verdict.LOG, "allow": Verdict.ALLOW}


@pytest.mark.parametrize(("default", "verdict"), DEFAULTS.items(), ids=DEFAULTS)
def test_default(default: str, verdict: Verdict) -> None:
    decision = decide(policy([QQ], default=Action(default)), request("qq.com"))
    assert (decision.verdict, decision.reason, decision.rule) == (verdict, Reason.DEFAULT, None)


NAMES_POLICY = policy(
    [QQ, app("tiktok", "tiktok.com"), app("free", "free.example"), app("net", "cidr:203.0.113.0/24")],
    [rule("b", "block", "qq"), rule("l", "log", "tiktok"), rule("n", "block", "net"), rule("f", "allow", "free")],
)
NAMES = {  # case: (hosts, verdict, deciding name's text, mismatch)
    "one name": (["qq.com"], "block", "qq.com", False),
    "two alike": (["qq.com", "qq.com"], "block", "qq.com", False),
    "two spellings of one": (["QQ.com.", "qq.com"], "block", "QQ.com.", False),
    "two of one owner": (["a.qq.com", "b.qq.com"], "block", "a.qq.com", False),
    "any name that is blocked blocks": (["example.org", "qq.com"], "block", "qq.com", True),
    "wherever it stands": (["qq.com", "example.org"], "block", "qq.com", True),
    "the last of five": (["a.example", "a.example", "a.example", "b.example", "qq.com"], "block", "qq.com", True),
    "the strictest of two owners": (["tiktok.com", "qq.com"], "block", "qq.com", True),
    "the strictest of two milder ones": (["free.example", "tiktok.com"], "log", "tiktok.com", True),
    "of equals, the first": (["a.qq.com", "example.org", "b.qq.com"], "block", "a.qq.com", True),
    "different names without any owner": (["a.example", "b.example"], "pass", None, False),
    "an address beside its name is no mismatch": (["qq.com", "198.51.100.1"], "block", "qq.com", False),
    "an address that is blocked": (["example.org", "203.0.113.9"], "block", "203.0.113.9", False),
    "a malformed name beside a good one is passed over": (["a..b", "example.org"], "pass", None, False),
    "a malformed name does not hide a banned one": (["a..b", "qq.com"], "block", "qq.com", False),
    "a port makes no other name": (["qq.com:443", "qq.com:8443"], "block", "qq.com:443", False),
}


@pytest.mark.parametrize(("hosts", "verdict", "name", "mismatch"), NAMES.values(), ids=NAMES)
def test_names(hosts: list[str], verdict: str, name: str | None, mismatch: bool) -> None:
    decision = decide(NAMES_POLICY, request(*hosts))
    told = decision.name.text if decision.name is not None else None
    assert (str(decision.verdict), told, decision.mismatch) == (verdict, name, mismatch)


PORTS = {  # case: (names, verdict): names that differ in their port alone are still judged each
    "the port that is limited": (["203.0.113.9:8080"], "block"),
    "another port": (["203.0.113.9:443"], "pass"),
    "first another port, then that one": (["203.0.113.9:443", "203.0.113.9:8080"], "block"),
}


@pytest.mark.parametrize(("hosts", "verdict"), PORTS.values(), ids=PORTS)
def test_names_that_differ_in_the_port(hosts: list[str], verdict: str) -> None:
    judged = policy([app("net", "cidr:203.0.113.0/24 8080")], [rule("r", "block")])
    assert str(decide(judged, request(*hosts)).verdict) == verdict


REFUSED = {  # case: (hosts, reason, words in the error)
    "malformed": (["a..b"], Reason.MALFORMED, "'a..b'"),
    "all malformed: the first is told": (["a..b", "203.0.113.9 x"], Reason.MALFORMED, "'a..b'"),
    "something behind an address": (["203.0.113.9 x"], Reason.MALFORMED, "'203.0.113.9 x'"),
    "an empty name": ([""], Reason.MALFORMED, "''"),
    "no name": ([], Reason.NAMELESS, "no name"),
}


@pytest.mark.parametrize(("hosts", "reason", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(hosts: list[str], reason: Reason, words: str) -> None:
    decision = decide(policy([QQ]), request(*hosts))
    assert (decision.verdict, decision.reason, decision.apps, decision.status) == (Verdict.BLOCK, reason, (), 403)
    assert decision.error is not None
    assert words in decision.error


@pytest.mark.parametrize(("hosts", "reason", "words"), REFUSED.values(), ids=REFUSED)
def test_monitor_refuses_nothing(hosts: list[str], reason: Reason, words: str) -> None:
    decision = decide(policy([QQ], mode=Mode.MONITOR), request(*hosts))
    assert (decision.verdict, decision.would, decision.reason) == (Verdict.LOG, Verdict.BLOCK, reason)


def test_a_long_malformed_name_is_not_told_whole() -> None:
    error = decide(policy([QQ]), request("a." * 50_000 + ".")).error
    assert error is not None
    assert len(error) < 300


MONITOR = {  # case: (rules, verdict, would)
    "a block becomes a log that says so": ([rule("r", "block")], "log", Verdict.BLOCK),
    "a log stays": ([rule("r", "log")], "log", None),
    "an allow stays": ([rule("r", "allow")], "allow", None),
    "a shadow rule is still noted": ([rule("s", "block", shadow=True), rule("r", "log")], "log", Verdict.BLOCK),
    "what enforce would do outweighs a shadow rule": (
        [rule("s", "allow", shadow=True), rule("r", "block")],
        "log",
        Verdict.BLOCK,
    ),
}


@pytest.mark.parametrize(("rules", "verdict", "would"), MONITOR.values(), ids=MONITOR)
def test_monitor(rules: list[Rule], verdict: str, would: Verdict | None) -> None:
    decision = decide(policy([QQ], rules, mode=Mode.MONITOR), request("qq.com"))
    assert (str(decision.verdict), decision.would, decision.status) == (verdict, would, None)


def test_what_monitor_holds_back_is_not_a_shadow_rules() -> None:
    rules = [rule("s", "allow", shadow=True), rule("r", "block")]
    held_back = decide(policy([QQ], rules, mode=Mode.MONITOR), request("qq.com"))
    shadowed = decide(policy([QQ], [rule("s", "block", shadow=True)]), request("qq.com"))
    assert (held_back.held_back, held_back.shadow_rule) == (True, None)
    assert (shadowed.held_back, shadowed.shadow_rule) == (False, "s")


def test_without_a_policy_a_refusal_stands() -> None:
    refused = Decision(verdict=Verdict.BLOCK, reason=Reason.NO_POLICY)
    assert monitored(None, refused) is refused


SHADOW = {  # case: (apps, rules, host, verdict, would, shadow rule)
    "notes and goes on": (
        [QQ],
        [rule("s", "block", shadow=True), rule("r", "log")],
        "qq.com",
        "log",
        Verdict.BLOCK,
        "s",
    ),
    "the first of two": (
        [QQ],
        [rule("s", "block", shadow=True), rule("t", "allow", shadow=True), rule("r", "log")],
        "qq.com",
        "log",
        Verdict.BLOCK,
        "s",
    ),
    "behind the rule that decides: not asked": (
        [QQ],
        [rule("r", "log"), rule("s", "block", shadow=True)],
        "qq.com",
        "log",
        None,
        None,
    ),
    "one that does not hold notes nothing": (
        [QQ],
        [rule("s", "block", shadow=True, shared=True), rule("r", "log")],
        "qq.com",
        "log",
        None,
        None,
    ),
    "before the default": ([QQ], [rule("s", "block", shadow=True)], "qq.com", "log", Verdict.BLOCK, "s"),
    "of a more specific owner that has no other rule": (
        [QQ, WECHAT],
        [rule("s", "block", "wechat", shadow=True), rule("q", "log", "qq")],
        "weixin.qq.com",
        "log",
        Verdict.BLOCK,
        "s",
    ),
    "of a tied owner that does not decide": (
        [QQ, TWIN],
        [rule("s", "block", "twin", shadow=True), rule("t", "allow", "twin"), rule("q", "log", "qq")],
        "qq.com",
        "log",
        Verdict.BLOCK,
        "s",
    ),
    "of tied owners, the strictest": (
        [QQ, TWIN],
        [rule("q", "allow", "qq", shadow=True), rule("t", "block", "twin", shadow=True), rule("r", "log")],
        "qq.com",
        "log",
        Verdict.BLOCK,
        "t",
    ),
    "of two owners, the more specific one's": (
        [QQ, WECHAT],
        [rule("q", "block", "qq", shadow=True), rule("w", "allow", "wechat", shadow=True)],
        "weixin.qq.com",
        "log",
        Verdict.ALLOW,
        "w",
    ),
}


@pytest.mark.parametrize(("apps", "rules", "host", "verdict", "would", "shadow"), SHADOW.values(), ids=SHADOW)
def test_shadow(
    apps: list[App], rules: list[Rule], host: str, verdict: str, would: Verdict | None, shadow: str | None
) -> None:
    decision = decide(policy(apps, rules), request(host))
    assert (str(decision.verdict), decision.would, decision.shadow_rule) == (verdict, would, shadow)


EO = authority("eo", issued="2021-01-05", in_force="2021-02-19", revoked="2021-06-09")
BY_ORDER = AppSelector(named_in=("eo",))
FOLLOWS = rule("r", "block", BY_ORDER, authority=frozenset({State.IN_FORCE}))
IN_FORCE, REVOKED = "2021-03-01", "2026-11-24"
STATUS = {  # case: (rule, bound_by, time, status)
    "an order in force that binds": (rule("r", "block", BY_ORDER), ["eo"], IN_FORCE, 451),
    "an order in force that does not bind": (rule("r", "block", BY_ORDER), [], IN_FORCE, 403),
    "an order in force, another binds": (rule("r", "block", BY_ORDER), ["other"], IN_FORCE, 403),
    "an order that is over is the company's own policy": (rule("r", "block", BY_ORDER), ["eo"], REVOKED, 403),
    "a rule that does not select by it": (rule("r", "block", "named"), ["eo"], IN_FORCE, 403),
    "a rule for all": (rule("r", "block"), ["eo"], IN_FORCE, 403),
    "a rule that follows the law": (FOLLOWS, ["eo"], IN_FORCE, 451),
    "by state alone": (rule("r", "block", authority=frozenset({State.IN_FORCE})), ["eo"], IN_FORCE, 451),
    "a log has no status": (rule("r", "log", BY_ORDER), ["eo"], IN_FORCE, None),
}


@pytest.mark.parametrize(("deciding", "bound_by", "time", "status"), STATUS.values(), ids=STATUS)
def test_status(deciding: Rule, bound_by: list[str], time: str, status: int | None) -> None:
    judged = policy([NAMED], [deciding], [EO], bound_by=frozenset(bound_by))
    assert decide(judged, request("named.example", time=instant(time))).status == status


FOLLOWED = {  # case: (time, verdict): {named_in: eo, authority: in-force}, and not a day longer
    "before it": ("2021-02-18T23:59:59Z", "log"),
    "its first instant": ("2021-02-19T00:00:00Z", "block"),
    "its last instant": ("2021-06-08T23:59:59.999999Z", "block"),
    "revoked": ("2021-06-09T00:00:00Z", "log"),
}


@pytest.mark.parametrize(("time", "verdict"), FOLLOWED.values(), ids=FOLLOWED)
def test_a_rule_follows_the_law(time: str, verdict: str) -> None:
    decision = decide(policy([NAMED], [FOLLOWS], [EO]), request("named.example", time=instant(time)))
    assert str(decision.verdict) == verdict


AUTHORITIES = {  # case: (apps at qq.com, states told at 2021-03-01)
    "none": ([QQ], ()),
    "one": ([app("a", "qq.com", named_in=("eo",))], (("eo", State.IN_FORCE),)),
    "of tied apps, each once": (
        [app("a", "qq.com", named_in=("eo", "later")), app("b", "qq.com", named_in=("later",))],
        (("eo", State.IN_FORCE), ("later", None)),
    ),
    "one that the policy does not know": ([app("a", "qq.com", named_in=("gone",))], ()),
}


@pytest.mark.parametrize(("apps", "states"), AUTHORITIES.values(), ids=AUTHORITIES)
def test_authorities(apps: list[App], states: tuple[tuple[str, State | None], ...]) -> None:
    judged = policy(apps, [rule("r", "block")], [EO, authority("later", issued="2030-01-01")])
    assert decide(judged, request("qq.com", time=instant("2021-03-01"))).authorities == states


def test_what_a_rule_wants_of_answer_and_record() -> None:
    wanted = rule("r", "block", respond=(Respond.RESET,), record=Recording.ANONYMOUS)
    decision = decide(policy([QQ], [wanted]), request("qq.com"))
    assert (decision.respond, decision.anonymous) == ((Respond.RESET,), True)
    default = decide(policy([QQ]), request("qq.com"))
    assert (default.respond, default.anonymous) == ((), False)


def test_no_owner_costs_no_new_decision() -> None:
    assert decide(policy([QQ]), request("example.org")) is PASS


def test_verdicts_are_ordered() -> None:
    assert Verdict.BLOCK > Verdict.LOG > Verdict.ALLOW > Verdict.PASS


@pytest.mark.parametrize(
    "asked", [request("qq.com"), request("a..b"), request("example.org")], ids=lambda r: r.names[0].text
)
def test_the_same_request_is_decided_alike(asked: Request) -> None:
    judged: Policy = policy([QQ], [rule("r", "block")])
    assert decide(judged, asked) == decide(judged, asked)
