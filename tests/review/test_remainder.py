"""What of an app is not blocked and why, and the rule that blocks the rest: pasted where it says, it does."""

# ruff: noqa: E501 - a case a line
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from embargo.core.decision import Verdict
from embargo.core.rules import Policy
from embargo.policy.load import Loaded
from embargo.policy.load import load as load_policy
from embargo.review.catalogue import account
from embargo.review.remainder import Remainder, remainder
from policy_files import Files, loaded
from sample import NOW

CATALOGUE = """\
version: 1
settings: {decrypt: needed}
authorities: {eo: {timeline: {2021-01-05: in-force, 2021-06-09: revoked}}}
apps:
  a:
    named_in: eo
    endpoints:
      - {domain: a.example, role: api}
      - {domain: cdn.example, role: cdn, shared: true}
      - {host: pay.example, role: payment}
    stores: {apple: 333206289}
  "7": {endpoints: [seven.example]}
"""
SHARED = "{id: shared, apps: all, shared: true, action: log, reason: others use it}"
STORES = "{id: stores, apps: all, roles: store, action: log}"
BANNED = "{id: banned, apps: a, action: block, message: No.}"


def rules(*entries: str) -> str:
    return "rules:\n" + "".join(f"  - {entry}\n" for entry in entries)


def base(*entries: str, settings: str = "{decrypt: needed}") -> Files:
    return {"domains.yaml": CATALOGUE.replace("{decrypt: needed}", settings) + rules(*entries)}


def stacked(below: Files, **layers: str) -> Files:
    assert isinstance(below, dict)
    return {**below, **{f"{name}.layer.yaml": text for name, text in layers.items()}}


def load(directory: Path, files: Files) -> Loaded:
    """The policy of *files*, `domains.yaml` being the one named where there is no other."""
    if "policy.yaml" in files or any(name.endswith(".layer.yaml") for name in files):
        return loaded(directory, files)
    return loaded(directory, {**files, "policy.yaml": "version: 1\ninclude: [domains.yaml]\n"})  # type: ignore[dict-item]


def rest(policy: Policy, app: str = "a") -> Remainder:
    return remainder(policy, account(policy, policy.apps[app], NOW), NOW)


def includes(*entries: str, position: str = "before") -> str:
    return f"version: 1\ninclude: [domains.yaml]\nrules_position: {position}\n" + (rules(*entries) if entries else "")


PASTED: dict[str, tuple[Files, str, str]] = {  # case: (files, where it says, how the YAML begins)
    "before the rule that lets through, of one's own file": (
        {"domains.yaml": CATALOGUE, "site.layer.yaml": includes("{id: lab, apps: a, users: alice, action: log}", SHARED, STORES, BANNED)},
        "in site.layer.yaml, under `rules:`, directly before shared (line 6)",
        "  - id: block-a\n",
    ),
    "behind one's own exemptions, before what lies beneath": (
        {**base(SHARED, STORES, BANNED), "site.layer.yaml": includes("{id: lab, apps: a, users: alice, action: log}")},  # type: ignore[dict-item]
        "in site.layer.yaml, under `rules:`, behind the last one",
        "  - id: block-a\n",
    ),
    "a file of one's own on top of one whose rules come last": (
        {**base(SHARED, STORES, BANNED), "site.layer.yaml": includes("{id: late, apps: a, users: alice, action: log}", position="after")},  # type: ignore[dict-item]
        "in a file of your own, such as site.yaml, which then takes the place of site.layer.yaml",
        "version: 1\ninclude: [site.layer.yaml]\nrules:\n  - id: block-a\n",
    ),
    "no rule at all": (
        {"domains.yaml": CATALOGUE, "site.layer.yaml": includes()},
        "in site.layer.yaml, under `rules:`, behind the last one",
        "  - id: block-a\n",
    ),
}  # fmt: skip


def paste(directory: Path, files: Files, where: str, text: str) -> Policy:
    """The policy with the rule put where it is said to belong."""
    assert isinstance(files, dict)
    files = dict(files)
    if where.startswith("in a file of your own"):
        return loaded(directory, {**files, "zz.layer.yaml": text}).policy
    name = "site.layer.yaml"
    document = yaml.safe_load(files[name])
    [entry] = yaml.safe_load(f"rules:\n{text}\n")["rules"]
    own = document.setdefault("rules", [])
    at = len(own)
    if "directly before" in where:
        at = next(number for number, each in enumerate(own) if f"before {each['id']} " in where)
    own.insert(at, entry)
    return loaded(directory, {**files, name: yaml.safe_dump(document, sort_keys=False)}).policy


@pytest.mark.parametrize(("files", "where", "begins"), PASTED.values(), ids=PASTED)
def test_pasted_where_it_says_the_rest_is_blocked(tmp_path: Path, files: Files, where: str, begins: str) -> None:
    found = rest(loaded(tmp_path / "before", files).policy)
    assert found.remedy is not None
    assert (found.remedy.where, found.remedy.text[: len(begins)]) == (where, begins)
    after = paste(tmp_path / "after", files, found.remedy.where, found.remedy.text)
    judged = account(after, after.apps["a"], NOW)
    assert {entry.verdict for entry in (*judged.entries, *judged.listings)} == {Verdict.BLOCK}
    assert rest(after).remedy is None
    ids = [rule.id for rule in after.rules]
    assert "lab" not in ids or ids.index("lab") < ids.index("block-a"), "an exemption goes on to hold"


def test_the_shipped_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "domains.yaml").write_text(str(base(SHARED, BANNED)["domains.yaml"]), encoding="utf-8")  # type: ignore[index]
    with chdir(tmp_path):
        policy = load_policy([Path("domains.yaml")]).policy
    remedy = rest(policy).remedy
    assert remedy is not None
    assert remedy.where == "in a file of your own, such as site.yaml, which then takes the place of domains.yaml"
    (tmp_path / "site.yaml").write_text(remedy.text, encoding="utf-8")
    with chdir(tmp_path):
        assert rest(load_policy([Path("site.yaml")]).policy).remedy is None


def test_passing_by_which_rule_and_why(tmp_path: Path) -> None:
    found = rest(
        load(
            tmp_path, base(SHARED, STORES, "{id: law, apps: {named_in: eo}, authority: in-force, action: block}")
        ).policy
    )
    told = {each.rule: (each.endpoints, len(each.listings) > 0, each.why) for each in found.passing}
    assert told == {
        "shared": (1, False, "it is for endpoints that others use too; its reason: others use it"),
        "stores": (0, True, "it is for the role store"),
        "default": (2, False, "no rule holds, and settings.default is log; law does not block it: it wants an authority that is in-force; eo is revoked since 2021-06-09"),
    }  # fmt: skip


def test_what_it_would_hit(tmp_path: Path) -> None:
    remedy = rest(load(tmp_path, base(SHARED, STORES, BANNED)).policy).remedy
    assert remedy is not None
    assert (remedy.endpoints, remedy.shared, remedy.taken, remedy.left) == (
        1,
        ("domain:cdn.example",),
        ((2, "banned"),),
        (),
    )
    assert remedy.listings > 0 and "apps.apple.com" in remedy.opened and not remedy.unseen
    assert "    # shared: false" in remedy.text
    assert "    # roles: [api, payment, cdn]" in remedy.text


CLOSED = {  # case: (settings, whether nothing inside TLS is seen)
    "all is opened already": ("{decrypt: all}", False),
    "nothing is opened": ("{decrypt: none}", True),
}


@pytest.mark.parametrize(("settings", "unseen"), CLOSED.values(), ids=CLOSED)
def test_what_is_opened_depends_on_decrypt(tmp_path: Path, settings: str, unseen: bool) -> None:
    remedy = rest(load(tmp_path, base(SHARED, STORES, BANNED, settings=settings)).policy).remedy
    assert remedy is not None
    assert (remedy.opened, remedy.unseen) == ((), unseen)


def test_a_final_rule_that_lets_through_cannot_be_preceded(tmp_path: Path) -> None:
    free = "{id: free, apps: a, roles: payment, action: allow, final: true}"
    remedy = rest(load(tmp_path, base(free, SHARED, BANNED)).policy).remedy
    assert remedy is not None
    assert remedy.left == ((1, "free"),)


def test_monitor_is_judged_as_if_it_enforced(tmp_path: Path) -> None:
    found = rest(load(tmp_path, base(SHARED, BANNED, settings="{mode: monitor}")).policy)
    assert found.monitored
    assert [each.rule for each in found.passing] == ["shared"]


def test_nothing_passes(tmp_path: Path) -> None:
    found = rest(load(tmp_path, base(BANNED)).policy)
    assert (found.passing, found.remedy) == ((), None)


def test_an_id_of_its_own(tmp_path: Path) -> None:
    policy = load(tmp_path, base(SHARED, "{id: block-7, apps: a, action: log}")).policy
    remedy = rest(policy, "7").remedy
    assert remedy is not None
    assert '  - id: block-7-2\n    apps: "7"\n' in remedy.text
    [entry] = yaml.safe_load(f"rules:\n{remedy.text.partition('rules:')[2] or remedy.text}")["rules"]
    assert entry == {"id": "block-7-2", "apps": "7", "action": "block"}
    long = replace(policy.apps["7"], id="x" * 64)
    remedy = rest(Policy(apps={long.id: long}), long.id).remedy
    assert remedy is not None
    assert len(yaml.safe_load(remedy.text)["rules"][0]["id"]) <= 64
