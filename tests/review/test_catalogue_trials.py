"""What of a newer catalogue is on trial, what stays enforced beside it, and that nothing opens by that."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embargo.core.inquiry import Inquiry, answer
from embargo.core.rules import Policy
from embargo.policy.load import load
from embargo.review.catalogue_update import propose_enforcing
from review.catalogues import RULES, catalogue, propose, site_on, tried
from sample import NOW


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return site_on(tmp_path)


HOLES = {  # case: (new endpoints, on trial, kept enforced while they are, enforced at once)
    "a host in place of its domain": (["{host: x.old.test}", "{host: h.old2.test}"], [], [], ["host:x.old.test"]),
    "a domain in place of a host": (["old.test", "old2.test"], ["domain:old2.test"], ["host:h.old2.test"], []),
    "the wider of two": (
        ["old.test", "old2.test", "test2.test", "{host: x.h.old2.test}"],
        ["domain:old2.test", "domain:test2.test", "host:x.h.old2.test"], ["host:h.old2.test"], [],
    ),
    "two in place of a host": (
        ["old.test", "old2.test", "h.old2.test"], ["domain:old2.test", "domain:h.old2.test"], ["host:h.old2.test"], [],
    ),
    "one of its own below what is blocked": (
        ["old.test", "{host: h.old2.test}", "{host: x.old.test, role: web}"], ["host:x.old.test"], [], [],
    ),
    "both": (["old.test", "old2.test", "n.test"], ["domain:old2.test", "domain:n.test"], ["host:h.old2.test"], []),
    "in brackets, quoted": (["old.test", '"old2.test"'], ["domain:old2.test"], ["host:h.old2.test"], []),
    "over lines": (
        ["old.test", "domain: old2.test\n        role: web"], ["domain:old2.test"], ["host:h.old2.test"], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("endpoints", "on_trial", "kept", "at_once"), HOLES.values(), ids=HOLES)
def test_a_trial_opens_nothing_that_is_blocked(
    site: Path, endpoints: list[str], on_trial: list[str], kept: list[str], at_once: list[str]
) -> None:
    """A part of it that is enforced today stays so beside it; what is no wider than today is enforced at once."""
    proposal = propose(site, catalogue(*endpoints, released="2026-02-01"))
    assert tried(proposal) == on_trial
    assert [str(each.endpoint) for each in proposal.kept] == kept
    assert [str(entry.endpoint) for entry in proposal.at_once] == at_once
    milder = [each.endpoint for each in proposal.comparison.endpoints if each.milder]
    assert not milder or at_once, "only what the new one names no more"
    assert not proposal.failed


WIDER = {  # case: (endpoint before, endpoint after, what is kept)
    "a network": ("{cidr: 192.0.2.0/28, port: 443}", "{cidr: 192.0.2.0/24}", "cidr:192.0.2.0/28"),
    "a port": ("{cidr: 192.0.2.0/28, port: 443}", "{cidr: 192.0.2.0/28}", "cidr:192.0.2.0/28"),
    "a url": ("{url: w.test/a}", "{url: w.test/*}", "url:w.test/a"),
    "a url's host": ("{url: w.test/a}", "{host: w.test}", "url:w.test/a"),
    "a user agent": ("{user_agent: AppClient}", "{user_agent: App}", "user_agent:AppClient"),
    "a domain": ("x.w.test", "w.test", "domain:x.w.test"),
    "a suffix": ("{domain: github.io, whole_suffix: true}", "{domain: io, whole_suffix: true}", "domain:github.io"),
    "one that is shared": ("{host: x.w.test, shared: true}", "w.test", "host:x.w.test"),
}


@pytest.mark.parametrize(("before", "after", "kept"), WIDER.values(), ids=WIDER)
def test_what_widens_bites_no_more_than_before(site: Path, before: str, after: str, kept: str) -> None:
    site.with_name("domains.yaml").write_text(catalogue("old.test", before), encoding="utf-8")
    proposal = propose(site, catalogue("old.test", after, released="2026-02-01"))
    assert [str(each.endpoint) for each in proposal.kept] == [kept]
    assert not proposal.at_once and len(proposal.on_trial) == 1
    assert not [each for each in proposal.comparison.endpoints if each.milder or str(each.after) == "block"]


def test_what_is_kept_says_so_and_stays_beside_the_wider_one(site: Path) -> None:
    text = catalogue("old.test", "{domain: old2.test, role: web}  # all of it", released="2026-02-01")
    proposal = propose(site, text)
    assert proposal.new.decode() == text.replace(
        "      - {domain: old2.test, role: web}",
        '      - {host: h.old2.test, evidence: ["kept while domain:old2.test is on trial"]}\n'
        "      - {domain: old2.test, shadow: true, role: web}",
    )
    site.with_name("domains.yaml").write_bytes(proposal.new)
    again = propose(site, text.replace("2026-02-01", "2026-03-01"))
    assert [str(each.endpoint) for each in again.kept] == ["host:h.old2.test"]
    assert again.new == proposal.new.replace(b"2026-02-01", b"2026-03-01")
    enforced, entries = propose_enforcing([site], [], NOW)
    assert enforced.new.decode() == text
    assert [str(entry.endpoint) for entry in entries] == ["domain:old2.test"]


def test_a_site_says_how_new_endpoints_come_in_not_the_new_file(site: Path) -> None:
    text = catalogue("old.test", "n.test", released="2026-02-01")
    proposal = propose(site, text.replace("apps:", "settings: {new_endpoints: enforce}\napps:", 1))
    assert tried(proposal) == ["domain:n.test"]


def test_an_exclude_of_the_new_one_is_heeded(site: Path) -> None:
    text = catalogue("old.test", "old2.test", released="2026-02-01", more="    exclude: [h.old2.test]\n")
    proposal = propose(site, text)
    assert not proposal.kept
    assert tried(proposal) == ["domain:old2.test"]


def test_one_that_only_some_are_refused_is_kept(site: Path) -> None:
    """Whom a rule refuses, and when, is not asked: for nobody a trial opens what was enforced."""
    rules = "groups: {g: {users: [u]}}\nrules:\n  - {id: ban, apps: all, groups: [g], action: block}\n"
    site.with_name("domains.yaml").write_text(catalogue("{host: h.old2.test}").replace(RULES, rules), encoding="utf-8")
    proposal = propose(site, catalogue("old2.test", released="2026-02-01").replace(RULES, rules))
    assert [str(each.endpoint) for each in proposal.kept] == ["host:h.old2.test"]


def test_another_app_takes_over_at_once(site: Path) -> None:
    text = catalogue("{host: h.old2.test}", released="2026-02-01", more="  b: {endpoints: [old.test]}\n")
    proposal = propose(site, text)
    assert [(entry.app, str(entry.endpoint)) for entry in proposal.at_once] == [("b", "domain:old.test")]
    assert proposal.comparison.apps_added == ("b",)


def test_another_app_takes_over_what_was_blocked_and_tries_the_rest(site: Path) -> None:
    text = catalogue("old.test", released="2026-02-01", more="  b: {endpoints: [{domain: old2.test, role: web}]}\n")
    proposal = propose(site, text)
    assert [(each.app, str(each.endpoint)) for each in proposal.kept] == [("b", "host:h.old2.test")]
    assert tried(proposal) == ["domain:old2.test"]


NAMES = [f"{a}{b}x.test" for a in ("", "a.", "b.") for b in ("", "p.", "q.")]
ENDPOINTS = st.builds("{{{}: {}}}".format, st.sampled_from(["domain", "host"]), st.sampled_from(NAMES))
LISTS = st.lists(ENDPOINTS, min_size=1, max_size=4, unique=True)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=LISTS, new=LISTS, moved=LISTS)
def test_a_trial_neither_opens_nor_bites(site: Path, old: list[str], new: list[str], moved: list[str]) -> None:
    """What was blocked and will be, is blocked meanwhile; what was not, is not; and enforced it is what was released.

    With endpoints that move to another app, too.
    """
    site.with_name("domains.yaml").write_text(catalogue(*old), encoding="utf-8")
    text = catalogue(*new, released="2026-02-01", more=f"  b: {{endpoints: [{', '.join(moved)}]}}\n")
    proposal = propose(site, text)
    site.with_name("domains.yaml").write_text(text, encoding="utf-8")
    policies = {"before": proposal.before.policy, "meanwhile": proposal.after.policy, "after": load([site]).policy}
    for name in (f"{label}{name}" for label in ("", "z.") for name in NAMES):
        blocked = {when: _blocks(policy, name) for when, policy in policies.items()}
        if blocked["before"] and blocked["after"]:
            assert blocked["meanwhile"], name
        if blocked["meanwhile"]:
            assert blocked["before"], name
    site.with_name("domains.yaml").write_bytes(proposal.new)
    enforced, _ = propose_enforcing([site], [], NOW)
    assert yaml.safe_load(enforced.new) == yaml.safe_load(text)


def _blocks(policy: Policy, name: str) -> bool:
    return answer(policy, Inquiry(request=name, time=NOW)).decision.blocked
