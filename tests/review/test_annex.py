"""The annex in words: each decrypt mode says what is opened, and nothing that is not so."""

import pytest

from embargo.core.catalogue import DomainList
from embargo.core.rules import Action, ClientForm, Decrypt, LogSettings, Mode, Policy, Recording, Settings
from embargo.core.sink import Address, Sink, Transport
from embargo.review.annex import markdown
from embargo.review.privacy import annex
from sample import NOW, app, endpoint, pattern, policy, rule

APPS = [app("bad", "bad.test", endpoint("url:pages.test/bad")), app("quiet", "quiet.test")]
RULES = [rule("ban", "block", "bad"), rule("count", "log", "quiet", record=Recording.ANONYMOUS)]


def text(**settings: object) -> str:
    return "\n".join(markdown(annex(policy(APPS, RULES, **settings), NOW)))


SAID = {  # case: (settings, said, not said)
    "needed": (
        {"decrypt": Decrypt.NEEDED},
        ["TLS is opened only at the names below", "- bad.test and all below it (bad, rule ban)", "- pages.test (bad,"],
        ["Every TLS connection is opened", "No TLS is opened", "quiet.test", "Never opened"],
    ),
    "all": (
        {"decrypt": Decrypt.ALL, "never_decrypt": (pattern("bank.test"),)},
        ["Every TLS connection is opened", "Never opened (settings.never_decrypt)", "- bank.test"],
        ["TLS is opened only", "No TLS is opened"],
    ),
    "none": (
        {"decrypt": Decrypt.NONE},
        ["No TLS is opened"],
        ["bad.test", "pages.test", "TLS is opened only", "Every TLS"],
    ),
    "monitor": (
        {"decrypt": Decrypt.NEEDED, "mode": Mode.MONITOR},
        ["For now none is (mode: monitor)", "Nothing is refused (mode: monitor)"],
        ["pages.test"],
    ),
    "query values kept": ({"query_values": True}, ["are **recorded**"], ["are not recorded: `?token"]),
    "query values redacted": ({}, ["are not recorded: `?token=<redacted>`"], ["are **recorded**"]),
    "clients whole": ({}, ["The client's address stands in full records"], ["pseudonym stands", "only its network"]),
    "clients truncated": (
        {"client": ClientForm.TRUNCATED},
        ["only its network stands in records"],
        ["The client's address stands in full records"],
    ),
    "clients by pseudonym": (
        {"client": ClientForm.PSEUDONYM},
        ["a keyed pseudonym stands in records"],
        ["The client's address stands in full records"],
    ),
    "records for nobody else": ({}, ["Records are sent to nobody"], ["to receivers"]),
    "records for a SIEM": (
        {
            "log": LogSettings(
                sinks=(Sink(id="siem", to=Address(transport=Transport.FILE, path="/x"), filter="app:qq"),)
            )
        },
        ["- siem: to /x, as ecs, of these: app:qq"],
        ["sent to nobody"],
    ),
    "audit files for longer": (
        {"log": LogSettings(audit_retention=730 * 86_400)},
        ["365 days (settings.log.retention)", "730 days (settings.log.audit_retention)"],
        [],
    ),
    "unknown protocols refused": (
        {"unknown_protocol": Action.BLOCK},
        ["of no app are refused and recorded"],
        ["of no app are recorded", "leave no record"],
    ),
    "unknown protocols allowed": ({"unknown_protocol": Action.ALLOW}, ["leave no record"], ["of no app are"]),
    "retention": (
        {"log": LogSettings(retention=90 * 86_400, rotate_age=3600)},
        ["90 days (settings.log.retention)", "closed after 1 hours"],
        ["365 days"],
    ),
    "a census": (
        {},
        ["What passes is counted by host", "at least 5 clients", "kept for 30 days", "Never a client"],
        ["is not counted by host"],
    ),
    "no census": ({"census": False}, ["is not counted by host"], ["The census holds"]),
    "rules": (
        {},
        [
            "| ban | block | full | bad | everybody |",
            "| count | log | **anonymous** | quiet | everybody |",
            "| default | log | full | none |",
        ],
        [],
    ),
    "organization": ({"organization": "Example Corp"}, ["# What the proxy opens and records at Example Corp"], []),
}


@pytest.mark.parametrize(("settings", "said", "unsaid"), SAID.values(), ids=SAID)
def test_markdown(settings: dict[str, object], said: list[str], unsaid: list[str]) -> None:
    made = text(**settings)
    assert [each for each in said if each not in made] == []
    assert [each for each in unsaid if each in made] == []


def test_names_of_lists_are_counted() -> None:
    listed = DomainList("bad", "lists/bad.txt", 1200)
    judged = Policy(
        settings=Settings(decrypt=Decrypt.NEEDED), apps={each.id: each for each in APPS}, rules=(), lists=(listed,)
    )
    assert "1200 names of lists" in "\n".join(markdown(annex(judged, NOW)))


def test_tables_are_whole() -> None:
    rows = [line for line in text().splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6}
