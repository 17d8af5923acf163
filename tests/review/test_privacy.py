"""The facts of the annex, under each decrypt mode; its lists of fields are what records hold."""

import json
from dataclasses import replace

import pytest

from embargo.core.decision import Decision
from embargo.core.rules import Action, Decrypt, Mode, Policy, Recording
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
