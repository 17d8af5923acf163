"""The facts of the annex, under each decrypt mode; its lists of fields are what records hold."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from embargo.core.catalogue import Role
from embargo.core.decision import Decision
from embargo.core.rules import Action, Decrypt, Mode, Policy, Recording, Rule
from embargo.journal.record import Encoder
from embargo.review.privacy import PERSONAL, REMAINING, annex
from recorded import BANNED, BLOCK, OBSERVER, judged
from sample import NOW, app, endpoint, group, pattern, policy, rule

APPS = [app("bad", "bad.test", endpoint("url:pages.test/bad")), app("quiet", "quiet.test"), app("free", "free.test")]
RULES = [
    rule("staff", "log", "bad", groups=(group("research", users="alice"),)),
    rule("ban", "block", "bad"),
    rule("count", "log", "quiet", record=Recording.ANONYMOUS),
    rule("gone", "block", "free", until=NOW),
    rule("off", "block", "free", enabled=False),
]


def made(**settings: object) -> Policy:
    return policy(APPS, RULES, **settings)


OPENED = {  # case: (settings, names and why, whether nothing is opened)
    "needed": ({"decrypt": Decrypt.NEEDED}, {("bad.test", "page"), ("pages.test", "path")}, False),
    "all": ({"decrypt": Decrypt.ALL}, {("bad.test", "page"), ("pages.test", "path")}, False),
    "none": ({"decrypt": Decrypt.NONE}, set(), True),
    "needed, monitored": ({"decrypt": Decrypt.NEEDED, "mode": Mode.MONITOR}, set(), True),
    "all, monitored": ({"decrypt": Decrypt.ALL, "mode": Mode.MONITOR}, {("pages.test", "path")}, False),
    "needed, one never": (
        {"decrypt": Decrypt.NEEDED, "never_decrypt": (pattern("bad.test"),)},
        {("pages.test", "path")},
        False,
    ),
}


@pytest.mark.parametrize(("settings", "names", "nothing"), OPENED.values(), ids=OPENED)
def test_opened(settings: dict[str, object], names: set[tuple[str, str]], nothing: bool) -> None:
    document = json.loads(json.dumps(annex(made(**settings), NOW).document()))
    opened = document["opened"]
    assert {(each["name"], each["why"]) for each in opened["names"]} == names
    assert opened["nothing"] is nothing
    assert opened["decrypt"] == settings["decrypt"]
    assert opened["never"] == (["domain:bad.test"] if "never_decrypt" in settings else [])


def test_rules_say_about_whom() -> None:
    recorded = annex(made(), NOW).document()["recorded"]
    assert isinstance(recorded, dict)
    assert recorded["rules"] == [
        {
            "id": "staff",
            "action": "log",
            "record": "full",
            "shadow": False,
            "apps": ["bad"],
            "about": "members of research",
        },
        {"id": "ban", "action": "block", "record": "full", "shadow": False, "apps": ["bad"], "about": "everybody"},
        {
            "id": "count",
            "action": "log",
            "record": "anonymous",
            "shadow": False,
            "apps": ["quiet"],
            "about": "everybody",
        },
    ]
    assert recorded["default"] == {"action": "log", "record": "full", "apps": ["free"]}


DEFAULTS = {  # case: (rules for an app with an api and a shared cdn endpoint, whether the default may decide)
    "none": ([], True),
    "everybody": ([rule("all", "log")], False),
    "everybody, for long": ([rule("all", "log", since=NOW - timedelta(days=9))], False),
    "everybody, soon": ([rule("all", "log", since=NOW + timedelta(days=9))], True),
    "everybody, for now": ([rule("all", "log", until=NOW + timedelta(days=9))], True),
    "noted only": ([rule("all", "block", shadow=True)], True),
    "what is shared alone": ([rule("one", "log", shared=True)], True),
    "what is shared, and what is not": ([rule("one", "log", shared=True), rule("two", "block", shared=False)], False),
    "one role of two": ([rule("one", "log", roles=frozenset({Role.API}))], True),
    "both roles": ([rule("one", "log", roles=frozenset({Role.API, Role.CDN}))], False),
}


@pytest.mark.parametrize(("rules", "expected"), DEFAULTS.values(), ids=DEFAULTS)
def test_for_which_apps_no_rule_need_hold(rules: list[Rule], expected: bool) -> None:
    cdn = replace(endpoint("cdn.test", shared=True), role=Role.CDN)
    assert annex(policy([app("a", "a.test", cdn)], rules), NOW).by_default == (("a",) if expected else ())


def test_settings_are_told() -> None:
    document = annex(
        made(query_values=True, unknown_protocol=Action.BLOCK, organization="Example Corp"), NOW
    ).document()
    recorded = document["recorded"]
    assert isinstance(recorded, dict)
    assert (recorded["query_values"], recorded["unknown_protocol"]) == (True, "block")
    assert (document["organization"], document["retention_seconds"]) == ("Example Corp", 365 * 86_400)


def paths(members: dict[str, object], above: str = "") -> set[str]:
    found = set()
    for name, value in members.items():
        path = f"{above}{name}"
        found |= paths(value, f"{path}.") if isinstance(value, dict) else {path}
    return found


def test_the_lists_of_fields_are_what_records_hold() -> None:
    encoder = Encoder(OBSERVER)
    who = group("research", "10.20.0.0/16", "alice")
    decisions = [
        Decision(
            verdict=BLOCK.verdict,
            reason=BLOCK.reason,
            apps=BLOCK.apps,
            endpoint=BLOCK.endpoint,
            rule=replace(BANNED, groups=(who,), record=recording),
        )
        for recording in (Recording.FULL, Recording.ANONYMOUS)
    ]
    facts = {"user_agent": "Mozilla/5.0", "identity_source": "proxyauth"}
    full, anonymous = (
        paths(encoder.document(judged(decision, **facts), sequence=1, identifier="")) for decision in decisions
    )
    question = judged(decisions[1], question="bad.test", protocol="dns", destination="192.0.2.1", **facts)
    asked = paths(encoder.document(question, sequence=1, identifier=""))
    gone = full - anonymous - {"related.ip"}
    assert set(PERSONAL) <= full
    assert set(PERSONAL).isdisjoint(anonymous | asked)
    assert gone == set(PERSONAL), "what an anonymous record leaves out is personal, and told"
    assert set(REMAINING) <= anonymous | asked


def test_what_comes_from_elsewhere_is_told() -> None:
    document = annex(made(), NOW).document()
    recorded, readers = document["recorded"], document["readers"]
    assert isinstance(recorded, dict)
    assert isinstance(readers, list)
    assert any("those by which a front proxy" in text for text in recorded["never"])
    assert any("standard output" in text for text in readers)
