"""A layer with an app of one's own: it loads, its rule stands where it should, and its tests are run."""

from pathlib import Path

import pytest
import yaml

from embargo.core.catalogue import Endpoint, Role, Stores
from embargo.core.rules import Action, Mode
from embargo.policy.cases import cases_of, run
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.review.own_app import NotMade, OwnApp, made, spelled, stacking
from sample import NOW, endpoint, pattern

BASE = """\
version: 1
apps:
  known: {endpoints: [known.test]}
groups:
  lab: {clients: [10.0.0.0/8]}
rules:
  - {id: lab-may, apps: all, groups: lab, action: log}
  - {id: shared-infrastructure, apps: all, shared: true, action: log}
  - {id: store-listings, apps: all, roles: store, action: log}
  - {id: known, apps: known, action: block}
"""
EVERY = (
    endpoint("drop.test"),
    endpoint("host:h.drop2.test", Role.LOGIN),
    endpoint("cdn.test", Role.CDN, shared=True),
    endpoint("url:shop.test/drop/*?a=b", Role.WEB),
    Endpoint(pattern("cidr:203.0.113.0/24 8443 tcp"), evidence=('it says: "here", 100%', "逗号")),
    endpoint("cidr:2001:db8::/32"),
    endpoint("user_agent:Drop/2: x"),
    endpoint("late.test", shadow=True),
)


STRANGE = ("a\x7f\x9b\u202e\ufeff", "line\nbreak \\u0041", "\U000e0001", "tab\t")


def test_strange_characters_come_back_and_break_no_comment(base: Path) -> None:
    """A list's title, its file's name and an option may hold any of them."""
    own = Endpoint(pattern("drop.test"), evidence=STRANGE)
    head = ("by x\nsettings: {mode: monitor}\r\nrules: []", "\x7f\x85\u2028\ud800")
    app = OwnApp(id="drop", name="a\x7fb", endpoints=(own,), action=Action.BLOCK, head=head)
    loaded = load([base, written(base, app)])
    found = loaded.policy.apps["drop"]
    assert (found.name, found.endpoints) == ("a\x7fb", (own,))
    assert loaded.policy.settings.mode is Mode.ENFORCE


def test_what_is_no_character_is_refused(base: Path) -> None:
    own = Endpoint(pattern("drop.test"), evidence=("file \udcff",))
    with pytest.raises(NotMade, match="UTF-8"):
        made([base], base.parent / "own.yaml", OwnApp(id="drop", endpoints=(own,), action=Action.BLOCK), NOW)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "domains.yaml"
    file.write_text(BASE, encoding="utf-8")
    return file


def written(base: Path, app: OwnApp) -> Path:
    file = base.parent / "apps/own.yaml"
    text = made([base], file, app, NOW)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_every_kind_of_endpoint_comes_back_as_it_was(base: Path) -> None:
    app = OwnApp(id="drop", name="Drop: it", vendor="- Ltd", endpoints=EVERY, action=Action.BLOCK, message='no: "x" #1')
    loaded = load([base, written(base, app)])
    found = loaded.policy.apps["drop"]
    assert (found.name, found.vendor, found.endpoints) == ("Drop: it", "- Ltd", EVERY)
    results = run(loaded, list(cases_of(loaded)), NOW)
    assert len(results) == len(EVERY)
    assert [str(result) for result in results if not result.passed] == []


def test_its_rule_stands_behind_exemptions_and_what_is_shared(base: Path) -> None:
    app = OwnApp(id="drop", endpoints=EVERY[:3], stores=Stores(apple=("123456789",)), action=Action.BLOCK)
    loaded = load([base, written(base, app)])
    rules = [rule.id for rule in loaded.policy.rules]
    assert rules[-1] == "block-drop"
    listing = [case for case in cases_of(loaded) if "apps.apple.com" in case.request]
    assert [case.form.rule for case in listing] == ["store-listings"]


def test_an_app_that_is_there_is_extended_without_a_rule(base: Path) -> None:
    app = OwnApp(id="known", endpoints=(endpoint("more.test"),), exclude=(endpoint("free.known.test"),))
    loaded = load([base, written(base, app)])
    assert [str(each) for each in loaded.policy.apps["known"].endpoints] == ["domain:known.test", "domain:more.test"]
    assert [rule.id for rule in loaded.policy.rules][-1] == "known"


def test_a_rule_of_that_name_is_not_replaced(base: Path) -> None:
    base.write_text(BASE + "  - {id: block-drop, apps: known, action: block}\n", encoding="utf-8")
    loaded = load([base, written(base, OwnApp(id="drop", endpoints=EVERY[:1], action=Action.BLOCK))])
    assert {"block-drop", "block-drop-2"} <= {rule.id for rule in loaded.policy.rules}


INEFFECTIVE = {  # case: (rules besides, endpoint, told)
    "an earlier rule decides": (
        "  - {id: all-may, apps: all, action: allow}\n", "drop.test", "all-may of drop decides, allow",
    ),
    "another app's": ("", "known.test", None),
    "another app's more specific one": ("", "host:known.test", None),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "text", "told"), INEFFECTIVE.values(), ids=INEFFECTIVE)
def test_a_layer_that_would_do_nothing_is_not_made(base: Path, rules: str, text: str, told: str | None) -> None:
    base.write_text(BASE + rules, encoding="utf-8")
    app = OwnApp(id="drop", endpoints=(endpoint(text),), action=Action.BLOCK)
    if told is None:
        made([base], base.parent / "own.yaml", app, NOW)
    else:
        with pytest.raises(NotMade, match=told):
            made([base], base.parent / "own.yaml", app, NOW)


def test_tests_of_the_layers_beneath_are_run(base: Path) -> None:
    base.write_text(BASE + "tests:\n  - {request: drop.test, expect: pass}\n", encoding="utf-8")
    site = base.with_name("site.yaml")
    site.write_text("version: 1\ninclude: [domains.yaml, apps/own.yaml]\n", encoding="utf-8")
    app = OwnApp(id="drop", endpoints=EVERY[:1], action=Action.BLOCK)
    made([base], base.parent / "apps/own.yaml", app, NOW)  # that test is judged without the layers above it


def test_a_policy_that_does_not_load(base: Path) -> None:
    base.write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="unknown-version"):
        made([base], base.parent / "own.yaml", OwnApp(id="drop", endpoints=EVERY[:1], action=Action.BLOCK), NOW)


TEXTS = (
    "plain", "two words", "yes", "null", "1.5", "22:00", "- x", "a: b", "a #b", "", " x", 'q"q', "x\ny", "\u4f60",
    "{a}", "*a", "&a", "!x", "%x", "@x", "`x", "a\\b", "\x07",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_text_again(text: str) -> None:
    assert yaml.safe_load(f"[{spelled(text)}, 1]") == [text, 1]
    assert yaml.safe_load(f"key: {spelled(text)}") == {"key": text}


def test_how_it_is_stacked(base: Path) -> None:
    file = base.parent / "apps/own.yaml"
    assert stacking([base], file) == (f"embargo run --policy {base} --policy {file}",)
    base.with_name("exceptions.yaml").write_text("version: 1\n", encoding="utf-8")
    assert "in place of naming it last" in stacking([base], file)[1]
