"""Layers put together: what is added, replaced, extended, merged, and in which order rules stand."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from embargo.core.catalogue import Role
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.inquiry import Inquiry, answer
from embargo.core.rules import Action, Mode, Policy, Recording
from embargo.core.timeline import State
from embargo.policy.build import MOST_INLINE
from policy_files import loaded
from sample import request

APPS = (
    "apps: {a: {endpoints: [a.example], name: A, named_in: eo}, b: {endpoints: [b.example]}}\nauthorities: {eo: {}}\n"
)


def rules(*ids: str, position: str = "", more: str = "") -> str:
    entries = "".join(
        f"  - {{id: {name.rstrip('!')}, apps: all, action: log{', final: true' * name.endswith('!')}}}\n"
        for name in ids
    )
    return f"version: 1\n{f'rules_position: {position}' if position else ''}\nrules:\n{entries}{more}"


def build(directory: Path, *layers: str) -> Policy:
    return loaded(directory, {f"{number}.layer.yaml": text for number, text in enumerate(layers)}).policy


ORDER = {  # case: (layers, ids in effective order)
    "one layer": ([rules("a", "b")], "a b"),
    "a later layer's rules come first": ([rules("a", "b"), rules("c", "d")], "c d a b"),
    "or last": ([rules("a", "b"), rules("c", position="after")], "a b c"),
    "three layers": ([rules("a"), rules("b", position="after"), rules("c")], "c a b"),
    "a rule replaced stands in the later layer's place": ([rules("a", "b", "c"), rules("d", "b")], "d b a c"),
    "a rule replaced from behind": ([rules("a", "b", "c"), rules("a", position="after")], "b c a"),
    "final ones first, the earliest layer's first": ([rules("a", "b!"), rules("c!", "d")], "b c d a"),
    "a rule replaced by a final one": ([rules("a", "b"), rules("b!")], "b a"),
}


@pytest.mark.parametrize(("layers", "ids"), ORDER.values(), ids=ORDER)
def test_order_of_rules(tmp_path: Path, layers: list[str], ids: str) -> None:
    assert " ".join(rule.id for rule in build(tmp_path, *layers).rules) == ids


def test_settings_are_merged_key_by_key(tmp_path: Path) -> None:
    first = (
        "version: 1\nsettings: {mode: monitor, default: block, organization: One,"
        " unknown_protocol: block, never_decrypt: [a.example, b.example], log: {flush: 1s, retention: 30d},"
        " privacy: {query: keep}, timezone: Europe/Berlin}\n"
    )
    second = "version: 1\nsettings: {mode: enforce, never_decrypt: {host: c.example}, log: {retention: 60d}}\n"
    settings = build(tmp_path, first, second).settings
    assert (settings.mode, settings.default, settings.organization) == (Mode.ENFORCE, Action.BLOCK, "One")
    assert settings.unknown_protocol is Action.BLOCK
    assert [pattern.text for pattern in settings.never_decrypt] == ["c.example"]
    assert (settings.log.flush, settings.log.retention) == (1.0, 60 * 86_400)
    assert settings.log.rotate_size == 256 * 1024 * 1024, "what no layer says keeps its default"
    assert settings.query_values
    assert settings.census, "by default"
    assert str(settings.timezone) == "Europe/Berlin"


def test_privacy_may_be_taken_back(tmp_path: Path) -> None:
    off, on = (f"version: 1\nsettings: {{census: {word}}}\n" for word in ("false", "true"))
    assert not build(tmp_path, off).settings.census
    assert build(tmp_path, off, on).settings.census
    keep, redact = (f"version: 1\nsettings: {{privacy: {{query: {word}}}}}\n" for word in ("keep", "redact"))
    assert not build(tmp_path, keep, redact).settings.query_values


def test_an_app_is_replaced_whole(tmp_path: Path) -> None:
    app = build(tmp_path, f"version: 1\n{APPS}", "version: 1\napps: {a: {endpoints: [c.example]}}\n").apps["a"]
    assert (app.name, app.named_in) == ("a", ())
    assert [str(endpoint) for endpoint in app.endpoints] == ["domain:c.example"]


def test_an_app_is_extended(tmp_path: Path) -> None:
    more = (
        "version: 1\nauthorities: {two: {}}\napps:\n  a:\n    extend: true\n"
        "    endpoints: [{host: c.example, role: cdn}]\n"
        "    exclude: [open.a.example]\n    named_in: [eo, two]\n    stores: {google_play: [com.example.a]}\n"
    )
    policy = build(
        tmp_path, f"version: 1\n{APPS}", more, "version: 1\napps: {a: {extend: true, endpoints: [d.example]}}\n"
    )
    app = policy.apps["a"]
    assert app.name == "A"
    assert app.named_in == ("eo", "two")
    assert [str(endpoint) for endpoint in app.endpoints if endpoint.role is not Role.STORE] == [
        "domain:a.example", "host:c.example", "domain:d.example",
    ]  # fmt: skip
    assert [endpoint.pattern.text for endpoint in app.exclude] == ["open.a.example"]
    assert app.stores.google_play == ("com.example.a",)
    assert list(policy.apps) == ["a", "b"]


def test_an_app_replaced_after_it_was_extended(tmp_path: Path) -> None:
    extend = "version: 1\napps: {a: {extend: true, endpoints: [c.example]}}\n"
    policy = build(tmp_path, f"version: 1\n{APPS}", extend, "version: 1\napps: {a: {endpoints: [d.example]}}\n")
    assert [endpoint.pattern.text for endpoint in policy.apps["a"].endpoints] == ["d.example"]


def test_a_group_of_nobody_waits_for_a_later_layer(tmp_path: Path) -> None:
    first = f"version: 1\n{APPS}groups: {{g: {{}}}}\nrules: [{{id: r, apps: all, action: allow, groups: g}}]\n"
    assert build(tmp_path / "alone", first).rules[0].groups[0].holds(None, "alice") is False
    policy = build(tmp_path / "filled", first, "version: 1\ngroups: {g: {users: alice}}\n")
    assert policy.rules[0].groups[0].holds(None, "alice") is True


def test_groups_and_authorities_are_replaced(tmp_path: Path) -> None:
    first = (
        "version: 1\napps: {a: {endpoints: [a.example]}}\ngroups: {g: {users: alice}}\n"
        "authorities: {eo: {title: One, timeline: {2021-01-01: issued}}}\n"
        "rules: [{id: r, apps: all, action: block, groups: g}]\n"
    )
    policy = build(tmp_path, first, "version: 1\ngroups: {g: {clients: 10.0.0.0/8}}\nauthorities: {eo: {title: Two}}\n")
    assert policy.groups["g"].users == frozenset()
    assert policy.rules[0].groups == (policy.groups["g"],), "an earlier layer's rule has the later layer's group"
    assert (policy.authorities["eo"].title, policy.authorities["eo"].timeline.changes) == ("Two", ())


def test_a_rule_whole(tmp_path: Path) -> None:
    text = f"""\
version: 1
{APPS}groups: {{g: {{users: [alice]}}}}
settings: {{timezone: Asia/Tokyo}}
rules:
  - id: r
    apps: [a, {{named_in: eo}}]
    action: block
    hosts: [a.example, {{host: x.a.example}}, {{cidr: 203.0.113.0/24}}, {{url: a.example/x}}]
    roles: [api, cdn]
    shared: false
    surfaces: dns
    not_groups: g
    users: bob
    clients: [10.0.0.0/8, 192.0.2.1]
    schedule: {{days: [mon, fri], hours: "22:00-06:00"}}
    authority: [in-force, stayed]
    from: 2021-02-19
    until: 2027-01-01T00:00:00+08:00
    respond: [null-address, reset]
    message: {{en: No, de: Nein}}
    reason: because
    ticket: T-1
    approved_by: counsel
    record: anonymous
"""
    rule = build(tmp_path, text).rules[0]
    assert (rule.apps.ids, rule.apps.named_in, rule.apps.all) == ({"a"}, ("eo",), False)
    assert [pattern.kind.key for pattern in rule.hosts] == ["domain", "host", "cidr", "url"]
    assert rule.roles == {Role.API, Role.CDN}
    assert [group.id for group in rule.not_groups] == ["g"]
    assert [str(network) for network in rule.clients] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert rule.schedule is not None
    assert (rule.schedule.days, rule.schedule.hours, str(rule.schedule.timezone)) == (
        {0, 4},
        ((1320, 360),),
        "Asia/Tokyo",
    )
    assert rule.authority == {State.IN_FORCE, State.STAYED}
    assert (rule.since, rule.until) == (datetime(2021, 2, 19, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC))
    assert [word.value for word in rule.respond] == ["null-address", "reset"]
    assert rule.message == {"en": "No", "de": "Nein"}
    assert (rule.reason, rule.ticket, rule.approved_by) == ("because", "T-1", "counsel")
    assert rule.record is Recording.ANONYMOUS
    assert (rule.layer, rule.line) == ("0.layer.yaml", 7)


def test_what_a_rule_leaves_out(tmp_path: Path) -> None:
    rule = build(tmp_path, f"version: 1\n{APPS}rules: [{{id: r, apps: all, action: block, message: No}}]\n").rules[0]
    assert rule.apps.all
    assert (rule.shared, rule.schedule, rule.since, rule.until) == (None, None, None, None)
    assert rule.message == {"": "No"}
    assert (rule.enabled, rule.shadow, rule.final) == (True, False, False)


def test_an_authority_whole(tmp_path: Path) -> None:
    text = (
        "version: 1\nauthorities:\n  eo:\n    title: The Order\n    jurisdiction: US\n    url: https://a.example/\n"
        "    reviewed: 2026-11-24\n    timeline: {2021-02-19: in-force, 2021-01-05: issued}\n"
    )
    authority = build(tmp_path, text).authorities["eo"]
    assert (authority.title, authority.jurisdiction, authority.url) == ("The Order", "US", "https://a.example/")
    assert authority.reviewed == date(2026, 11, 24)
    assert [state for _, state in authority.timeline.changes] == [State.ISSUED, State.IN_FORCE], "in order of time"


def test_stores_become_url_endpoints(tmp_path: Path) -> None:
    app = build(tmp_path, "version: 1\napps: {a: {stores: {apple: 333206289, microsoft: []}}}\n").apps["a"]
    assert app.endpoints and all(endpoint.role is Role.STORE for endpoint in app.endpoints)
    assert "url:apps.apple.com/*/id333206289" in map(str, app.endpoints)


def test_many_inline_domains_are_kept_as_a_list(tmp_path: Path) -> None:
    names = [f"n{number}.example" for number in range(MOST_INLINE + 1)]
    text = (
        f"version: 1\napps: {{a: {{endpoints: [{', '.join(names)}, {{host: h.example}}]}}}}\n"
        "rules: [{id: r, apps: a, action: block}]\n"
    )
    policy = build(tmp_path, text)
    assert [str(endpoint) for endpoint in policy.apps["a"].endpoints] == ["host:h.example"]
    assert [(names.app, names.source, names.count) for names in policy.lists] == [
        ("a", "0.layer.yaml", MOST_INLINE + 1)
    ]
    for host, verdict in {
        "x.n7.example": Verdict.BLOCK,
        "h.example": Verdict.BLOCK,
        "m7.example": Verdict.PASS,
    }.items():
        assert decide(policy, request(host)).verdict is verdict


def test_lower_layers_alone(tmp_path: Path) -> None:
    files = {
        "0.layer.yaml": "version: 1\napps: {a: {endpoints_from: [one.txt]}}\n"
        "rules: [{id: r, apps: all, action: block}]\n",
        "1.layer.yaml": "version: 1\napps: {b: {endpoints_from: [two.txt]}}\n",
        "2.layer.yaml": "version: 1\napps: {a: {endpoints: [three.example]}}\n",
        "one.txt": "one.example\n",
        "two.txt": "two.example\none.example\n",
    }
    found = loaded(tmp_path, files)
    owners = [
        [decide(found.policy_of(layer), request(host)).apps for host in ("one.example", "two.example", "three.example")]
        for layer in range(3)
    ]
    assert owners == [
        [("a",), (), ()],
        [("a", "b"), ("b",), ()],
        [("b",), ("b",), ("a",)],
    ]


CLOSED = {
    "0.layer.yaml": """version: 1
apps:
  qq: {endpoints: [qq.example, {domain: paper.example, shared: true}]}
  mail: {endpoints: [mail.qq.example]}
  pay: {endpoints: [pay.qq.example]}
rules:
  - {id: never, apps: qq, shared: false, action: block, final: true, until: 2027-01-01}
  - {id: mail-may, apps: mail, action: log}
"""
}
OPENERS = {  # case: a later layer, a name, the rule that decides
    "a rule of a later layer": ("rules: [{id: open, apps: qq, action: allow}]", "im.qq.example", "never"),
    "an app with a more specific endpoint": (
        "apps: {mine: {endpoints: [{host: im.qq.example}]}}\nrules: [{id: open, apps: mine, action: allow}]",
        "im.qq.example",
        "never",
    ),
    "an app without a rule": (
        "apps: {mine: {endpoints: [im.qq.example]}}\nsettings: {default: allow}",
        "im.qq.example",
        "never",
    ),
    "an app's first rule": ("rules: [{id: open, apps: pay, action: allow}]", "pay.qq.example", "never"),
    "an endpoint marked as shared": (
        "apps: {qq: {extend: true, endpoints: [{host: im.qq.example, shared: true}]}}\n"
        "rules: [{id: open, apps: qq, shared: true, action: allow}]",
        "im.qq.example",
        "never",
    ),
    "a list": (
        "apps: {mine: {endpoints_from: list.txt}}\nrules: [{id: open, apps: mine, action: allow}]",
        "im.qq.example",
        "never",
    ),
    "what is not closed may be opened": ("rules: [{id: open, apps: qq, action: allow}]", "x.paper.example", "open"),
    "what another app had before stays its": (
        "rules: [{id: open, apps: mail, action: allow}]",
        "mail.qq.example",
        "open",
    ),
    "a new endpoint of the closed app is closed too": (
        "apps: {qq: {extend: true, endpoints: [qq2.example]}}\nrules: [{id: open, apps: qq, action: allow}]",
        "qq2.example",
        "never",
    ),
}
BEFORE, AFTER = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("layer", "host", "rule"), OPENERS.values(), ids=OPENERS)
@pytest.mark.parametrize(
    "more",
    [{}, {"2.layer.yaml": "version: 1\nrules: [{id: top, apps: all, action: log, final: true}]\n"}],
    ids=["two layers", "three"],
)
def test_what_a_final_rule_closes_no_later_layer_opens(
    tmp_path: Path, layer: str, host: str, rule: str, more: dict[str, str]
) -> None:
    files = CLOSED | {"1.layer.yaml": f"version: 1\n{layer}\n", "list.txt": "im.qq.example\n"} | more
    policy = loaded(tmp_path, files).policy
    decision = answer(policy, Inquiry(request=host, time=BEFORE)).decision
    wanted = "top" if more and rule == "open" else rule
    assert (decision.rule_id, decision.blocked) == (wanted, wanted == "never")
    assert not answer(policy, Inquiry(request=host, time=AFTER)).decision.blocked, (
        "it rests on the rule, while that holds"
    )


def test_finals_of_several_layers_each_close_against_those_above(tmp_path: Path) -> None:
    files = CLOSED | {
        "1.layer.yaml": "version: 1\napps: {mine: {endpoints: [{host: im.qq.example}]}, b: {endpoints: [b.example]}}\n"
        "rules: [{id: open, apps: mine, action: allow}, {id: never-b, apps: b, action: block, final: true}]\n",
        "2.layer.yaml": "version: 1\napps: {c: {endpoints: [x.b.example]}}\n"
        "rules: [{id: open-c, apps: c, action: allow}]\n",
    }
    policy = loaded(tmp_path, files).policy
    found = {
        host: answer(policy, Inquiry(request=host, time=BEFORE)).decision.rule_id
        for host in ("im.qq.example", "x.b.example", "b.example")
    }
    assert found == {"im.qq.example": "never", "x.b.example": "never-b", "b.example": "never-b"}


def test_it_costs_nothing_where_no_layer_stands_above(tmp_path: Path) -> None:
    assert loaded(tmp_path, CLOSED).policy.beneath is None


def test_monitor_says_what_it_would_do(tmp_path: Path) -> None:
    files = CLOSED | {
        "1.layer.yaml": "version: 1\nsettings: {mode: monitor}\napps: {mine: {endpoints: [{host: im.qq.example}]}}\n"
        "rules: [{id: open, apps: mine, action: allow}]\n"
    }
    decision = answer(loaded(tmp_path, files).policy, Inquiry(request="im.qq.example", time=BEFORE)).decision
    assert (str(decision.verdict), decision.held_back, decision.rule_id) == ("log", True, "never")
