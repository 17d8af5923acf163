"""A newer catalogue, judged before it is put in place: what comes in on trial, what is refused, what fails."""

from datetime import date
from pathlib import Path

import pytest

from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.review.catalogue_update import (
    NotUpdated,
    catalogue_of,
    marks_by_layer,
    propose_enforcing,
    propose_previous,
    propose_update,
    still_holds,
)
from review.catalogues import RULES, catalogue, propose, site_on, tried
from sample import NOW


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return site_on(tmp_path)


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
