"""Laws of loading: what a policy says does not depend on how it is written down or kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, given, settings
from hypothesis import strategies as st

from embargo.core.decide import decide
from embargo.core.request import Request
from embargo.core.rules import Policy
from embargo.policy.snapshot import open_snapshot, write_snapshot
from policy_files import loaded
from policy_text import catalogue, listed_names, rule_entries, text, writable
from strategies import policies, requests


@contextmanager
def directory() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


def lists(policy: Policy) -> dict[str, str]:
    return {f"lists/{number}.txt": "\n".join(names) for number, names in enumerate(listed_names(policy))}


def agree(one: Policy, other: Policy, asked: list[Request]) -> None:
    for request in asked:
        expected, found = decide(one, request), decide(other, request)
        event(f"verdict {expected.verdict}")
        assert (found.verdict, found.rule_id, found.apps) == (expected.verdict, expected.rule_id, expected.apps)


@settings(deadline=None)  # it writes files
@given(policies(), st.lists(requests(), min_size=1, max_size=5))
def test_written_and_loaded_decides_the_same(drawn: Policy, asked: list[Request]) -> None:
    """A policy that is written as a file and loaded decides as it did."""
    policy = writable(drawn)
    with directory() as path:
        content = catalogue(policy) | {"rules": rule_entries(policy.rules)}
        agree(policy, loaded(path, {"policy.yaml": text(content), **lists(policy)}).policy, asked)


@settings(deadline=None)  # it writes files
@given(policies(), st.lists(requests(), min_size=1, max_size=5))
def test_dumped_and_opened_is_the_same(policy: Policy, asked: list[Request]) -> None:
    """A snapshot opens to an equal policy, which decides the same."""
    with directory() as path:
        write_snapshot(policy, listed_names(policy), path / "snapshot")
        opened = open_snapshot(path / "snapshot")
        for field in fields(Policy):
            if field.compare and field.name != "listed":
                assert getattr(opened, field.name) == getattr(policy, field.name), field.name
        agree(policy, opened, asked)


@settings(deadline=None)  # it writes files
@given(policies(), st.lists(requests(), min_size=1, max_size=5), st.data())
def test_layers_decide_as_their_rules_joined(drawn: Policy, asked: list[Request], data: st.DataObject) -> None:
    """Layers whose rules, joined in effective order, are the same list decide the same.

    The rules, cut anywhere, go to layers each of which puts its own before or behind those beneath it.
    """
    policy = writable(drawn)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(policy.rules)), max_size=3)))
    chunks = [rule_entries(policy.rules[start:end]) for start, end in pairwise([0, *cuts, len(policy.rules)])]
    files = {"0.layer.yaml": text(catalogue(policy)), **lists(policy)}
    below = data.draw(st.integers(0, len(chunks)))  # of the chunks, how many are laid down from the front
    order = [
        *((chunk, "before") for chunk in reversed(chunks[:below])),
        *((chunk, "after") for chunk in chunks[below:]),
    ]
    for layer, (chunk, position) in enumerate(order, 1):
        files[f"{layer}.layer.yaml"] = text({"version": 1, "rules_position": position, "rules": chunk})
    event(f"{len(chunks)} layers of rules")
    with directory() as path:
        found = loaded(path, files).policy
        assert [rule.id for rule in found.rules] == [rule.id for rule in policy.rules]
        agree(policy, found, asked)


@settings(deadline=None)  # it writes files
@given(policies(), st.data())
def test_final_rules_come_first_the_earliest_layers_first(drawn: Policy, data: st.DataObject) -> None:
    """Wherever a later layer puts its rules, no final rule of an earlier layer stands behind one of its own."""
    policy = writable(drawn)
    rules = [replace(rule, final=data.draw(st.booleans())) for rule in policy.rules]
    cut = data.draw(st.integers(0, len(rules)))
    files = {"0.layer.yaml": text(catalogue(policy) | {"rules": rule_entries(rules[:cut])}), **lists(policy)}
    position = data.draw(st.sampled_from(("before", "after")))
    files["1.layer.yaml"] = text({"version": 1, "rules_position": position, "rules": rule_entries(rules[cut:])})
    with directory() as path:
        found = loaded(path, files).policy.rules
    final = [rule.id for rule in rules if rule.final]
    assert [rule.id for rule in found[: len(final)]] == final
    early, late = ([rule.id for rule in part if not rule.final] for part in (rules[:cut], rules[cut:]))
    assert [rule.id for rule in found[len(final) :]] == (late + early if position == "before" else early + late)


@settings(deadline=None)  # it writes files
@given(policies(), st.lists(requests(), min_size=1, max_size=5), st.data())
def test_no_later_layer_opens_what_a_final_rule_closes(
    drawn: Policy, asked: list[Request], data: st.DataObject
) -> None:
    """What the lower layers block by a final rule, the policy with more apps and rules on top blocks by one as well."""
    policy = writable(drawn)
    rules = [replace(rule, final=data.draw(st.booleans())) for rule in policy.rules]
    cut = data.draw(st.integers(0, len(rules)))
    whole = catalogue(policy)
    apps = list(whole["apps"])
    late = set(data.draw(st.lists(st.sampled_from(apps), max_size=len(apps) - 1, unique=True))) if apps else set()
    lower = whole | {"apps": {name: app for name, app in whole["apps"].items() if name not in late}}
    files = {
        "0.layer.yaml": text(lower | {"rules": rule_entries(rules[:cut])}),
        "1.layer.yaml": text(
            {
                "version": 1,
                "apps": {name: app for name, app in whole["apps"].items() if name in late},
                "rules": rule_entries(rules[cut:]),
            }
        ),
        **lists(policy),
    }
    with directory() as path:
        found = loaded(path, files)
        for request in asked:
            beneath = decide(replace(found.policy_of(0), settings=found.policy.settings), request)
            if beneath.rule is None or not beneath.rule.final or not (beneath.blocked or beneath.held_back):
                continue
            decision = decide(found.policy, request)
            event("closed")
            assert (decision.verdict, decision.would) == (beneath.verdict, beneath.would)
            assert decision.rule is not None and decision.rule.final
