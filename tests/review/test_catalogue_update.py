"""A newer catalogue, judged before it is put in place: what comes in on trial, what is refused, what fails."""

from datetime import date
from pathlib import Path

import pytest

from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.review.catalogue_update import (
    NotUpdated,
    Proposal,
    catalogue_of,
    marks_by_layer,
    propose_enforcing,
    propose_previous,
    propose_update,
    still_holds,
)
from sample import NOW

RULES = """\
rules:
  - {id: shared, apps: all, shared: true, action: log}
  - {id: ban, apps: all, action: block}
"""


def catalogue(*endpoints: str, released: str | None = "2026-01-01", more: str = "", app: str = "a") -> str:
    lines = "".join(f"      - {endpoint}\n" for endpoint in endpoints)
    day = f"released: {released}\n" if released else ""
    return f"version: 1\n{day}apps:\n  {app}:\n    endpoints:\n{lines}{more}{RULES}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A policy of two layers whose catalogue is `domains.yaml`."""
    (tmp_path / "domains.yaml").write_text(catalogue("old.test", "{host: h.old2.test}"), encoding="utf-8")
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\ninclude: [domains.yaml]\nsettings: {organization: Example Corp}\n", encoding="utf-8")
    return file


def propose(site: Path, text: str, **options: object) -> Proposal:
    file = site.with_name("new.yaml")
    file.write_text(text, encoding="utf-8")
    return propose_update([site], file, NOW, **options)  # type: ignore[arg-type]


def tried(proposal: Proposal) -> list[str]:
    return [str(entry.endpoint) for entry in proposal.on_trial]


def test_what_is_new_comes_in_on_trial(site: Path) -> None:
    proposal = propose(
        site, catalogue("old.test", "{host: h.old2.test}", "new.test  # from them", released="2026-02-01")
    )
    assert tried(proposal) == ["domain:new.test"]
    assert b"- {domain: new.test, shadow: true}  # from them\n" in proposal.new
    assert proposal.released == (date(2026, 1, 1), date(2026, 2, 1))
    assert [(each.endpoint, str(each.before), str(each.after)) for each in proposal.comparison.endpoints] == [
        ("domain:new.test", "pass", "log")
    ]
    assert not proposal.failed and not proposal.unchanged
    assert still_holds(proposal)


def test_the_setting_enforces_at_once(site: Path) -> None:
    site.write_text(site.read_text() + "", encoding="utf-8")
    site.write_text("version: 1\ninclude: [domains.yaml]\nsettings: {new_endpoints: enforce}\n", encoding="utf-8")
    proposal = propose(site, catalogue("old.test", "{host: h.old2.test}", "new.test", released="2026-02-01"))
    assert tried(proposal) == []
    assert b"shadow" not in proposal.new


def test_what_was_on_trial_stays_so(site: Path) -> None:
    (site.parent / "domains.yaml").write_text(catalogue("old.test", "{domain: t.test, shadow: true}"), encoding="utf-8")
    assert tried(propose(site, catalogue("old.test", "t.test", released="2026-02-01"))) == ["domain:t.test"]


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
    "over lines": (["old.test", "domain: old2.test\n        role: web"], ["domain:old2.test"], ["host:h.old2.test"], []),
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
        "      - {host: h.old2.test, evidence: [\"kept while domain:old2.test is on trial\"]}\n"
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


AGES = {  # case: (released, refused with)
    "older": ("2025-12-31", "was released on 2025-12-31, before the installed one of 2026-01-01"),
    "of no known day": (None, "does not say when it was `released`"),
    "of the same day": ("2026-01-01", None),
    "newer": ("2026-01-02", None),
}


@pytest.mark.parametrize(("released", "refused"), AGES.values(), ids=AGES)
def test_ages(site: Path, released: str | None, refused: str | None) -> None:
    text = catalogue("old.test", released=released)
    if refused is not None:
        with pytest.raises(NotUpdated, match=refused):
            propose(site, text)
    assert propose(site, text, older=True).comparison.endpoints


def test_a_layer_above_must_still_load(site: Path) -> None:
    site.write_text(site.read_text() + "rules:\n  - {id: mine, apps: a, action: log}\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"site.yaml:5:.* unknown-app"):
        propose(site, catalogue("old.test", released="2026-02-01", app="other"))


def test_tests_of_all_layers_are_run_as_if_enforced(site: Path) -> None:
    site.write_text(
        site.read_text() + "tests:\n  - {request: new.test, expect: pass}\n  - {request: h.old2.test, expect: block}\n",
        encoding="utf-8",
    )
    proposal = propose(site, catalogue("old.test", "{host: h.old2.test}", "new.test", released="2026-02-01"))
    assert [result.explanation for result in proposal.failed] == ["expect: expected pass, got block; by rule ban"]


BROKEN = {  # case: (file, told)
    "no YAML": ("version: [", "new.yaml:1:11: yaml-syntax"),
    "empty": ("", "new.yaml:1:1: empty-file"),
    "an unknown key": (catalogue("x.test").replace("apps:", "aps:"), "new.yaml:3:1: unknown-key"),
    "a public suffix": (catalogue("com.cn"), "new.yaml:6:9: public-suffix"),
    "aliases that explode": (
        "version: 1\nx: &a [" + ", ".join(["z"] * 50) + "]\ny: [" + ", ".join(["*a"] * 500) + "]\n",
        "exploding-alias",
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_by_its_own_name(site: Path, text: str, told: str) -> None:
    with pytest.raises(PolicyError) as refused:
        propose(site, text)
    assert any(told in str(problem) for problem in refused.value.problems), refused.value


def test_a_huge_file_is_not_read(site: Path) -> None:
    huge = site.with_name("huge.yaml")
    with huge.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    with pytest.raises(PolicyError, match="too-large"):
        propose_update([site], huge, NOW)


def test_one_without_apps_is_no_catalogue(site: Path) -> None:
    with pytest.raises(NotUpdated, match="holds no apps"):
        propose(site, "version: 1\nreleased: 2026-05-01\n")


def test_anchored_endpoints_are_refused_with_the_way_out(site: Path) -> None:
    text = "version: 1\nreleased: 2026-05-01\napps:\n  a: {endpoints: &l [old.test, n.test]}\n  b: {endpoints: *l}\n"
    with pytest.raises(NotUpdated, match="new_endpoints: enforce"):
        propose(site, text + RULES)


def test_the_installed_one_itself(site: Path) -> None:
    with pytest.raises(NotUpdated, match="itself"):
        propose_update([site], site.with_name("domains.yaml"), NOW)


LAYERS = {  # case: (files of the policy besides, --catalogue, the catalogue found; else what is told)
    "the one with a day": ({}, None, "domains.yaml"),
    "two with a day": ({"b.yaml": "version: 1\nreleased: 2026-01-01\n"}, None, "several layers"),
    "two with a day, named": ({"b.yaml": "version: 1\nreleased: 2026-01-01\n"}, "domains.yaml", "domains.yaml"),
    "none of the policy": ({}, "other.yaml", "no file of the policy"),
}


@pytest.mark.parametrize(("files", "named", "found"), LAYERS.values(), ids=LAYERS)
def test_which_layer_it_is(site: Path, files: dict[str, str], named: str | None, found: str) -> None:
    paths = [site]
    for name, text in files.items():
        site.with_name(name).write_text(text, encoding="utf-8")
        paths.append(site.with_name(name))
    given = site.with_name(named) if named else None
    if found.endswith(".yaml"):
        assert catalogue_of(load(paths), given).name.endswith(found)
    else:
        with pytest.raises(NotUpdated, match=found):
            catalogue_of(load(paths), given)


def test_one_that_says_no_day_is_found_by_its_name(site: Path) -> None:
    site.with_name("domains.yaml").write_text(catalogue("old.test", released=None), encoding="utf-8")
    assert catalogue_of(load([site])).name.endswith("domains.yaml")


def test_enforcing_takes_the_marks_of_the_apps_that_are_named(site: Path) -> None:
    text = catalogue(
        "old.test", "{domain: t.test, shadow: true}", more="  b: {endpoints: [{domain: b.test, shadow: true}]}\n"
    )
    site.with_name("domains.yaml").write_text(text, encoding="utf-8")
    assert marks_by_layer(load([site])) == {str(site.with_name("domains.yaml")): 2}
    proposal, entries = propose_enforcing([site], ["b"], NOW)
    assert [str(entry.endpoint) for entry in entries] == ["domain:b.test"]
    assert proposal.new.decode() == text.replace("{domain: b.test, shadow: true}", "{domain: b.test}")
    with pytest.raises(NotUpdated, match="no app 'c'"):
        propose_enforcing([site], ["c"], NOW)


def test_there_is_nothing_to_go_back_to(site: Path) -> None:
    with pytest.raises(NotUpdated, match="nothing was updated yet"):
        propose_previous([site], NOW)


def test_a_change_elsewhere_is_seen(site: Path) -> None:
    proposal = propose(site, catalogue("old.test", released="2026-02-01"))
    site.write_text(site.read_text().replace("Example", "Another"), encoding="utf-8")
    assert not still_holds(proposal)
